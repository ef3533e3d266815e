"""Losses: what the labels of a classifier are, and the loss and the error that suit them."""

import hashlib
import io
import math
import operator
import pickle
from collections.abc import Callable, Iterator, Sequence
from types import CodeType, FunctionType
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from ..errors import UserError

SINGLE, SEVERAL, REGRESSION = "single_label_classification", "multi_label_classification", "regression"

Loss = Callable[[Tensor, Tensor], Tensor]  # logits (B, C), labels (B,) or (B, C) -> (B,)


def cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(logits, labels, reduction="none")


def binary_cross_entropy(logits: Tensor, labels: Tensor) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, labels, reduction="none").mean(dim=1)


def squared_error(logits: Tensor, labels: Tensor) -> Tensor:
    return (logits - labels).square().mean(dim=1)


LOSSES: dict[str, Loss] = {SINGLE: cross_entropy, SEVERAL: binary_cross_entropy, REGRESSION: squared_error}
ERRORS: dict[str, Loss] = {
    SINGLE: lambda logits, labels: logits.argmax(dim=-1) != labels,
    SEVERAL: lambda logits, labels: ((logits > 0) != (labels > 0.5)).any(dim=1),
    REGRESSION: lambda logits, labels: torch.full_like(logits[:, 0], torch.nan),
}


def name_of(loss: Any) -> str:
    """The name of a loss, for the key of a result; of a user's own, with a hash of what it does.

    A function is told by its code and by the values that the code refers to, such as weights of classes: many a lambda
    has the same name, and an edited function keeps its own.
    """
    name = getattr(loss, "__name__", type(loss).__name__)
    if loss in LOSSES.values():
        return name
    digest = hashlib.sha256()
    try:
        for part in _parts(loss, set()):
            digest.update(part)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise UserError(
            f"loss {name} cannot be told from another ({error}): write it as a function of numbers and tensors"
        ) from None
    return f"{name.strip('<>')}-{digest.hexdigest()[:12]}"


def _parts(value: Any, seen: set[int]) -> Iterator[bytes]:
    """What a function of the user's does, or a value is, as bytes; functions of libraries are told by their names."""
    if isinstance(value, CodeType):
        yield repr((value.co_code, value.co_names)).encode()
        for constant in value.co_consts:
            yield from _parts(constant, seen)
    elif not isinstance(value, FunctionType) or value.__module__.split(".")[0] in ("torch", "numpy"):
        yield getattr(value, "__name__", "").encode() if hasattr(value, "__spec__") else _pickled(value)
    elif id(value) not in seen:
        seen.add(id(value))
        yield from _parts(value.__code__, seen)
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        used = [value.__globals__[n] for n in _names(value.__code__) if n in value.__globals__]
        for held in (*cells, *used, *(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()):
            yield from _parts(held, seen)


class _Pickler(pickle.Pickler):
    """Tells a tensor by what it holds; pickled as usual it has an address in it."""

    def reducer_override(self, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return NotImplemented
        held = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        return tuple, ((str(value.dtype), tuple(value.shape), held),)


def _pickled(value: Any) -> bytes:
    file = io.BytesIO()
    _Pickler(file).dump(value)
    return file.getvalue()


def _names(code: CodeType) -> list[str]:
    """The names that some code refers to, and those of the functions within it."""
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return [*code.co_names, *(name for one in inner for name in _names(one))]


def problem_of(model: Any, labels: Sequence[Any]) -> str:
    """What labels, which must suit it, are of: `config.problem_type`, or what `transformers` takes where it is None."""
    said, classes = getattr(model.config, "problem_type", None), model.config.num_labels
    # of one logit the cross-entropy with a single label is always 0
    if said not in (None, SINGLE, SEVERAL, REGRESSION) or (said == SINGLE and classes == 1):
        allowed = (SINGLE, SEVERAL, REGRESSION)[classes == 1 :]
        raise UserError(
            f"config.problem_type of a model with {classes} logits is {said!r}; allowed are {', '.join(allowed)}"
        )
    several = numbers(labels[0]) is not None and whole_number(labels[0]) is None
    problem = said or (REGRESSION if classes == 1 else SEVERAL if several else SINGLE)
    for i, label in enumerate(labels):
        check_label(i, label, problem, classes)
    return problem


def check_label(i: int, label: Any, problem: str, classes: int) -> None:
    """Refuse a label that does not suit the problem."""
    values = numbers(label) or []
    fits = len(values) == classes and all(map(math.isfinite, values))
    allowed = f"{classes} finite numbers" if classes > 1 else "a finite number"
    if problem == SINGLE:
        fits, allowed = whole_number(label) in range(classes), f"0 to {classes - 1}"
    elif problem == SEVERAL:
        fits = fits and all(0 <= value <= 1 for value in values)
        allowed = f"{classes} numbers from 0 to 1, for a model with problem_type {SEVERAL!r}"
    if not fits:
        raise UserError(f"example {i} has label {label!r:.60}; allowed are {allowed}")


def whole_number(value: Any) -> int | None:
    """An int, or an array or tensor of one; None for anything else."""
    try:
        return operator.index(value)
    except TypeError:
        return None


def numbers(value: Any) -> list[float] | None:
    """A number, or a list, array or tensor of them, as a list; None for anything else."""
    try:
        tensor = torch.as_tensor(value, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        return None
    return tensor.reshape(-1).tolist() if tensor.ndim < 2 else None
