"""A small case of one's own: checkpoints and files such as anybody has, made here in seconds.

A network that is not BERT, a DistilBERT of three layers, learns the embedded language by masked words, and then two of
its tasks: from these weights, and from random ones.
"""

import csv
import shutil
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import transformers as hf

from ..environment import NOTHING, check_device, one_thread
from ..errors import Lacking, one_of
from ..names import HOWS, TASK_NAMES, display_name
from ..profiles.profile import ModelSpec
from ..progress import quiet
from ..store.recipes import recipe_key
from .demo_language import VOCABULARY, make_corpus, make_task, make_tokenizer
from .finetune import accuracy
from .models import build_model
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
TRAINER: dict[str, Any] = {
    "learning_rate": 1e-3,
    "per_device_train_batch_size": 16,
    "warmup_steps": 0.1,
    "weight_decay": 0.01,
    "eval_strategy": "epoch",
    "save_strategy": "epoch",
    "save_only_model": True,
}
LIMIT = 320  # examples of train
EPOCHS = {"pretrained": 5, "scratch": 8}


def make_case(cache: Path, task: str, seed: int = 0, device: str = "cpu") -> Path:
    """The folder of a case on a task of the embedded language, made on the first call, on the CPU.

    In it lie `pretrained/checkpoint-0`, the start, to the last epoch's, the same of `scratch`, `pretrained-other` and
    `scratch-other`, the ends of trainings on another task from the same starts, and `<task>-train.csv` and
    `<task>-dev.csv` with the columns `first`, perhaps `second`, and `label`. All checkpoints but the starts hold a
    `trainer_state.json` with the Trainer's own loss and accuracy on dev.

    Raises:
        UserError: no such task.
        Lacking: on device "none" there is no such case yet.
    """
    one_of("task of the embedded language", task, tuple(TASK_NAMES))
    check_device(device)
    other = "mrpc" if task == "sst2" else "sst2"
    language = {"words": asdict(WORDS), "network": NETWORK, "corpus": make_corpus(WORDS.seed, 100)}
    trained = {"task": task, "other": other, "seed": seed, "limit": LIMIT, "epochs": EPOCHS}
    recipe = language | trained | TRAINER
    folder = cache / f"distilbert-{task}-{recipe_key(recipe)}"
    if device == NOTHING and not folder.exists():
        raise Lacking(
            f"device {NOTHING!r} trains nothing, and there is no small case on {display_name(task)} in {cache}: name "
            f"checkpoints of your own, or another device"
        )
    return made_once(folder, partial(_fill, task=task, other=other, seed=seed))


def _fill(folder: Path, task: str, other: str, seed: int) -> None:
    with one_thread(), TemporaryDirectory() as scrap:
        start = Path(scrap) / "start"
        hf.set_seed(WORDS.seed)
        model = hf.DistilBertForMaskedLM(hf.DistilBertConfig(**NETWORK))
        learn_words(model, model.distilbert.transformer, WORDS, "pre-training of a small DistilBERT")
        with quiet():
            model.save_pretrained(start)
        for how in HOWS:
            train(folder / how, start, task, how, seed)
            end = train(Path(scrap) / other / how, start, other, how, seed)
            shutil.move(end, folder / f"{how}-other")
    sentences = make_task(task)
    for split, examples in (("train", sample_of(sentences.train, LIMIT)), ("dev", sentences.dev)):
        head = [*("first", "second")[: len(examples[0][0])], "label"]
        rows = [[*text, sentences.labels[label]] for text, label in examples]
        with (folder / f"{task}-{split}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([head, *rows])


def train(folder: Path, start: Path, name: str, how: str, seed: int) -> Path:
    """Train on a task as anybody does, by the plain Trainer of `transformers`; the folder of its last checkpoint."""
    from .trainer import arguments

    tokenizer = make_tokenizer()
    task = tokenised(name, make_task(name), tokenizer, NETWORK["max_position_embeddings"], LIMIT)
    spec = ModelSpec(source=str(start), max_length=NETWORK["max_position_embeddings"])
    model = build_model(spec, len(task.labels), how, seed, folder)
    model.config.id2label = dict(enumerate(task.labels))
    options = TRAINER | {"num_train_epochs": EPOCHS[how], "output_dir": str(folder)}
    trainer = hf.Trainer(
        model=model,
        args=arguments(device="cpu", seed=seed, remove_unused_columns=True, **options),
        train_dataset=task.train,
        eval_dataset=task.dev,
        data_collator=hf.DataCollatorWithPadding(tokenizer),
        processing_class=tokenizer,
        compute_metrics=accuracy,
    )
    trainer.remove_callback(hf.PrinterCallback)
    with quiet():
        trainer.save_model(str(folder / "checkpoint-0"))
        trainer.train()
    return folder / f"checkpoint-{trainer.state.global_step}"
