"""Where the sentences and labels of a task come from: the embedded language, a GLUE folder, the hub, files.

What is read is data and stays data: nothing in it is a path, a format or a command. A mistake in a file is
named with the file and the line.
"""

from __future__ import annotations

import csv
import io
import json
import reprlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets
import numpy as np

from ..errors import UserError
from ..names import TASK_NAMES, task_key
from ..profiles import Files
from . import demo_language, hub

Split = list[tuple[tuple[str, ...], int]]  # ((sentence,) or (first, second), index of the label)


@dataclass(frozen=True)
class Sentences:
    """The examples of a task before they are tokenised; `dev_seen` is described at `tasks.Task`."""

    labels: tuple[str, ...]
    train: Split
    dev: Split
    test: Split = field(default_factory=list)
    dev_seen: np.ndarray | None = None


@dataclass(frozen=True)
class GlueFormat:
    """How a task is written: its columns, labels and dev split in the files and on the hub."""

    text: tuple[str, ...]
    label: str
    hub_text: tuple[str, ...]
    written: tuple[str, ...]  # the labels as the files write them, in the order of the hub's integers
    labels: tuple[str, ...]
    dev: str = "dev"
    hub_dev: str = "validation"


PAIR, BINARY = ("sentence1", "sentence2"), ("0", "1")
MNLI, RTE = ("entailment", "neutral", "contradiction"), ("entailment", "not_entailment")
GLUE = {
    "mnli": GlueFormat(
        PAIR, "gold_label", ("premise", "hypothesis"), MNLI, MNLI, "dev_matched", "validation_matched"
    ),
    "rte": GlueFormat(PAIR, "label", PAIR, RTE, RTE),
    "sst2": GlueFormat(("sentence",), "label", ("sentence",), BINARY, ("negative", "positive")),
    "mrpc": GlueFormat(("#1 String", "#2 String"), "Quality", PAIR, BINARY, ("not_equivalent", "equivalent")),
}
HUB = "nyu-mll/glue"
UNLABELLED = ("-", "-1", -1)  # the annotators did not agree, or the label is kept back


def from_demo(name: str) -> Sentences:
    """A task of the embedded language."""
    task = demo_language.make_task(name)
    return Sentences(task.labels, task.train, task.dev, task.test, task.dev_seen)


def from_folder(name: str, data_dir: str | Path) -> Sentences:
    """A task from a folder in the GLUE layout: `MNLI/train.tsv`, `MNLI/dev_matched.tsv`, `RTE/dev.tsv`."""
    layout, root = GLUE[name], Path(data_dir)
    folders = [path for path in _inside(root) if path.is_dir() and task_key(path.name) == name]
    if not folders:
        raise UserError(f"data_dir {str(root)!r} has no folder {TASK_NAMES[name]!r}; {_holds(root)}")

    def read(split: str) -> Split:
        path = folders[0] / f"{split}.tsv"
        if not path.is_file():
            raise UserError(f"{path} is not there; {_holds(folders[0])}")
        lines = _text(path).removesuffix("\n").split("\n")
        table = ((n, line.removesuffix("\r").split("\t")) for n, line in enumerate(lines, 1))
        rows = _columns(path, table, [*layout.text, layout.label])
        return _examples(path, (row for row in rows if row[1][-1] not in UNLABELLED), layout.written)

    return Sentences(layout.labels, read("train"), read(layout.dev))


def from_hub(name: str) -> Sentences:
    """A task from the hub, or from what was fetched of it before; if neither, a UserError within seconds."""
    layout = GLUE[name]
    reached = hub.answers()
    try:
        data = datasets.load_dataset(HUB, name)
    except (OSError, ValueError) as error:
        why = "could not be loaded" if reached else "is not here and the hub cannot be reached"
        raise UserError(
            f"{HUB} {name} {why} ({type(error).__name__}); give data_dir, a folder in the GLUE layout "
            f"with {TASK_NAMES[name]}/train.tsv and {TASK_NAMES[name]}/{layout.dev}.tsv"
        ) from error

    def read(split: str) -> Split:
        columns = [data[split][column] for column in (*layout.hub_text, "label")]
        return [
            (tuple(text), label) for *text, label in zip(*columns, strict=True) if label not in UNLABELLED
        ]

    return Sentences(layout.labels, read("train"), read(layout.hub_dev))


def from_files(files: Files, names: Sequence[str] = ()) -> Sentences:
    """A user's own task. Its labels are those that the train file uses, in order; or, of a model that knows its
    classes by `names`, these or their numbers from 0."""
    train, dev = ([*_rows(Path(path), [*files.text, files.label])] for path in (files.train, files.dev))
    labels = {str(values[-1]) for _, values in train}
    if len(labels) < 2:
        raise UserError(
            f"{files.train}: column {files.label!r} holds fewer than two labels: {sorted(labels)}"
        )
    order = sorted(labels, key=lambda label: (int(label) if label.lstrip("-").isdecimal() else 0, label))
    if names:
        order = _as_the_model(files, labels, names)
    return Sentences(
        tuple(order), _examples(Path(files.train), train, order), _examples(Path(files.dev), dev, order)
    )


def _as_the_model(files: Files, labels: set[str], names: Sequence[str]) -> list[str]:
    """The labels of a file in the order of a model's classes: an order of our own would give each another's loss."""
    numbers = [str(i) for i in range(len(names))]
    for order in (list(names), numbers):
        if labels <= set(order):
            return order
    raise UserError(
        f"{files.train}: column {files.label!r} holds the labels {reprlib.repr(sorted(labels))}; the model's classes "
        f"are {reprlib.repr(list(names))}: write these or their numbers, 0 to {len(names) - 1}"
    )


Row = tuple[str, list[Any]]  # where it stands, for messages; the text columns and then the label


def _rows(path: Path, wanted: Sequence[str]) -> Iterator[Row]:
    """The wanted columns of a CSV, TSV, JSON (a list of objects) or JSONL file."""
    kind = path.suffix.lower()
    if kind in (".csv", ".tsv"):
        reader = csv.reader(
            io.StringIO(_text(path), newline=""), delimiter="," if kind == ".csv" else "\t", strict=True
        )
        try:
            yield from _columns(path, ((reader.line_num, fields) for fields in reader if fields), wanted)
        except csv.Error as error:
            raise UserError(f"{path}, line {reader.line_num}: {error}") from None
    elif kind == ".json":
        records = _json(_text(path), str(path))
        if not isinstance(records, list):
            raise UserError(f"{path} holds no list of objects; one object a line is a .jsonl file")
        yield from (_record(f"{path}, record {n}", record, wanted) for n, record in enumerate(records, 1))
    elif kind == ".jsonl":
        for n, line in enumerate(_text(path).split("\n"), 1):
            if line.strip():
                yield _record(f"{path}, line {n}", _json(line, f"{path}, line {n}"), wanted)
    else:
        raise UserError(f"{path}: a file of examples ends in .csv, .tsv, .json or .jsonl")


def _columns(path: Path, lines: Iterable[tuple[int, list[str]]], wanted: Sequence[str]) -> Iterator[Row]:
    """The wanted columns of a table whose first line names them."""
    numbered = iter(lines)
    _, header = next(numbered, (1, []))
    _have(str(path), header, wanted)
    picked = [header.index(column) for column in wanted]
    for n, fields in numbered:
        if len(fields) != len(header):
            raise UserError(f"{path}, line {n}: {len(fields)} fields, where the header has {len(header)}")
        yield f"{path}, line {n}", [fields[i] for i in picked]


def _record(place: str, record: Any, wanted: Sequence[str]) -> Row:
    """The wanted columns of a JSON object: text is text, a label is text or a whole number."""
    if not isinstance(record, dict):
        raise UserError(f"{place}: no object but {reprlib.repr(record)}")
    _have(place, record, wanted)
    *text, label = (record[column] for column in wanted)
    for column, value in zip(wanted, (*text, label), strict=True):
        whole = str(value).encode(errors="replace").decode() == str(value)  # false for half a surrogate pair
        if not whole or not isinstance(value, str if column != wanted[-1] else str | int):
            raise UserError(f"{place}: column {column!r} holds {reprlib.repr(value)}, which is no text")
    return place, [*text, label]


def _have(place: str, columns: Iterable[str], wanted: Iterable[str]) -> None:
    for column in wanted:
        if column not in columns:
            raise UserError(
                f"{place}: column {column!r} is missing; there are {', '.join(map(repr, columns))}"
            )


def _examples(path: Path, rows: Iterable[Row], labels: Sequence[str]) -> Split:
    """Rows as examples; the label becomes its index in `labels`."""
    index = {label: i for i, label in enumerate(labels)}
    split = []
    for place, (*text, label) in rows:
        if str(label) not in index:
            raise UserError(
                f"{place}: unknown label {reprlib.repr(label)}; allowed: {', '.join(map(repr, labels))}"
            )
        split.append((tuple(text), index[str(label)]))
    if not split:
        raise UserError(f"{path} has no labelled example")
    return split


def _text(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}, line {line}: not UTF-8") from None


def _json(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{place}: no JSON: {error}") from None


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise UserError(f"data_dir {str(folder)!r} cannot be read: {error.strerror}") from None


def _holds(folder: Path) -> str:
    names = [repr(path.name) for path in _inside(folder)]
    return f"it holds {', '.join(names[:8]) or 'nothing'}{' and more' if len(names) > 8 else ''}"
