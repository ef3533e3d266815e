"""Where the sentences and labels of a task come from, beside the embedded language: a GLUE folder, the hub, files."""

import csv
import io
import json
import re
import reprlib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import UserError
from ..names import TASK_NAMES, task_key
from ..profiles.profile import Files
from . import hub
from .demo_language import LABELS, Sentences, Split

csv.field_size_limit(2**31 - 1)  # a document in a field is longer than the 131,072 characters that csv allows


@dataclass(frozen=True)
class GlueFormat:
    """How a task is written: its columns, labels and dev split in the files and on the hub."""

    text: tuple[str, ...]
    label: str
    hub_text: tuple[str, ...]
    written: tuple[str, ...]  # the labels as the files write them, in the order of the hub's integers
    dev: str = "dev"
    hub_dev: str = "validation"


PAIR, ONE, BINARY = ("sentence1", "sentence2"), ("sentence",), ("0", "1")
MNLI_DEV = ("dev_matched", "validation_matched")
GLUE = {
    "mnli": GlueFormat(PAIR, "gold_label", ("premise", "hypothesis"), LABELS["mnli"], *MNLI_DEV),
    "rte": GlueFormat(PAIR, "label", PAIR, LABELS["rte"]),
    "sst2": GlueFormat(ONE, "label", ONE, BINARY),
    "mrpc": GlueFormat(("#1 String", "#2 String"), "Quality", PAIR, BINARY),
}
# tasks of pairs of sentences in two classes
PAIRED = [name for name, layout in GLUE.items() if len(layout.text) == len(LABELS[name]) == 2]
HUB = "nyu-mll/glue"
UNLABELLED = ("-", "-1")  # the annotators did not agree, or the label is kept back


def from_folder(name: str, data_dir: str | Path) -> Sentences:
    """A task from a folder in the GLUE layout: `MNLI/train.tsv`, `MNLI/dev_matched.tsv`, `RTE/dev.tsv`."""
    layout, found = GLUE[name], sorted(Path(data_dir).glob("*"))
    folders = [path for path in found if path.is_dir() and task_key(path.name) == name]
    if not folders:
        there = ", ".join(repr(path.name) for path in found[:8]) or "nothing"
        raise UserError(f"data_dir {str(data_dir)!r} has no folder {TASK_NAMES[name]!r}; it holds {there}")

    def read(split: str) -> list[Row]:
        path = folders[0] / f"{split}.tsv"
        rows = _rows(path, _table(path, _text(path), **UNQUOTED), layout.text, layout.label)
        return [row for row in rows if row[2] not in UNLABELLED]

    return _sentences(LABELS[name], layout.written, read("train"), read(layout.dev))


def from_hub(name: str) -> Sentences:
    """A task from the hub, or from what was fetched of it before; if neither, a UserError within seconds."""
    from datasets import load_dataset

    layout, train = GLUE[name], f"{TASK_NAMES[name]}/train.tsv"
    dev = f"{TASK_NAMES[name]}/{layout.dev}.tsv"
    way_out = f"give data_dir, a folder in the GLUE layout with {train} and {dev}"
    needed = [f"{name}/{split}-*.parquet" for split in ("train", layout.hub_dev)]
    folder = hub.fetched(HUB, ["README.md", f"{name}/*.parquet"], way_out, "dataset", needed)
    try:
        data = load_dataset(str(folder), name)
    except (ValueError, OSError) as error:  # of files that a copy lacks, or that are damaged
        raise UserError(f"{folder} cannot be read ({str(error).splitlines()[0]}); {way_out}") from None

    def read(split: str) -> Split:
        columns = [data[split][column] for column in (*layout.hub_text, "label")]
        return [(tuple(text), label) for *text, label in zip(*columns, strict=True) if label >= 0]

    return Sentences(LABELS[name], read("train"), read(layout.hub_dev))


def from_files(files: Files, names: Sequence[str] = ()) -> Sentences:
    """A user's own task. Its labels are those that the train file uses, in order; or, of a model that knows its
    classes by `names`, these or their numbers from 0: an order of our own would give each class another's loss."""
    paths = Path(files.train), Path(files.dev)
    train, dev = (_rows(path, _records(path), files.text, files.label) for path in paths)
    labels = {label for _, _, label in train}
    holds = f"{files.train}: column {files.label!r} holds"
    if len(labels) < 2:
        raise UserError(f"{holds} fewer than two labels: {sorted(labels)}")
    by_number = sorted(labels, key=lambda n: (int(n) if re.fullmatch(r"-?\d{1,99}", n) else 0, n))
    for order in (list(names), [str(i) for i in range(len(names))]) if names else (by_number,):
        if labels <= set(order) and len(set(order)) == len(order):
            return _sentences(order, order, train, dev)
    raise UserError(
        f"{holds} the labels {reprlib.repr(sorted(labels))}; the model's classes are {reprlib.repr(list(names))}: "
        f"write these or their numbers, 0 to {len(names) - 1}"
    )


Row = tuple[str, tuple[str, ...], str]  # where it stands, for messages; the text; the label


def _sentences(labels: Sequence[str], written: Sequence[str], train: list[Row], dev: list[Row]) -> Sentences:
    """Rows as examples; a label becomes its index in `written`, the labels as the files have them."""
    index = {label: i for i, label in enumerate(written)}
    for place, _, label in (*train, *dev):
        if label not in index:
            allowed = ", ".join(map(repr, written))
            raise UserError(f"{place}: unknown label {reprlib.repr(label)}; allowed: {allowed}")
    examples = [[(text, index[label]) for _, text, label in rows] for rows in (train, dev)]
    places = {"train": [place for place, *_ in train], "dev": [place for place, *_ in dev]}
    return Sentences(tuple(labels), examples[0], examples[1], places=places)


Records = Iterable[tuple[str, Any]]  # where a record stands, and it: column -> value


def _rows(path: Path, records: Records, text: Sequence[str], label: str) -> list[Row]:
    """The wanted columns of the records of a file: text is text, a label is text or a whole number."""
    rows = []
    for place, record in records:
        if not isinstance(record, dict):
            raise UserError(f"{place}: {reprlib.repr(record)} is no object with columns")
        for column in (*text, label):
            if column not in record:
                there = ", ".join(map(repr, record))
                raise UserError(f"{place}: column {column!r} is missing; there are {there}")
            value, kinds = record[column], str if column != label else str | int
            # Half a surrogate pair, which JSON can hold, is no character.
            if not isinstance(value, kinds) or str(value).encode(errors="replace").decode() != str(value):
                number = " or whole number" if column == label else ""
                raise UserError(
                    f"{place}: column {column!r} holds {reprlib.repr(value)}, which is no text{number}"
                )
        rows.append((place, tuple(record[column] for column in text), str(record[label])))
    if not rows:
        raise UserError(f"{path} has no labelled example")
    return rows


TSV = {"delimiter": "\t"}
UNQUOTED: dict[str, Any] = TSV | {"quoting": csv.QUOTE_NONE}  # quotation marks are text, as in GLUE's files
# A header in quotation marks, or a field in quotation marks that doubles those within.
QUOTED = re.compile(r'\A"|(?:^|\t)"[^"\t\n]*""[^\t\n]*"\r?(?:\t|$)', re.MULTILINE)


def _records(path: Path) -> Records:
    """The records of a CSV, TSV, JSON (a list of objects) or JSON Lines file, with `.json` or `.jsonl` for the last.

    Quotation marks in a TSV are text, unless `QUOTED` says that they frame fields, as in CSV, or only so all lines have
    as many fields as the header.
    """
    kind = path.suffix.lower()
    if kind not in (".csv", ".tsv", ".json", ".jsonl"):
        raise UserError(f"{path}: a file of examples ends in .csv, .tsv, .json or .jsonl")
    text = _text(path)
    if kind != ".tsv":
        return _table(path, text) if kind == ".csv" else _json(path, text)
    first, second = (TSV, UNQUOTED) if QUOTED.search(text) else (UNQUOTED, TSV)
    try:
        return _table(path, text, **first)
    except UserError:
        with suppress(UserError):
            return _table(path, text, **second)
        raise


def _table(path: Path, text: str, **dialect: Any) -> Records:
    """The records of a table whose first line names its columns, in a dialect of `csv`."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, **dialect)
    try:
        lines = [(reader.line_num, fields) for fields in reader if fields]
    except csv.Error as error:
        raise UserError(f"{path}, line {reader.line_num}: {error}") from None
    if not lines:
        raise UserError(f"{path} is empty")
    (_, header), *rows = lines
    if len(set(header)) < len(header):
        raise UserError(
            f"{path}: two columns have one name, {max(header, key=header.count)!r}: name each once"
        )
    for n, fields in rows:
        if len(fields) != len(header):
            raise UserError(f"{path}, line {n}: {len(fields)} fields, where the header has {len(header)}")
    return [(f"{path}, line {n}", dict(zip(header, fields, strict=True))) for n, fields in rows]


def _json(path: Path, text: str) -> Records:
    """The objects of one list, or one a line."""
    if text.lstrip().startswith("["):
        items = enumerate(_parsed(str(path), text), 1)
        return ((f"{path}, record {n}", item) for n, item in items)
    lines = ((f"{path}, line {n}", line) for n, line in enumerate(text.split("\n"), 1) if line.strip())
    return ((place, _parsed(place, line)) for place, line in lines)


def _parsed(place: str, text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError(f"{place}: neither a list of objects nor one object a line: {error}") from None


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}, line {line}: not UTF-8: save the file in that encoding") from None
