"""Losses: what the labels of a classifier are, and the loss and the error that suit them."""

import operator
import sys
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import UserError
from .forward import attempt

SINGLE, SEVERAL, REGRESSION = "single_label_classification", "multi_label_classification", "regression"

Loss = Callable[[Tensor, Tensor], Tensor]  # logits (B, C), labels (B,) or (B, C) -> (B,)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(logits, labels, reduction="none")


def binary_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, labels, reduction="none").mean(dim=1)


LOSSES: dict[str, Loss] = {
    SINGLE: cross_entropy,
    SEVERAL: binary_cross_entropy,
    REGRESSION: lambda logits, labels: (logits - labels).square().mean(dim=1),
}
ERRORS: dict[str, Loss] = {
    SINGLE: lambda logits, labels: logits.argmax(dim=-1) != labels,
    SEVERAL: lambda logits, labels: ((logits > 0) != (labels > 0.5)).any(dim=1),
    REGRESSION: lambda logits, labels: torch.full_like(logits[:, 0], torch.nan),
}


def problem_of(model: Any, labels: Sequence[Any]) -> str:
    """What labels, which must suit it, are of: `config.problem_type`, or what `transformers` takes where it is None."""
    said, classes = getattr(model.config, "problem_type", None), model.config.num_labels
    # of one logit the cross-entropy with a single label is always 0
    kinds = (SINGLE, SEVERAL, REGRESSION)[classes == 1 :]
    if said not in (None, *kinds):
        raise UserError(f"problem_type for {classes} logits is {said!r}; allowed are {', '.join(kinds)}")
    several = numbers(labels[0]) is not None and whole_number(labels[0]) is None
    problem = said or (REGRESSION if classes == 1 else SEVERAL if several else SINGLE)
    allowed = {
        SINGLE: f"0 to {classes - 1}",
        SEVERAL: f"{classes} numbers from 0 to 1, for a model with problem_type {SEVERAL!r}",
        REGRESSION: f"{classes} finite numbers" if classes > 1 else "a finite number",
    }[problem]
    least, most = (0, 1) if problem == SEVERAL else (-sys.float_info.max, sys.float_info.max)
    for i, label in enumerate(labels):
        values = numbers(label) or []
        fits = len(values) == classes and all(least <= value <= most for value in values)
        if not (whole_number(label) in range(classes) if problem == SINGLE else fits):
            raise UserError(f"example {i} has label {label!r:.60}; allowed are {allowed}")
    return problem


def whole_number(value: Any) -> int | None:
    """An int, or an array or tensor that is one; None for anything else."""
    found = None if getattr(value, "ndim", 0) else attempt(operator.index, value)
    return None if isinstance(found, Exception) else found


def numbers(value: Any) -> list[float] | None:
    """A number, or a list, array or tensor of them, as a list; None for anything else."""
    tensor = attempt(torch.as_tensor, value, dtype=torch.float64)
    return tensor.reshape(-1).tolist() if isinstance(tensor, Tensor) and tensor.ndim < 2 else None
