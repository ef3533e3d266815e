"""What is measured: for each size a classifier, examples, and a plane through its weights."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import BertConfig, BertForSequenceClassification

from landscape_utils.engine.objective import Example
from landscape_utils.engine.space import ParameterSpace, Plane
from landscape_utils.study.study import Study
from landscape_utils.training.models import build_model
from landscape_utils.training.pretraining import demo_config

STEP = 0.012  # |delta| / |theta_0|: what fine-tuning on MRPC moves MiniLM by
MEAN, DEVIATION, LEAST, MOST = 53.2, 13.0, 19, 103  # lengths of MRPC's pairs, in MiniLM's tokens
LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
Point = tuple[float, float]
POINTS = ((0.0, 0.0), (1.0, 0.0), (-4.0, -4.0), (-4.0, 4.0), (4.0, -4.0), (4.0, 4.0), (1.3, -0.7))  # to visit


@dataclass(frozen=True, eq=False)
class Case:
    """A model in float32, the examples and the plane that every contender is measured on; a loop without dynamic
    padding pads to `longest` tokens."""

    title: str
    model: Any
    examples: Sequence[Example]
    plane: Plane
    longest: int = 128


def random_plane(model: Any) -> Plane:
    """Through the weights of `model`, along two random directions of length STEP |theta_0|."""
    theta = ParameterSpace(model).read().cpu()
    random = torch.randn(2, len(theta), generator=torch.Generator().manual_seed(0))
    return Plane(theta, *(random * (STEP * theta.norm() / random.norm(dim=1, keepdim=True))))


def random_pairs(count: int, vocabulary: int) -> Sequence[Example]:
    """Random tokens in examples as long as the pairs of MRPC are."""
    generator = np.random.default_rng(0)
    lengths = generator.normal(MEAN, DEVIATION, count).round().astype(int).clip(LEAST, MOST)
    return [
        {"input_ids": generator.integers(5, vocabulary, length).tolist(), "labels": i % 2}
        for i, length in enumerate(lengths)
    ]


def bert_large(data_dir: str, count: int = 3668) -> Case:
    torch.manual_seed(0)
    model = BertForSequenceClassification(BertConfig.from_dict(LARGE)).eval()
    pairs = random_pairs(count, model.config.vocab_size)
    return Case(f"BERT-large, random, {count:,} pairs as long as MRPC's", model, pairs, random_plane(model))


def minilm(data_dir: str, count: int = 256) -> Case:
    study = Study("minilm", tasks="mrpc", examples=count, data_dir=data_dir)
    cache = study.store.folder / "models"
    # With the checkpoint's own pooler, which is part of the encoder: the rivals move the encoder whole.
    spec = study.profile.model.model_copy(update={"fresh": ()})
    model = build_model(spec, 2, "pretrained", study.seed, cache).eval()
    return Case(f"MiniLM, {count} pairs of MRPC", model, study.sample("mrpc", "train"), random_plane(model))


def demo(data_dir: str, count: int = 128) -> Case:
    """With random weights."""
    torch.manual_seed(0)
    model = BertForSequenceClassification(demo_config()).eval()
    study = Study("demo", tasks="mrpc", examples=count)
    examples, longest = study.sample("mrpc", "train"), study.profile.model.max_length
    return Case(
        f"The demo's network, {count} of its paraphrases", model, examples, random_plane(model), longest
    )


# how to make it; the engine's precisions, of which the rivals run in the first; threads, 0 being as many as torch takes
SIZES: dict[str, tuple[Callable[[str], Case], tuple[str, ...], int]] = {
    "demo": (demo, ("float32", "bfloat16"), 1),  # one thread, as the profile gives each process
    "minilm": (minilm, ("float32", "bfloat16"), 0),
    "bert-large": (bert_large, ("float16", "bfloat16", "tf32", "float32"), 0),
}
