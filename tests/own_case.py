"""Checkpoints and files such as a user has, of small networks with random weights, and refusals of one line."""

import csv
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from networks import make_model

from landscape_utils.environment import ROOT
from landscape_utils.errors import UserError
from landscape_utils.training.demo_language import VOCABULARY, make_task, make_tokenizer

NAMES = ("negative", "positive")


def save_training(folder: Path, kind="electra", checkpoints=3, seed=0, **changes) -> list[Path]:
    """Checkpoints on a straight line with a little noise, the last one with a tokenizer."""
    model = make_model(kind, seed, **{"vocab_size": len(VOCABULARY), "num_labels": 2} | changes)
    model.config.id2label = dict(enumerate(NAMES))
    step = {name: torch.randn_like(p) * p.std().nan_to_num(0.1) for name, p in model.named_parameters()}
    folders = [folder / f"checkpoint-{90 * i}" for i in range(checkpoints)]
    for i, path in enumerate(folders):
        model.save_pretrained(path)
        with torch.no_grad():
            for name, p in model.named_parameters():
                p += 0.3 * step[name] / (i + 1) + 0.02 * torch.randn_like(p)
    make_tokenizer().save_pretrained(folders[-1])
    return folders


def write_examples(folder: Path, count: int = 24) -> tuple[str, str]:
    """`reviews-train.csv` and `reviews-dev.csv` with the columns `text` and `tone`."""
    task = make_task("sst2")
    for split in ("train", "dev"):
        rows = [(text, NAMES[label]) for (text,), label in getattr(task, split)[:count]]
        with (folder / f"reviews-{split}.csv").open("w", newline="") as file:
            csv.writer(file).writerows([("text", "tone"), *rows])
    return str(folder / "reviews-train.csv"), str(folder / "reviews-dev.csv")


def edit_config(folder: Path, **changes) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def run_notebook(chapter: str, out: Path, options: str, **settings) -> subprocess.CompletedProcess[str]:
    """What papermill says and makes of a chapter, with a kernel whose ports nobody else takes."""
    notebook, given = ROOT / "notebooks" / f"{chapter}.ipynb", f"--no-progress-bar {options}".split()
    command = [sys.executable, "-m", "landscape_utils.book.papermill", notebook, out, *given]
    return subprocess.run(command, capture_output=True, text=True, **settings)


@contextmanager
def refused(*patterns: str) -> Iterator[None]:
    """A block that a `UserError` ends, of one line that can be printed and in which all these patterns are found."""
    with pytest.raises(UserError) as caught:
        yield
    line = str(caught.value)
    assert line.isprintable()
    for pattern in patterns:
        assert re.search(pattern, line), line
