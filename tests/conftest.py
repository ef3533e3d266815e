"""Small random models and examples that the geometry's tests share."""

from __future__ import annotations

import copy
import json
import os
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers as hf
from filelock import FileLock

from landscape_utils import Study
from landscape_utils.book import build as book
from landscape_utils.store.result_file import read_result
from landscape_utils.store.store import Store
from landscape_utils.training.demo_language import make_tokenizer
from landscape_utils.training.pretraining import demo_config

torch.set_num_threads(
    1
)  # as studies of tiny models do: the same sums in the same order, and no waiting on a busy core

signal.signal(
    signal.SIGINT, signal.default_int_handler
)  # a shell's background job starts with Ctrl-C ignored

SMALL = {"vocab_size": 60, "max_position_embeddings": 48, "num_labels": 3}
BERT_LIKE = {
    "hidden_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    **SMALL,
}
MODELS = {
    "bert": (hf.BertConfig, hf.BertForSequenceClassification, BERT_LIKE),
    "roberta": (hf.RobertaConfig, hf.RobertaForSequenceClassification, BERT_LIKE | {"pad_token_id": 1}),
    "electra": (hf.ElectraConfig, hf.ElectraForSequenceClassification, BERT_LIKE | {"embedding_size": 16}),
    "mpnet": (hf.MPNetConfig, hf.MPNetForSequenceClassification, BERT_LIKE | {"pad_token_id": 1}),
    "albert": (hf.AlbertConfig, hf.AlbertForSequenceClassification, BERT_LIKE | {"embedding_size": 16}),
    "deberta": (
        hf.DebertaV2Config,
        hf.DebertaV2ForSequenceClassification,
        BERT_LIKE | {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "type_vocab_size": 2},
    ),
    "distilbert": (
        hf.DistilBertConfig,
        hf.DistilBertForSequenceClassification,
        {"dim": 24, "n_layers": 3, "n_heads": 2, "hidden_dim": 32, **SMALL},
    ),
    "modernbert": (
        hf.ModernBertConfig,
        hf.ModernBertForSequenceClassification,
        BERT_LIKE | {"pad_token_id": 0, "global_attn_every_n_layers": 2, "local_attention": 8},
    ),
}


def make_model(kind: str = "bert", seed: int = 0, **changes) -> torch.nn.Module:
    config, model, settings = MODELS[kind]
    torch.manual_seed(seed)
    return model(config(**settings | changes))


def make_examples(count: int = 13, seed: int = 0, classes: int = 3, longest: int = 17) -> list[dict]:
    generator = np.random.default_rng(seed)
    examples = []
    for _ in range(count):
        length = int(generator.integers(3, longest))
        first = int(generator.integers(1, length))
        examples.append(
            {
                "input_ids": generator.integers(5, 60, length).tolist(),
                "attention_mask": [1] * length,
                "token_type_ids": [0] * first + [1] * (length - first),
                "labels": int(generator.integers(classes)),
            }
        )
    return examples


def plain_float64(model: torch.nn.Module, theta: torch.Tensor, examples: list[dict]) -> np.ndarray:
    """Loss, error and their standard errors, (4,), one example at a time in float64, with theta put in by name."""
    twin = copy.deepcopy(model).double().eval()
    start = 0
    with torch.no_grad():
        for p in twin.base_model.parameters():
            p.copy_(theta[start : start + p.numel()].view_as(p))
            start += p.numel()
        losses, errors = [], []
        for example in examples:
            fields = {k: torch.tensor([v]) for k, v in example.items() if k != "labels"}
            if isinstance(
                model, hf.DistilBertForSequenceClassification | hf.ModernBertForSequenceClassification
            ):
                fields.pop("token_type_ids", None)
            logits = twin(**fields).logits[0]
            losses.append(float(logits.logsumexp(0) - logits[example["labels"]]))
            errors.append(float(int(logits.argmax()) != example["labels"]))
    n = len(examples)
    return np.array(
        [np.mean(losses), np.mean(errors), np.std(losses, ddof=1) / n**0.5, np.std(errors, ddof=1) / n**0.5]
    )


@pytest.fixture
def model() -> torch.nn.Module:
    return make_model()


@pytest.fixture
def examples() -> list[dict]:
    return make_examples()


@pytest.fixture(scope="session")
def tiny_profile(tmp_path_factory) -> Path:
    """`profiles/tiny.toml` beside the folder `model` that it names: the demo's network with random weights."""
    folder = tmp_path_factory.mktemp("tiny")
    shutil.copy(Path(__file__).parent / "profiles" / "tiny.toml", folder)
    torch.manual_seed(5)
    hf.BertForPreTraining(demo_config()).save_pretrained(folder / "model")
    make_tokenizer().save_pretrained(folder / "model")
    return folder / "tiny.toml"


def keep_as_reference(study: Study, profile: Path) -> None:
    """The results of a study as those of another profile in the same folder, which names GLUE as their source.

    Of a study on real data the repository has as much: histories and landscapes, no snapshots, no data.
    """
    table = study.profile.model_dump(exclude={"name", "chosen"})
    for task in table["tasks"].values():
        task["source"] = "glue"
    profile.write_text(toml(table), "utf-8")
    folder = study.store.folder.with_name(profile.stem)
    shutil.copytree(
        study.store.folder, folder, ignore=shutil.ignore_patterns("*.safetensors", "*.lock", "run.npz")
    )
    store = Store(folder)
    for entry in list(store.entries()):
        if entry.kind == "tasks":
            found = read_result(entry.path)
            store.save(entry.kind, entry.name, found.recipe | {"source": "glue"}, found.arrays)


def toml(table: dict) -> str:
    """A table of plain values as TOML, each on a line of its own."""

    def lines(place: str, value: object) -> list[str]:
        if isinstance(value, dict):
            return [
                line for key, inner in value.items() for line in lines(f"{place}{place and '.'}{key}", inner)
            ]
        return [] if value is None else [f"{place} = {json.dumps(value)}"]

    return "\n".join(lines("", table))


@pytest.fixture(scope="session")
def site(tiny_profile, tmp_path_factory) -> Path:
    """The book of the tiny profile, made once for all workers: the folder of its HTML.

    The executed notebooks lie beside it, in `executed/tiny`. Its reference run is the same study's, read from a copy
    of the results without data and snapshots.
    """
    shared = (
        tmp_path_factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else tiny_profile.parent
    )
    root = shared / "root"
    with FileLock(shared / "root.lock"):
        if not root.exists():
            shutil.copytree(book.ROOT / "book", root / "book")
            shutil.copytree(book.ROOT / "notebooks", root / "notebooks")
            shutil.copy(book.ROOT / "_config.yml", root)
            study, reference = Study(tiny_profile, results_dir=root / "results"), shared / "reference.toml"
            study.compute()
            keep_as_reference(study, reference)
            claims = root / "notebooks" / "07_claims.ipynb"
            beside = claims.read_text("utf-8").replace(
                "columns(study, weighed)", f"columns(study, weighed, '{tiny_profile}', '{reference}')"
            )
            claims.write_text(beside, "utf-8")
            book.build(
                str(tiny_profile),
                root=root,
                reference=str(reference),
                results_dir=str(study.store.folder.parent),
            )
    html = root / "_build" / "html"
    assert (html / "index.html").exists(), "the book could not be made: see the first test that asked for it"
    return html
