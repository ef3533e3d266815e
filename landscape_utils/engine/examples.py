"""Examples of an objective: what they must be, and how they become batches."""

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import UserError
from .forward import attempt

FIELDS = {"input_ids", "attention_mask", "token_type_ids", "labels"}
# what tables of learned positions are called
POSITIONS = ("position_embeddings", "positions_embed", "embed_positions", "wpe")

Example = Mapping[str, Any]
Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Batch:
    """Examples of about the same length, resident on the device."""

    inputs: dict[str, Tensor]  # each (B, T), an attention mask perhaps (B, 1, 1, T)
    labels: Tensor  # (B,) classes, or (B, C) numbers

    def to(self, device: torch.device) -> "Batch":
        return Batch({name: x.to(device) for name, x in self.inputs.items()}, self.labels.to(device))

    def halves(self) -> Iterator["Batch"]:
        """Its rows as two batches, or as one if there is one row."""
        for i, labels in enumerate(self.labels.chunk(2)):
            yield Batch({name: x.chunk(2)[i] for name, x in self.inputs.items()}, labels)


def by_length(rows: Sequence[Row], budget: int, mixed: bool = True) -> Iterator[list[Row]]:
    """Rows, in order of length, so cut that rows x longest is within `budget` tokens; unless `mixed`, of one length."""
    batch: list[Row] = []
    for row in rows:
        length = len(row["input_ids"])
        fits = (len(batch) + 1) * length <= budget
        if batch and not (fits and (mixed or length == len(batch[0]["input_ids"]))):
            yield batch
            batch = []
        batch.append(row)
    yield batch


def plain(example: Example, length: int | None = None) -> Row:
    """The example's first `length` tokens as plain lists, and its labels, with an attention mask."""
    row = {name: value.tolist() if hasattr(value, "tolist") else value for name, value in example.items()}
    row["attention_mask"] = row.get("attention_mask") or [1] * len(row["input_ids"])
    return {name: value if name == "labels" else list(value)[:length] for name, value in row.items()}


def trim(example: Example) -> Row:
    """The example as plain lists, without the padding at its end."""
    row = plain(example)
    mask = row["attention_mask"]
    return plain(row, len(mask) - mask[::-1].index(1) if 1 in mask else None)


def check_examples(model: Any, examples: Sequence[Example]) -> None:
    """Refuse what no objective can be built of, by one line that names the example."""
    if not hasattr(examples, "__len__") or not len(examples):
        raise UserError(f"an objective needs a sequence of at least one example; got {examples!r:.60}")
    longest = positions(model) or sys.maxsize
    types = next((m for name, m in model.named_modules() if name.endswith("token_type_embeddings")), None)
    known = {"input_ids": vocabulary(model), "token_type_ids": getattr(types, "num_embeddings", sys.maxsize)}
    for i, example in enumerate(examples):
        if not isinstance(example, Mapping):
            raise UserError(f"example {i} must be a mapping of fields to lists; got {type(example).__name__}")
        fields = set(example)
        if fields != set(examples[0]) or not {"input_ids", "labels"} <= fields <= FIELDS:
            allowed = "all have input_ids and labels, perhaps attention_mask and token_type_ids"
            raise UserError(f"example {i} has the fields {sorted(example)}; {allowed}")
        values = {name: whole_numbers(i, name, example[name]) for name in sorted(fields - {"labels"})}
        lengths = {name: len(tensor) for name, tensor in values.items()}
        if len(set(lengths.values())) != 1 or 0 in lengths.values():
            raise UserError(f"example {i} has fields of unequal or no length: {lengths}")
        if (length := len(trim(example)["input_ids"])) > longest:
            allowed = f"{type(model).__name__} has positions for {longest}"
            way_out = f"tokenise with truncation=True, max_length={longest}"
            raise UserError(f"example {i} has {length} tokens; {allowed}: {way_out}")
        for name in known.keys() & fields:
            if not 0 <= int(values[name].min()) <= int(values[name].max()) < known[name]:
                allowed = f"whole numbers from 0 to {known[name] - 1}"
                raise UserError(f"example {i} has {name} that are no {allowed}; use the model's tokenizer")


def positions(model: Any) -> int | None:
    """How many tokens an example may have: what the encoder's table of positions holds; None where there is none."""
    rooms = []
    for name, table in getattr(model, "base_model", model).named_modules():
        if isinstance(table, nn.Embedding) and name.split(".")[-1] in POSITIONS:
            # RoBERTa counts from behind its padding token, BART from 2
            behind = 0 if table.padding_idx is None else table.padding_idx + 1
            rooms.append(table.num_embeddings - behind - getattr(table, "offset", 0))
    return min(rooms, default=None)


def vocabulary(model: Any) -> int:
    """How many tokens the model knows; without end where it has no table of them, as CANINE has not."""
    return getattr(attempt(model.get_input_embeddings), "num_embeddings", sys.maxsize)


def whole_numbers(i: int, name: str, values: Any) -> Tensor:
    """A field's list, array or tensor of whole numbers as a tensor, (n,); anything else is refused."""
    tensor = attempt(torch.as_tensor, values)
    listed = isinstance(tensor, Tensor) and tensor.ndim == 1
    if not listed or (tensor.is_floating_point() and len(tensor)):
        raise UserError(f"example {i} has {name} that are no list of whole numbers: {values!r:.60}")
    return tensor
