"""The engine: visits points of parameter space, and does at each only what differs from the last one.

Theta is written from the origin, never from the neighbouring point, so there is no drift and no order. What is the same
at every point, or read by nobody, is left out: see `shortcuts`.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError
from . import bootstrap
from .fused import Fused, fusible
from .objective import Measurement, Objective, attempt, evaluating, statistics
from .precision import DTYPES, check_precision
from .shortcuts import Replay, first_token_only
from .space import ParameterSpace
from .threads import threads_of_one

logger = logging.getLogger(__name__)
CHUNK = {"cpu": 1 << 16, "cuda": 1 << 24}  # entries combined at a time: the sums stay in cache
CACHE_BYTES = 1 << 30  # for the output of layers that do not move


def combine(out: Tensor, origin: Tensor, terms: Sequence[tuple[float, Tensor]]) -> None:
    """out = origin + sum of c * direction, (P,), summed in the origin's dtype and rounded once to that of `out`."""
    step = CHUNK.get(out.device.type, CHUNK["cuda"])
    for start in range(0, len(out), step):
        chunk = slice(start, start + step)
        total = out[chunk] if out.dtype == origin.dtype else torch.empty_like(origin[chunk])
        (first, direction), *rest = terms
        torch.add(origin[chunk], direction[chunk], alpha=first, out=total)
        for coefficient, direction in rest:
            total.add_(direction[chunk], alpha=coefficient)
        if total.dtype != out.dtype:
            out[chunk] = total


def moving(directions: Sequence[Tensor]) -> slice:
    """The shortest range of entries outside which every direction is zero."""
    ends = []
    for direction in directions:
        support = direction.nonzero()
        if len(support):
            ends += [int(support[0]), int(support[-1]) + 1]
    return slice(min(ends), max(ends)) if ends else slice(0, 0)


def strides(shape: Sequence[int]) -> np.ndarray:
    """(points,): of each point of a grid, row by row, the largest power of two that divides all its indices."""
    indices = np.indices(tuple(shape)).reshape(len(shape), -1)  # (axes, points)
    return np.where(indices == 0, 1 << 30, indices & -indices).min(axis=0)


def coarse_first(shape: Sequence[int]) -> list[int]:
    """A grid's points in the order to visit them: every 2^k-th row and column, then every 2^(k-1)-th, down to all.

    A scan that is looked at or stopped halfway then shows the whole, coarsely.
    """
    return np.argsort(-strides(shape), kind="stable").tolist()


@dataclass(frozen=True, eq=False)
class Walk:
    """Visits of points of a line or plane; before it begins it can be sent to another process.

    Args:
        objectives: on the same model.
        origin, directions: vectors (P,).
        cache_bytes: memory for the output of layers that no direction moves; 0 recomputes it at every point.
        draws: how many bootstrap draws of the examples are measured beside.
    """

    objectives: Sequence[Objective]
    origin: Tensor
    directions: Sequence[Tensor]
    cache_bytes: int = CACHE_BYTES
    draws: int = 0

    @property
    def width(self) -> int:
        """How many numbers a point gives: 4 + 2 draws for each objective."""
        return len(self.objectives) * (len(Measurement._fields) + 2 * self.draws)

    def open(self, precision: str = "float32") -> Walker:
        """The walker, to be used as a context manager."""
        return Walker(self, precision)

    def to(self, device: str | torch.device) -> Walk:
        """The same walk on `device`, with copies of the model and its examples."""
        objectives = copy.deepcopy(self.objectives)
        for objective in objectives:
            objective.to(device)
        origin, *directions = (v.to(device) for v in (self.origin, *self.directions))
        return replace(self, objectives=objectives, origin=origin, directions=directions)

    def visits(
        self, points: Iterable[tuple[int, Sequence[float]]], precision: str
    ) -> Generator[tuple[int, np.ndarray]]:
        """(index, row) of every point, one after the other; a row is (width,) float64, objective by objective."""
        with self.open(precision) as walker:
            for i, point in points:
                yield i, walker(point).numpy().ravel()


class Walker:
    """A model on a walk: `walker(coordinates)` measures every objective there.

    The weights are rounded to `precision`, and the forward pass is done in it. Use as a context manager: within it the
    model's weights are those of the point visited last; on leaving, also by an exception, the model is what it was.

    Raises:
        UserError: `cache_bytes` that hold no batch; a device too small for one example; a precision that the device
            does not have or the model does not compute in.
    """

    def __init__(self, walk: Walk, precision: str):
        self.objectives, self.cache_bytes, self.precision = walk.objectives, walk.cache_bytes, precision
        self.model = walk.objectives[0].model
        self.space = ParameterSpace(self.model)
        check_precision(precision, self.space.device.type)
        vectors = (walk.origin, *walk.directions)
        self.origin, *self.directions = (v.to(self.space.device, self.space.wide) for v in vectors)
        self.moving = moving(self.directions)
        self._shares = [bootstrap.draws(o.size, walk.draws).to(self.space.device) for o in self.objectives]
        self._stack = ExitStack()
        self._replay = Replay(self.model, self.space, self.moving)

    def __enter__(self) -> Walker:
        with ExitStack() as stack:  # closed here if entering fails half-way
            stack.enter_context(evaluating(self.model))
            stack.enter_context(tf32(self.precision == "tf32"))
            dtype = self.origin.dtype if self.precision == "float32" else DTYPES[self.precision]
            self.buffer = stack.enter_context(self.space.attached(dtype))
            self.buffer.copy_(self.origin)
            self._within_memory(self._try_precision)
            self._fused = Fused(self.model, stack) if fusible(dtype, self.space.device) else None
            self._within_memory(lambda: self._shorten(stack))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception) -> None:
        self._stack.close()

    def __call__(self, coordinates: Sequence[float]) -> Tensor:
        """(objectives, 4 + 2 draws) float64 on the CPU: loss, error, their standard errors, and the draws' losses and
        errors. The one synchronisation."""
        self.move(coordinates)
        return self._within_memory(
            lambda: torch.stack(list(map(self._measure, self.objectives, self._shares))).cpu()
        )

    def _measure(self, objective: Objective, shares: Tensor) -> Tensor:
        outcomes = objective.outcomes(partial(self._replay.logits, objective))
        return torch.cat([statistics(*outcomes), bootstrap.means(*outcomes, shares)])

    def move(self, coordinates: Sequence[float]) -> None:
        """Set the weights to origin + sum of coordinate * direction."""
        part = self.moving
        terms = [(float(c), d[part]) for c, d in zip(coordinates, self.directions, strict=True)]
        combine(self.buffer[part], self.origin[part], terms)
        if self._fused:
            self._fused.reorder()

    def _within_memory(self, function: Callable[[], Any]) -> Any:
        """What the function returns; while its batches do not fit into the device's memory, they are halved."""
        try:
            return function()
        except torch.OutOfMemoryError:
            for objective in self.objectives:
                objective.halve()
            logger.warning("out of memory on %s: batches are halved", self.space.device)
        return self._within_memory(function)

    def _try_precision(self) -> None:
        """Refuse a precision that the model does not compute in: FNet's Fourier transform, say, has no bfloat16."""
        if self.precision == "float32":
            return
        objective = self.objectives[0]
        found = attempt(objective.logits, objective.batches[0])
        if isinstance(found, RuntimeError):
            reason = str(found).splitlines()[0]
            raise UserError(
                f"{type(self.model).__name__} does not compute in {self.precision} ({reason}); use float32"
            ) from None

    def _shorten(self, stack: ExitStack) -> None:
        """Take the shortcuts that give the same logits: tried at the origin, and at a point off it."""
        batches = [(o, batch) for o in self.objectives for batch in o.batches]
        first_token_only(self.model, self.objectives[0], stack)
        if self._replay.below and self.cache_bytes:
            with threads_of_one(len(self.objectives[0].batches), self.space.device):
                self._replay.prepare(batches, self.cache_bytes, stack)
                self.move([1.0] * len(self.directions))
                self._replay.verify(batches)


@contextmanager
def tf32(on: bool) -> Iterator[None]:
    """Matrix products in TF32 while the context lasts, if `on`."""
    before = torch.get_float32_matmul_precision()
    try:
        if on:
            torch.set_float32_matmul_precision("high")
        yield
    finally:
        torch.set_float32_matmul_precision(before)
