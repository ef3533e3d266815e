"""The engine: visits points of parameter space, and does at each only what differs from the last one.

Theta is written from the origin, never from the neighbouring point, so there is no drift and no order. What is the same
at every point, or read by nobody, is left out: see `shortcuts`.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial, reduce
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError
from . import bootstrap
from .forward import attempt, evaluating
from .fused import Fused, fusible
from .objective import Objective, statistics
from .precision import DTYPES, Rounds, check_precision
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
    entries = reduce(torch.logical_or, directions).nonzero()
    return slice(int(entries[0]), int(entries[-1]) + 1) if len(entries) else slice(0, 0)


def strides(shape: Sequence[int]) -> np.ndarray:
    """(points,): of each point of a grid, row by row, the largest power of two that divides all its indices."""
    indices = np.indices(tuple(shape)).reshape(len(shape), -1)  # (axes, points)
    return np.where(indices == 0, 1 << 30, indices & -indices).min(axis=0)


def coarse_first(shape: Sequence[int]) -> list[int]:
    """A grid's points in the order to visit them, so that a scan that is looked at halfway shows the whole: every
    2^k-th row and column, then every 2^(k-1)-th, down to all."""
    return np.argsort(-strides(shape), kind="stable").tolist()


@dataclass(frozen=True, eq=False)
class Walk:
    """Visits of points of a line or plane, of vectors (P,), for objectives on one model; it can be sent to a worker."""

    objectives: Sequence[Objective]
    origin: Tensor
    directions: Sequence[Tensor]
    cache_bytes: int = CACHE_BYTES
    draws: int = 0

    @property
    def device(self) -> torch.device:
        """Where the model is."""
        return self.objectives[0].device

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

    def visits(self, rounds: Rounds, precision: str) -> Generator[tuple[int, np.ndarray]]:
        """(index, row) of every point, one after the other; a row is float64, of each objective 4 + 2 draws numbers."""
        points = chain.from_iterable(rounds)
        for first in points:  # without any, the walk is not opened
            with self.open(precision) as walker:
                for i, point in chain([first], points):
                    yield i, walker(point).numpy().ravel()


class Walker:
    """A model on a walk: `walker(coordinates)` measures every objective there.

    The weights are rounded to `precision`, in which the forward pass is. A context manager: within it the weights are
    those of the point visited last; on leaving, also by an exception, the model is what it was.
    """

    def __init__(self, walk: Walk, precision: str):
        self.objectives, self.model = walk.objectives, walk.objectives[0].model
        self.space = ParameterSpace(self.model)
        device = self.space.device
        check_precision(precision, device.type)
        vectors = (walk.origin, *walk.directions)
        self.origin, *self.directions = (v.to(device, self.space.wide) for v in vectors)
        self.moving = moving(self.directions)
        self._shares = [bootstrap.draws(o.size, walk.draws).to(device) for o in self.objectives]
        self._replay = Replay(self.model, self.space, self.moving)
        dtype = self.origin.dtype if precision == "float32" else DTYPES[precision]
        with ExitStack() as stack:  # closed here if opening fails half-way
            stack.enter_context(evaluating(self.model))
            stack.enter_context(tf32(precision == "tf32"))
            self.buffer = stack.enter_context(self.space.attached(dtype))
            self.buffer.copy_(self.origin)
            if precision != "float32":
                self._within_memory(partial(self._try_precision, precision))
            self._fused = Fused(self.model, stack) if fusible(dtype, device) else None
            self._within_memory(partial(self._shorten, walk.cache_bytes, stack))
            self._stack = stack.pop_all()

    def __enter__(self) -> Walker:
        return self

    def __exit__(self, *exception) -> None:
        self._stack.close()

    def __call__(self, coordinates: Sequence[float]) -> Tensor:
        """(objectives, 4 + 2 draws) float64 on the CPU: a Measurement, the draws' losses and errors."""
        self.move(coordinates)
        return self._within_memory(self._measured)

    def _measured(self) -> Tensor:
        # the one synchronisation of a visit
        return torch.stack(list(map(self._measure, self.objectives, self._shares))).cpu()

    def _measure(self, objective: Objective, shares: Tensor) -> Tensor:
        outcomes = objective.outcomes(partial(self._replay.logits, objective.logits))
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

    def _try_precision(self, precision: str) -> None:
        """Refuse a precision that the model does not compute in: FNet's Fourier transform, say, has no bfloat16."""
        found = attempt(self.objectives[0].logits, self.objectives[0].batches[0])
        if isinstance(found, RuntimeError):
            kind, reason = type(self.model).__name__, str(found).splitlines()[0]
            raise UserError(f"{kind} does not compute in {precision} ({reason}); use float32")

    def _shorten(self, cache_bytes: int, stack: ExitStack) -> None:
        """Take the shortcuts that give the same logits: tried at the origin, and at a point off it."""
        batches = [(o.logits, batch) for o in self.objectives for batch in o.batches]
        longest = self.objectives[0].batches[-1]
        first_token_only(self.model, self.objectives[0].logits, longest, stack)
        if self._replay.below and cache_bytes:
            with threads_of_one(len(self.objectives[0].batches), self.space.device):
                self._replay.prepare(batches, cache_bytes, stack)
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
