"""A small case of one's own: checkpoints and files such as anybody has, made here in seconds.

A network that is not BERT, a DistilBERT of three layers, learns the embedded language by masked words, and then two of
its tasks: from these weights, and from random ones. What is left of it are folders of `save_pretrained` and CSV files.
"""

from __future__ import annotations

import csv
import shutil
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from transformers import DistilBertConfig, DistilBertForMaskedLM, set_seed

from ..environment import NOTHING, one_thread
from ..errors import Lacking
from ..names import HOWS, TASK_NAMES, display_name, one_of
from ..profiles import ModelSpec, TrainingSpec
from ..store.recipes import recipe_key
from . import sources
from .demo_language import VOCABULARY, make_corpus, make_tokenizer
from .finetune import fine_tune
from .models import build_model, reading
from .pretraining import Recipe, learn_words, made_once
from .tasks import sample_of, tokenised

WORDS = Recipe(steps=400, muon_rate=0.015)
NETWORK: dict[str, Any] = {
    "vocab_size": len(VOCABULARY),
    "dim": 48,
    "n_layers": 3,
    "n_heads": 4,
    "hidden_dim": 96,
    "max_position_embeddings": 40,
    "dropout": 0.0,
    "attention_dropout": 0.0,
    "seq_classif_dropout": 0.0,
    "initializer_range": 0.05,
}
TRAINING = TrainingSpec(
    warmup=0.1, weight_decay=0.01, betas=[0.9, 0.999], epsilon=1e-8, max_grad_norm=1.0, precision="float32"
)
RATE, BATCH, LIMIT = 1e-3, 16, 320
EPOCHS = {"pretrained": 5, "scratch": 8}
COLUMNS = ("first", "second")


def make_case(cache: Path, task: str, seed: int = 0, device: str = "cpu") -> Path:
    """The folder of a case on a task of the embedded language, made on the first call.

    In it lie `pretrained/epoch-0` to the last, `scratch/epoch-0` to the last, `pretrained-other` and `scratch-other`,
    the ends of trainings on another task from the same starts, and `<task>-train.csv` and
    `<task>-dev.csv` with the columns `first`, perhaps `second`, and `label`.

    It is trained on the CPU whatever the device, but for "none", on which it is not made.

    Raises:
        UserError: no such task.
        Lacking: on device "none" there is no such case yet.
    """
    one_of("task of the embedded language", task, tuple(TASK_NAMES))
    other = "mrpc" if task == "sst2" else "sst2"
    recipe = {
        "words": asdict(WORDS),
        "network": NETWORK,
        "corpus": make_corpus(WORDS.seed, 100),
        "seed": seed,
    }
    recipe |= {"task": task, "other": other, "rate": RATE, "batch": BATCH, "limit": LIMIT, "epochs": EPOCHS}
    folder = cache / f"distilbert-{task}-{recipe_key(recipe | TRAINING.model_dump())}"
    if device == NOTHING and not folder.exists():
        raise Lacking(
            f"device {NOTHING!r} trains nothing, and there is no small case on {display_name(task)} in {cache}: name "
            f"checkpoints of your own, or another device"
        )
    return made_once(folder, partial(_fill, task=task, other=other, seed=seed))


def _fill(folder: Path, task: str, other: str, seed: int) -> None:
    with one_thread(), TemporaryDirectory() as scrap:
        start = Path(scrap) / "start"
        with reading(start):
            set_seed(WORDS.seed)
            model = DistilBertForMaskedLM(DistilBertConfig(**NETWORK))
            learn_words(model, model.distilbert.transformer, WORDS, "pre-training of a small DistilBERT")
            model.save_pretrained(start)
        for how in HOWS:
            train(folder / how, start, task, how, seed)
            train(Path(scrap) / other / how, start, other, how, seed)
            shutil.move(Path(scrap) / other / how / f"epoch-{EPOCHS[how]}", folder / f"{how}-other")
    sentences = sources.from_demo(task)
    for split, examples in (("train", sample_of(sentences.train, LIMIT)), ("dev", sentences.dev)):
        head = [*COLUMNS[: len(examples[0][0])], "label"]
        rows = [[*text, sentences.labels[label]] for text, label in examples]
        with (folder / f"{task}-{split}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([head, *rows])


def train(folder: Path, start: Path, name: str, how: str, seed: int) -> None:
    """Train on a task, and leave what anybody's training leaves: a classifier after each epoch, and the tokenizer."""
    tokenizer = make_tokenizer()
    task = tokenised(name, sources.from_demo(name), tokenizer, NETWORK["max_position_embeddings"], LIMIT)
    spec = ModelSpec(source=str(start), max_length=NETWORK["max_position_embeddings"])
    model = build_model(spec, len(task.labels), how, seed, folder)
    model.config.id2label = dict(enumerate(task.labels))
    with TemporaryDirectory() as scrap:
        run = fine_tune(
            model,
            task,
            folder=Path(scrap),
            how=how,
            seed=seed,
            epochs=EPOCHS[how],
            learning_rate=RATE,
            batch_size=BATCH,
            training=TRAINING,
            device="cpu",
        )
        for epoch in range(run.epochs + 1):
            with reading(folder):
                run.model(epoch).save_pretrained(folder / f"epoch-{epoch}")
    tokenizer.save_pretrained(folder / f"epoch-{run.epochs}")
