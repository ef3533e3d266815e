"""Objective J(theta): mean loss and error rate of a classifier on a fixed set of examples.

Examples are sorted by length, cut into batches of about equal token count and put on the device once. A visit of a
point is one forward pass over these and one synchronisation, when its four numbers leave the device.
"""

import inspect
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from ..errors import UserError
from .examples import Batch, Example, Row, by_length, check_examples, plain, positions, trim, vocabulary
from .forward import attempt, evaluating, logits_of, same, side_by_side
from .losses import ERRORS, LOSSES, SINGLE, Loss, problem_of, whole_number
from .space import ParameterSpace, check_weights

logger = logging.getLogger(__name__)
# what keeps the matrix products busy and the activations in cache
TOKENS_PER_BATCH = {"cpu": 1024, "cuda": 16384}


class Measurement(NamedTuple):
    """J and the error rate at one point, with their standard errors s_(n-1) / sqrt(n) over the n examples.

    >>> lu.Objective(model, examples)()._fields
    ('loss', 'error', 'loss_stderr', 'error_stderr')
    """

    loss: float
    error: float
    loss_stderr: float
    error_stderr: float


class Objective:
    """Mean loss and error rate of `model` on `examples`, as a function of the model's present weights.

    The loss is the model's own, by `config.problem_type` or, where that is None, as `transformers` takes it: with one
    class a label, cross-entropy; with a list of C numbers from 0 to 1, binary cross-entropy, the mean over C labels;
    with one logit ("regression"), squared error. An example counts as an error if its class is not the one with the
    largest logit, or if any of its C labels is on the wrong side of logit 0; a regression has no errors: NaN.

    Args:
        model: a sequence classifier of `transformers`.
        examples: dicts of "input_ids", "labels" and, where the model takes them, "attention_mask" and "token_type_ids".
        tokens_per_batch: padded tokens in one batch at most; an example longer than that is a batch of its own.
        loss: another loss, f(logits (B, C), labels) -> (B,), at least float32; labels are int64 (B,) classes or float
            (B, C).

    Raises:
        UserError: examples or labels that do not suit the model; a model that is no classifier, that is quantised or
            has adapters, that fails on an example, or gives another answer when an example is padded.

    >>> objective = lu.Objective(model, examples)
    >>> objective.size, 0.0 <= objective().error <= 1.0
    (13, True)
    """

    def __init__(
        self,
        model: nn.Module,
        examples: Sequence[Example],
        tokens_per_batch: int | None = None,
        loss: Loss | None = None,
    ):
        classes = getattr(getattr(model, "config", None), "num_labels", 0)
        if getattr(model, "base_model", model) is model or classes < 1:
            kind = type(model).__name__
            raise UserError(f"{kind} is no classifier; load it with AutoModelForSequenceClassification")
        check_weights(model)
        check_examples(model, examples)
        self.model: Any = model
        self.device = next(model.parameters()).device
        usual = TOKENS_PER_BATCH.get(self.device.type, TOKENS_PER_BATCH["cuda"])
        budget = usual if tokens_per_batch is None else whole_number(tokens_per_batch) or 0
        if budget < 1:
            raise UserError(f"tokens_per_batch must be a whole number, at least 1; got {tokens_per_batch!r}")
        self._problem = problem_of(model, [example["labels"] for example in examples])
        self._loss = loss or LOSSES[self._problem]
        taken = inspect.signature(model.forward).parameters
        any_keyword = any(p.kind is p.VAR_KEYWORD for p in taken.values())
        given = dict.fromkeys([*examples[0], "attention_mask"])
        self._fields = [f for f in given if f != "labels" and (any_keyword or f in taken)]
        self._wide_masks = False
        rows = [trim(example) for example in examples]
        with evaluating(model):
            self._check_answers(examples, rows)
            if loss:
                self._check_loss(rows[0])
            rows.sort(key=lambda row: len(row["input_ids"]))
            space = attempt(ParameterSpace, model)
            narrow = isinstance(space, ParameterSpace) and space.dtype != space.wide
            with space.attached(space.wide) if narrow else nullcontext():  # as a scan computes
                self._choose_masks([rows[0], rows[-1]])
                self.batches = [self._batch(group) for group in self._grouped(rows, budget)]
        self.size = len(rows)
        self.tokens = sum(sum(row["attention_mask"]) for row in rows)

    def __call__(self) -> Measurement:
        """The measurement at the model's present weights, in evaluation mode."""
        with evaluating(self.model):
            return Measurement(*statistics(*self.outcomes(self.logits)).tolist())

    def logits(self, batch: Batch) -> Tensor:
        """(B, C): one forward pass."""
        return logits_of(self.model, batch.inputs)

    def outcomes(self, logits: Callable[[Batch], Tensor]) -> tuple[Tensor, Tensor]:
        """Loss and error of each example in order of length, two tensors (n,); NaN where the logits hold NaN."""

        def outcome(batch: Batch) -> tuple[Tensor, Tensor]:
            return self.outcome(logits(batch), batch.labels)

        losses, errors = zip(*side_by_side(outcome, self.batches, self.device), strict=True)
        return torch.cat(losses), torch.cat(errors)

    def outcome(self, logits: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Loss and 0/1 error of each row of logits (B, C): two tensors (B,), at least float32."""
        logits = logits if logits.dtype == torch.float64 else logits.float()
        labels = labels.to(logits.dtype) if labels.is_floating_point() else labels
        error = ERRORS[self._problem](logits, labels).to(logits.dtype)  # (B,)
        return self._loss(logits, labels), error.masked_fill(logits.isnan().any(dim=-1), torch.nan)

    def to(self, device: str | torch.device) -> None:
        """Move the model, in place, and the batches."""
        self.device = torch.device(device)
        self.model.to(self.device)
        self.batches = [batch.to(self.device) for batch in self.batches]

    def halve(self) -> None:
        """Cut every batch in two, the order of the examples unchanged."""
        self.batches = [half for batch in self.batches for half in batch.halves()]

    def _inputs(self, rows: Sequence[Row], wide_masks: bool = False) -> dict[str, Tensor]:
        """Each field of the rows, padded, (B, T); the attention mask perhaps (B, 1, 1, T) bool."""
        token = whole_number(getattr(self.model.config, "pad_token_id", None))
        padding = {"input_ids": token or 0} if token in range(vocabulary(self.model)) else {}
        inputs = {}
        for field in self._fields:
            values = [torch.tensor(row[field]) for row in rows]  # (T,) each
            padded = pad_sequence(values, batch_first=True, padding_value=padding.get(field, 0))
            inputs[field] = padded.to(self.device)
        if wide_masks and "attention_mask" in inputs:
            inputs["attention_mask"] = inputs["attention_mask"].bool()[:, None, None, :]
        return inputs

    def _batch(self, rows: Sequence[Row]) -> Batch:
        inputs = self._inputs(rows, self._wide_masks)
        if "attention_mask" in inputs and inputs["attention_mask"].all():
            del inputs["attention_mask"]  # nothing is padded: attention without a mask is faster
        labels = torch.tensor([row["labels"] for row in rows], device=self.device)
        single = self._problem == SINGLE
        return Batch(inputs, labels.long() if single else labels.double().reshape(len(rows), -1))

    def _choose_masks(self, rows: Sequence[Row]) -> None:
        """Make masks (B, 1, 1, T) and not (B, T), of which `transformers` asks at every pass whether they hide anything
        while a GPU's host waits; not where, as in MPNet, that changes a bit of these rows, the shortest and longest."""
        narrow, wide = (attempt(logits_of, self.model, self._inputs(rows, wide)) for wide in (False, True))
        both = isinstance(narrow, Tensor) and isinstance(wide, Tensor)
        self._wide_masks = both and torch.equal(narrow, wide) and not torch.equal(narrow[0], narrow[1])

    def _grouped(self, rows: Sequence[Row], budget: int) -> Iterator[list[Row]]:
        """Rows, in order of length, in batches as the model can take them: of one length if it reads padding, as FNet
        does and XLNet's head; of one example if it takes no others, as a decoder without a padding token."""
        first, last = rows[0], rows[-1]
        if len(rows) == 1 or self._as_alone([first, last]):
            return by_length(rows, budget)
        if self._as_alone([first, first]):
            return by_length(rows, budget, mixed=False)
        kind = type(self.model).__name__
        logger.warning("%s takes one example at a time; where it lacks config.pad_token_id, set that", kind)
        return by_length(rows, budget=1)

    def _as_alone(self, rows: Sequence[Row]) -> bool:
        """Whether the first of the rows gives the same logits in a batch with the others as alone."""
        alone, together = (attempt(self.logits, self._batch(part)) for part in (rows[:1], rows))
        if not isinstance(together, Tensor):
            return False
        # logits that are alike for all examples, as under a head of zeros, tell nothing
        alike = rows[0] is not rows[-1] and torch.equal(together[0], together[-1])
        return not alike and same(alone, together[:1], equal_nan=True)

    def _check_answers(self, examples: Sequence[Example], rows: Sequence[Row]) -> None:
        """Refuse a model that fails, or that answers an example as it is given other than as it is asked here: the
        longest one, the one with the largest token type, and the one with the most padding."""
        lengths = [len(row["input_ids"]) for row in rows]
        types = [max(row.get("token_type_ids", [0])) for row in rows]
        given = [len(example["input_ids"]) for example in examples]
        padding = [g - sum(row["attention_mask"]) for g, row in zip(given, rows, strict=True)]
        kind = type(self.model).__name__
        shortest = lengths.index(min(lengths))
        for i in sorted({shortest, *(values.index(max(values)) for values in (lengths, types, padding))}):
            own = self._answer(i, self._inputs([plain(examples[i], positions(self.model))]))
            ours = self._answer(i, self._batch([rows[i]]).inputs)
            if tuple(getattr(own, "shape", ())) != (1, self.model.config.num_labels):
                raise UserError(f"{kind} is no sequence classifier: its output holds no logits (B, C)")
            if not same(own, ours, 1e-3, equal_nan=True):
                raise UserError(f"{kind} gives example {i} other logits with padding than without; unpad it")

    def _answer(self, i: int, inputs: dict[str, Tensor]) -> Tensor:
        """The model's logits of example i; what it raises is told in one line, with the field at which it fails."""
        answer, field = attempt(logits_of, self.model, inputs), "input_ids"
        if not isinstance(answer, Exception):
            return answer
        for name in reversed(inputs):
            rest = {f: x for f, x in inputs.items() if f != name}
            if not isinstance(attempt(logits_of, self.model, rest), Exception):
                field = name
        reason = f"{type(answer).__name__}: {str(answer).strip()}".split("\n")[0]
        raise UserError(f"{type(self.model).__name__} fails at {field} of example {i}: {reason}") from answer

    def _check_loss(self, row: Row) -> None:
        """Refuse a loss of the user's that does not give a number for each example."""
        logits = torch.zeros(2, self.model.config.num_labels, device=self.device)
        found = self.outcome(logits, self._batch([row, row]).labels)[0]
        if not isinstance(found, Tensor) or found.shape != (2,) or not found.is_floating_point():
            raise UserError(f"the loss must give floats of shape (B,); for B = 2 it gave {found!r:.60}")


def statistics(losses: Tensor, errors: Tensor) -> Tensor:
    """Mean loss, mean error and their standard errors, (4,) float64, from the values of n examples, (n,) each."""
    values = torch.stack([losses, errors]).double()  # (2, n)
    spread = values.std(dim=1) if values.shape[1] > 1 else torch.full_like(values[:, 0], torch.nan)
    return torch.cat([values.mean(dim=1), spread / values.shape[1] ** 0.5])


def bootstrap_draws(examples: int, count: int) -> Tensor:
    """(examples, count) float32: of each of `count` draws the share of each example; always the same ones.

    What a scan would show on other samples of the same size (Efron 1979): examples are drawn with replacement as often
    as there are. All points and both trainings of a task share their draws: differences keep what these have in common
    out of the interval.
    """
    generator = np.random.default_rng(0)
    times = generator.multinomial(examples, np.full(examples, 1 / examples), size=count)  # (count, examples)
    return torch.from_numpy((times.T / examples).astype(np.float32))


def bootstrap_means(losses: Tensor, errors: Tensor, shares: Tensor) -> Tensor:
    """(2 * count,) float64: the mean loss of every draw and then the mean errors; losses and errors (examples,)."""
    values, shares = torch.stack([losses, errors]).double(), shares.double()
    finite = values.isfinite()
    means = values.where(finite, 0.0) @ shares
    hit = (~finite).double() @ shares > 0  # 0 times what is not finite is no number
    return torch.where(hit, values.mean(dim=1, keepdim=True), means).ravel()
