"""What is measured: for each size a classifier, examples, and a plane through its weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import BertConfig, BertForSequenceClassification

from landscape_utils.engine.objective import Example
from landscape_utils.engine.precision import Point, probe_points
from landscape_utils.engine.space import ParameterSpace
from landscape_utils.landscape.scan import MARKS, Plane
from landscape_utils.study.study import Study
from landscape_utils.training.finetune import load_run
from landscape_utils.training.models import build_model
from landscape_utils.training.pretraining import demo_config

STEP = 0.012  # |delta| / |theta_0|: what fine-tuning on MRPC moves MiniLM by
PAIRS = 3668  # MRPC's train split, and the lengths of its pairs in MiniLM's tokens:
LENGTHS = {"mean": 53.2, "deviation": 13.0, "least": 19, "most": 103}
AXIS = np.linspace(-4, 4, 40)  # the paper's grid
SMALL: dict[str, Any] = {
    "hidden_size": 192,
    "num_hidden_layers": 6,
    "num_attention_heads": 6,
    "intermediate_size": 768,
    "vocab_size": 1000,
    "initializer_range": 0.06,
}
LARGE: dict[str, Any] = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "vocab_size": 28996,
}


@dataclass(frozen=True, eq=False)
class Case:
    """A model, the examples and the plane that every contender is measured on.

    Attributes:
        model: a classifier, float32.
        longest: tokens that a loop without dynamic padding pads to.
        directions: where the plane's two come from.
        step: |delta_1| / |theta_0|.
    """

    title: str
    model: Any
    examples: list[Example]
    plane: Plane
    longest: int = 128
    directions: tuple[str, str] = ("random", "random")

    @property
    def step(self) -> float:
        return self.plane.norm / float(self.plane.origin.norm())

    @property
    def points(self) -> list[Point]:
        """The cells that a precision is probed on: corners of the grid, start, end, and a few at random."""
        return probe_points([AXIS, AXIS], MARKS)


def random_plane(model: Any) -> Plane:
    """Through the weights of `model`, along two random directions of length STEP |theta_0|."""
    theta = ParameterSpace(model).read().cpu()
    generator = torch.Generator().manual_seed(0)

    def direction() -> Tensor:
        random = torch.randn(len(theta), generator=generator)
        return random * (STEP * theta.norm() / random.norm())

    return Plane(theta, direction(), direction())


def random_pairs(count: int, vocabulary: int) -> list[Example]:
    """Random tokens in examples as long as the pairs of MRPC are."""
    generator = np.random.default_rng(0)
    lengths = generator.normal(LENGTHS["mean"], LENGTHS["deviation"], count).round().astype(int)
    return [
        {
            "input_ids": generator.integers(5, vocabulary, length).tolist(),
            "attention_mask": [1] * int(length),
            "token_type_ids": [0] * int(length // 2) + [1] * int(length - length // 2),
            "labels": i % 2,
        }
        for i, length in enumerate(lengths.clip(LENGTHS["least"], LENGTHS["most"]))
    ]


def random_bert(network: dict[str, Any], name: str, count: int, data_dir: str) -> Case:
    """A BERT with random weights on random tokens; needs no data."""
    torch.manual_seed(0)
    model = BertForSequenceClassification(BertConfig(**network)).eval()
    examples = random_pairs(count, network["vocab_size"])
    return Case(
        f"{name} with random weights, {count:,} pairs as long as MRPC's", model, examples, random_plane(model)
    )


def minilm(count: int, data_dir: str) -> Case:
    """MiniLM on MRPC, along the directions of its fine-tuning if the results hold the runs."""
    study = Study("minilm", tasks="mrpc", examples=count, data_dir=data_dir)
    title, examples = f"MiniLM, {count} pairs of MRPC", study.sample("mrpc", "train")
    keys = [study.keys.run(task, "pretrained") for task in ("mrpc", study.profile.tasks["mrpc"].other)]
    run, other = (load_run(study.store.folder_for(*key)) for key in keys)
    if run and other:
        origin = run.theta(0)
        plane = Plane(origin, run.theta() - origin, other.theta() - origin)
        directions = ("fine-tuning on MRPC", f"fine-tuning on {other.task.upper()}")
        return Case(title, run.model(), examples, plane, directions=directions)
    cache = study.store.folder / "models"
    model = build_model(study.profile.model, 2, "pretrained", study.seed, cache).eval()
    return Case(title, model, examples, random_plane(model))


def demo(count: int, data_dir: str) -> Case:
    """The demo's network with random weights on the demo's paraphrases."""
    torch.manual_seed(0)
    model = BertForSequenceClassification(demo_config()).eval()
    study = Study("demo", tasks="mrpc", examples=count)
    return Case(
        f"the demo's network, {count} pairs of its paraphrase task",
        model,
        study.sample("mrpc", "train"),
        random_plane(model),
        longest=study.profile.model.max_length,
    )


@dataclass(frozen=True)
class Size:
    """How to make a case, and how much of it is measured.

    Attributes:
        precisions: the engine's, float32 among them; the rivals run in the first.
        rounds: in how many each contender visits a point.
        visits: points of the long walk, which is compared with one of ten.
        threads: of the process in which the contenders meet; 0: as many as torch takes.
    """

    make: Callable[..., Case]
    examples: int
    precisions: tuple[str, ...] = ("float32", "bfloat16")
    rounds: int = 10
    visits: int = 100
    threads: int = 0

    def case(self, data_dir: str = "", device: str = "cpu") -> Case:
        case = self.make(self.examples, data_dir)
        case.model.to(device)
        return case


SIZES = {
    "small": Size(partial(random_bert, SMALL, "a small BERT"), 64),
    "minilm": Size(minilm, 256, visits=30),
    "demo": Size(demo, 128, threads=1),
    "bert-large": Size(
        partial(random_bert, LARGE, "BERT-large"),
        PAIRS,
        ("float16", "bfloat16", "tf32", "float32"),
        visits=20,
    ),
}
