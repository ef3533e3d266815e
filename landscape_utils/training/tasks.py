"""A Task: a text-classification data set with a train and a dev split, tokenised once.

A new built-in one begins in `names.TASK_NAMES`; its sentences come from `sources.GLUE` and, as the last entry of
`LABELS`, from `demo_language`. One's own is a table of a profile whose source is "files".
"""

from __future__ import annotations

import hashlib
import json
import reprlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import transformers as hf

from ..errors import UserError
from ..names import TASK_NAMES, task_key
from ..profiles.profile import TaskSpec
from . import sources
from .demo_language import Sentences, Split, make_task

Example = dict[str, list[int] | int]  # "input_ids", "attention_mask", ("token_type_ids"), "labels"
SAMPLE_SEED = 0
T = TypeVar("T")


@dataclass(frozen=True)
class Task:
    """A tokenised task; an example's "labels" is an index into `labels`.

    `train_text` and `dev_text` are the sentences, one or two an example. Of the embedded tasks only,
    `dev_seen`, shape (len(dev),) bool, tells which dev examples have words of the train split only, and `test`
    is a split that nothing was chosen on. `checksum` is the same for the same examples, wherever they came from.
    """

    name: str
    labels: tuple[str, ...]
    train: list[Example]
    dev: list[Example]
    train_text: list[tuple[str, ...]]
    dev_text: list[tuple[str, ...]]
    dev_seen: np.ndarray | None
    test: list[Example]
    checksum: str

    def __post_init__(self):
        object.__setattr__(self, "name", task_key(self.name))  # one name, whoever asks for the task


def load_task(
    name: str,
    spec: TaskSpec,
    tokenizer: hf.PreTrainedTokenizerBase,
    *,
    max_length: int,
    data_dir: str | Path | None = None,
) -> Task:
    """Read a task and tokenise it, each example cut to `max_length` tokens and not padded.

    GLUE is read from `data_dir`, or else from the hub. Raises UserError for what cannot be read, with file and line.
    """
    return tokenised(name, sentences_of(name, spec, data_dir), tokenizer, max_length, spec.train_limit)


def sentences_of(name: str, spec: TaskSpec, data_dir: str | Path | None = None) -> Sentences:
    """The sentences and labels of a profile's task; see `load_task`."""
    if spec.files is not None:
        return sources.from_files(spec.files)
    if name not in TASK_NAMES:
        raise UserError(f"unknown task {name!r}: source {spec.source!r} has {', '.join(TASK_NAMES)}")
    if spec.source == "demo":
        return make_task(name)
    return sources.from_folder(name, data_dir) if data_dir else sources.from_hub(name)


def tokenised(
    name: str,
    sentences: Sentences,
    tokenizer: hf.PreTrainedTokenizerBase,
    max_length: int,
    train_limit: int = 0,
    *,
    split_special_tokens: bool = True,
    truncation: str = "longest_first",
) -> Task:
    """The task that these sentences are, of the train split at most `train_limit` (0: all).

    With `split_special_tokens` a sentence that spells a special token, as "[SEP]", is text like any other; else the
    tokenizer does what it is set to do. `truncation`: which sentence of a pair is cut, as the tokenizer calls it.
    Raises UserError for a text of no tokens.
    """
    options: dict[str, Any] = {"truncation": truncation, "max_length": max_length}
    if split_special_tokens:
        options["split_special_tokens"] = True
    places = sentences.places | {"train": sample_of(sentences.places.get("train", []), train_limit)}
    splits = {"train": sample_of(sentences.train, train_limit), "dev": sentences.dev, "test": sentences.test}
    tokens = {
        split: _tokenise(tokenizer, examples, options, places.get(split) or [])
        for split, examples in splits.items()
    }
    content = json.dumps([sentences.labels, *tokens.values()], sort_keys=True)
    return Task(
        name=name,
        labels=sentences.labels,
        **tokens,
        train_text=[text for text, _ in splits["train"]],
        dev_text=[text for text, _ in sentences.dev],
        dev_seen=sentences.dev_seen,
        checksum=hashlib.sha256(content.encode()).hexdigest(),
    )


def _tokenise(
    tokenizer: hf.PreTrainedTokenizerBase, split: Split, options: dict[str, Any], places: list[str]
) -> list[Example]:
    """The examples of a split."""
    if not split:
        return []
    columns = [list(column) for column in zip(*(text for text, _ in split), strict=True)]
    encoded = tokenizer(*columns, **options)
    wanted = [key for key in ("input_ids", "attention_mask", "token_type_ids") if key in encoded]
    examples = []
    for i, (text, label) in enumerate(split):
        if not encoded["input_ids"][i]:
            place = places[i] if places else f"example {i + 1}"
            raise UserError(f"{place}: the tokenizer finds no token in {reprlib.repr(text)}")
        examples.append({**{key: encoded[key][i] for key in wanted}, "labels": label})
    return examples


def task_facts(task: Task) -> dict[str, np.ndarray]:
    """What a study says of a task where its data are not at hand."""
    classes = np.bincount(np.array([e["labels"] for e in task.dev]))
    lengths = {"train": token_counts(task.train), "dev": token_counts(task.dev)}
    return {
        "checksum": np.array(task.checksum),
        "labels": np.array(task.labels),
        "majority": classes.max() / classes.sum(),
        **{f"{split}_examples": np.array(len(n)) for split, n in lengths.items()},
        **{f"{split}_tokens": n.sum() for split, n in lengths.items()},
    }


def sample_of(examples: list[T], size: int) -> list[T]:
    """At most `size` examples (0: all), the same ones every time, in their order."""
    if size == 0 or size >= len(examples):
        return examples
    chosen = np.random.default_rng(SAMPLE_SEED).permutation(len(examples))[:size]
    return [examples[i] for i in np.sort(chosen)]


def token_counts(examples: list[Example]) -> np.ndarray:
    """The length of each example in tokens, (n,)."""
    return np.array([len(np.atleast_1d(example["input_ids"])) for example in examples])
