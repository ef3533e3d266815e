"""Objective J(theta): mean loss and error rate of a classifier on a fixed set of examples.

The examples are sorted by length, cut into batches of about equal token count and put on the device once. One visit of
a point is then one forward pass over these batches and one synchronisation, when its four numbers leave the device.
"""

from __future__ import annotations

import inspect
import operator
import reprlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..errors import UserError
from .threads import side_by_side

FIELDS = {"input_ids", "attention_mask", "token_type_ids", "labels"}
POSITIONS = (
    "position_embeddings",
    "positions_embed",
    "embed_positions",
    "wpe",
)  # tables of learned positions
TOKENS_PER_BATCH = {
    "cpu": 1024,
    "cuda": 16384,
}  # what keeps the matrix products busy and the activations in cache

Example = Mapping[str, Any]
Logits = Callable[["Batch"], Tensor]


class Measurement(NamedTuple):
    """J and the error rate at one point, with their standard errors s_(n-1) / sqrt(n) over the n examples."""

    loss: float
    error: float
    loss_stderr: float
    error_stderr: float


@dataclass(frozen=True, eq=False)
class Batch:
    """Examples of about the same length, resident on the device."""

    inputs: dict[str, Tensor]  # each (B, T)
    labels: Tensor  # (B,)

    def to(self, device: torch.device) -> Batch:
        return Batch({name: x.to(device) for name, x in self.inputs.items()}, self.labels.to(device))


class Objective:
    """Mean cross-entropy and error rate of `model` on `examples`, as a function of the model's present weights.

    Args:
        model: a single-label sequence classifier of `transformers`.
        examples: dicts of "input_ids", "labels" and, where the model takes them, "attention_mask" and "token_type_ids".
        tokens_per_batch: padded tokens in one batch at most; an example longer than that is a batch of its own.

    Raises:
        UserError: no examples, missing or unknown fields, a label out of range, a model that is no classifier.
    """

    def __init__(self, model: nn.Module, examples: Sequence[Example], tokens_per_batch: int | None = None):
        check_examples(model, examples)
        self.model: Any = model
        self.device = next(model.parameters()).device
        usual = TOKENS_PER_BATCH.get(self.device.type, TOKENS_PER_BATCH["cuda"])
        budget = usual if tokens_per_batch is None else whole_number(tokens_per_batch) or 0
        if budget < 1:
            raise UserError(f"tokens_per_batch must be a whole number, at least 1; got {tokens_per_batch!r}")
        rows = sorted((trim(example) for example in examples), key=lambda row: len(row["input_ids"]))
        self._check_logits(rows)
        masked = self._masks_padding(rows)
        self.batches = [self._batch(group) for group in by_length(rows, budget, masked)]
        self.size = len(rows)
        self.tokens = sum(sum(row["attention_mask"]) for row in rows)

    def __call__(self) -> Measurement:
        """The measurement at the model's present weights, in evaluation mode."""
        with evaluating(self.model):
            return Measurement(*statistics(*self.outcomes(self.logits)).tolist())

    def logits(self, batch: Batch) -> Tensor:
        """(B, C): one forward pass."""
        return self.model(**batch.inputs, return_dict=True).logits

    def outcomes(self, logits: Logits) -> tuple[Tensor, Tensor]:
        """Loss and error of each example in order of length, two tensors (n,); NaN where the logits hold NaN."""
        found = side_by_side(lambda batch: outcome(logits(batch), batch.labels), self.batches, self.device)
        losses, errors = zip(*found, strict=True)
        return torch.cat(losses), torch.cat(errors)

    def to(self, device: str | torch.device) -> None:
        """Move the model, in place, and the batches."""
        self.device = torch.device(device)
        self.model.to(self.device)
        self.batches = [batch.to(self.device) for batch in self.batches]

    def halve(self) -> None:
        """Cut every batch in two, the order of the examples unchanged.

        Raises:
            UserError: every batch is one example already.
        """
        if all(len(batch.labels) == 1 for batch in self.batches):
            raise UserError(
                f"out of memory on {self.device} with one example at a time; use a larger device or the CPU"
            )
        self.batches = [half for batch in self.batches for half in halves(batch)]

    def _batch(self, rows: list[dict[str, list[int]]]) -> Batch:
        width = max(len(row["input_ids"]) for row in rows)
        padding = {"input_ids": getattr(self.model.config, "pad_token_id", None) or 0}
        accepted = inspect.signature(self.model.forward).parameters
        fields = [field for field in rows[0] if field in accepted and field != "labels"]
        inputs = {
            field: torch.tensor(
                [pad(row[field], width, padding.get(field, 0)) for row in rows], device=self.device
            )
            for field in fields
        }
        labels = torch.tensor([row["labels"] for row in rows], device=self.device)
        if all(
            sum(row["attention_mask"]) == width for row in rows
        ):  # nothing is padded: attention without a mask is faster
            inputs.pop("attention_mask", None)
        return Batch(inputs, labels)

    def _check_logits(self, rows: list[dict[str, Any]]) -> None:
        """Refuse a model whose output holds no logits of a classifier, tried on the longest example."""
        batch = self._batch(rows[-1:])
        with evaluating(self.model):
            logits = getattr(self.model(**batch.inputs, return_dict=True), "logits", None)
        if logits is None or tuple(logits.shape) != (1, self.model.config.num_labels):
            raise UserError(
                f"{type(self.model).__name__} is no sequence classifier (its output holds no logits of shape "
                f"(batch, num_labels)); load it with AutoModelForSequenceClassification"
            )

    def _masks_padding(self, rows: list[dict[str, Any]]) -> bool:
        """Whether the shortest example gives the same logits beside the longest one, padded, as alone.

        Some models read what they should not: XLNet's head the last position, FNet every one. Their batches hold
        examples of one length.
        """
        if len(rows[0]["input_ids"]) == len(rows[-1]["input_ids"]):
            return True
        try:
            with evaluating(self.model):
                alone = self.logits(self._batch(rows[:1]))
                padded = self.logits(self._batch([rows[0], rows[-1]]))[:1]
        except ValueError as error:  # a decoder without a padding token takes one example at a time
            raise UserError(f"{type(self.model).__name__} takes no padded batch: {error}") from None
        tolerance = 1e-2 if alone.dtype in (torch.float16, torch.bfloat16) else 1e-5
        return torch.allclose(alone, padded, rtol=tolerance, atol=tolerance, equal_nan=True)


def halves(batch: Batch) -> Iterator[Batch]:
    """The rows of a batch as two batches, or as one if it has one row."""
    middle = (len(batch.labels) + 1) // 2
    for rows in (slice(0, middle), slice(middle, None)):
        if len(labels := batch.labels[rows]):
            yield Batch({name: x[rows] for name, x in batch.inputs.items()}, labels)


def outcome(logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy and 0/1 error of each row of logits (B, C): two tensors (B,), at least float32."""
    logits = logits if logits.dtype == torch.float64 else logits.float()
    loss = F.cross_entropy(logits, labels, reduction="none")  # (B,)
    error = (logits.argmax(dim=-1) != labels).to(loss.dtype)  # (B,)
    return loss, error.masked_fill(logits.isnan().any(dim=-1), torch.nan)


def statistics(losses: Tensor, errors: Tensor) -> Tensor:
    """Mean loss, mean error and their standard errors, (4,) float64, from the values of n examples, (n,) each."""
    values = torch.stack([losses, errors]).double()  # (2, n)
    spread = values.std(dim=1) if values.shape[1] > 1 else torch.full_like(values[:, 0], torch.nan)
    return torch.cat([values.mean(dim=1), spread / values.shape[1] ** 0.5])


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; on leaving, each module has the mode that it had."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes:
            module.training = mode


def by_length(rows: list[dict[str, Any]], budget: int, mixed: bool = True) -> Iterator[list[dict[str, Any]]]:
    """Rows, given in order of length, cut so that rows x longest stays within `budget` tokens; unless `mixed`, a batch
    holds rows of one length."""
    batch: list[dict[str, Any]] = []
    for row in rows:
        length = len(row["input_ids"])
        if batch and (
            (len(batch) + 1) * length > budget or not (mixed or length == len(batch[0]["input_ids"]))
        ):
            yield batch
            batch = []
        batch.append(row)
    yield batch


def trim(example: Example) -> dict[str, Any]:
    """The example as plain lists, without the padding at its end."""
    lists = {name: value.tolist() if hasattr(value, "tolist") else value for name, value in example.items()}
    mask = list(lists.get("attention_mask") or [1] * len(lists["input_ids"]))
    length = len(mask) - mask[::-1].index(1) if 1 in mask else len(mask)
    lists["attention_mask"] = mask
    return {name: value if name == "labels" else list(value)[:length] for name, value in lists.items()}


def pad(values: list[int], width: int, padding: int) -> list[int]:
    return values + [padding] * (width - len(values))


def check_examples(model: Any, examples: Sequence[Example]) -> None:
    """Refuse what no objective can be built of, by one line that names the example."""
    classes = getattr(getattr(model, "config", None), "num_labels", 0)
    if getattr(model, "base_model", model) is model or classes < 2:
        raise UserError(
            f"{type(model).__name__} is no classifier of two or more classes; "
            f"load it with AutoModelForSequenceClassification"
        )
    if not hasattr(examples, "__len__") or not len(examples):
        found = "none" if hasattr(examples, "__len__") else type(examples).__name__
        raise UserError(f"an objective needs a sequence of at least one example; got {found}")
    fields = set(examples[0]) if isinstance(examples[0], Mapping) else set()
    longest = positions(model) or sys.maxsize
    vocabulary = getattr(model.get_input_embeddings(), "num_embeddings", sys.maxsize)
    for i, example in enumerate(examples):
        if not isinstance(example, Mapping):
            raise UserError(f"example {i} must be a mapping of fields to lists; got {type(example).__name__}")
        if set(example) != fields or not {"input_ids", "labels"} <= fields <= FIELDS:
            raise UserError(
                f"example {i} has the fields {sorted(example)}; needed are input_ids and labels, "
                f"allowed beside them attention_mask and token_type_ids, the same in every example"
            )
        label = whole_number(example["labels"])
        if label is None or not 0 <= label < classes:
            raise UserError(f"example {i} has label {example['labels']!r}; allowed are 0 to {classes - 1}")
        values = {name: whole_numbers(example[name]) for name in sorted(fields - {"labels"})}
        wrong = next((name for name, tensor in values.items() if tensor is None), None)
        if wrong:
            raise UserError(
                f"example {i} has {wrong} that are no list of whole numbers: {reprlib.repr(example[wrong])}"
            )
        lengths = {name: len(tensor) for name, tensor in values.items() if tensor is not None}
        if len(set(lengths.values())) != 1 or 0 in lengths.values():
            raise UserError(f"example {i} has fields of unequal or no length: {lengths}")
        if (length := len(trim(example)["input_ids"])) > longest:
            raise UserError(
                f"example {i} has {length} tokens; {type(model).__name__} has positions for {longest}: "
                f"tokenise with truncation=True, max_length={longest}"
            )
        ids = values["input_ids"]
        if ids is None or int(ids.min()) < 0 or int(ids.max()) >= vocabulary:
            raise UserError(f"example {i} has input_ids that are no whole numbers from 0 to {vocabulary - 1}")


def positions(model: Any) -> int | None:
    """How many tokens an example may have: what the encoder's table of positions holds; None where there is none."""
    encoder = getattr(model, "base_model", model)
    tables = [
        m
        for name, m in encoder.named_modules()
        if isinstance(m, nn.Embedding) and name.split(".")[-1] in POSITIONS
    ]
    # RoBERTa counts from behind its padding token, BART from 2
    taken = [(-1 if m.padding_idx is None else m.padding_idx) + 1 + getattr(m, "offset", 0) for m in tables]
    return min((m.num_embeddings - n for m, n in zip(tables, taken, strict=True)), default=None)


def whole_numbers(values: Any) -> Tensor | None:
    """A list, array or tensor of whole numbers as a tensor, (n,); None for anything else."""
    try:
        tensor = torch.as_tensor(values)
    except (TypeError, ValueError, RuntimeError):
        return None
    return None if tensor.ndim != 1 or (tensor.is_floating_point() and len(tensor)) else tensor


def whole_number(value: Any) -> int | None:
    """An int, or an array or tensor of one; None for anything else."""
    try:
        return operator.index(value)
    except TypeError:
        return None
