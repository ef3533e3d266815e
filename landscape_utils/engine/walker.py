"""The engine: visits points of parameter space, and does at each only what differs from the last one.

Theta is written from the origin, never from the neighbouring point, so there is no drift and no order. What is the same
at every point, or read by nobody, is left out: see `shortcuts`.
"""

import copy
import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial, reduce
from itertools import chain
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from ..errors import UserError
from .forward import attempt, evaluating, logits_of, products_in, threads_of_one
from .objective import Objective, bootstrap_draws, bootstrap_means, statistics
from .precision import DTYPES, Rounds, check_precision, cpu_computes_in
from .shortcuts import Fused, Replay, first_token_only
from .space import ParameterSpace

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


def strides(shape: Sequence[int]) -> np.ndarray:
    """(points,): of each point of a grid, row by row, the largest power of two that divides all its indices."""
    indices = np.indices(tuple(shape)).reshape(len(shape), -1)  # (axes, points)
    return np.where(indices == 0, 1 << 30, indices & -indices).min(axis=0)


def coarse_first(shape: Sequence[int]) -> list[int]:
    """A grid's points in the order to visit them: first every 2^k-th row and column, to show the whole early."""
    return np.argsort(-strides(shape), kind="stable").tolist()


@dataclass(frozen=True, eq=False)
class Walk:
    """Visits of points of a line or plane, of vectors (P,), for objectives on one model; it can be sent to a worker."""

    objectives: Sequence[Objective]
    origin: Tensor
    directions: Sequence[Tensor]
    draws: int = 0

    @contextmanager
    def open(self, precision: str = "float32") -> Iterator["Evaluator"]:
        """What measures the walk's points; on leaving, also by an exception, the model is what it was."""
        with ExitStack() as stack:
            yield Evaluator(self, precision, stack)

    def to(self, device: str | torch.device) -> Self:
        """The same walk on `device`, with copies of the model and its examples."""
        objectives = copy.deepcopy(self.objectives)
        for objective in objectives:
            objective.to(device)
        directions = [vector.to(device) for vector in self.directions]
        return replace(self, objectives=objectives, origin=self.origin.to(device), directions=directions)

    def visits(self, rounds: Rounds, precision: str) -> Generator[tuple[int, np.ndarray]]:
        """(index, row) of every point, one after the other; a row is float64, of each objective 4 + 2 draws numbers."""
        points = chain.from_iterable(rounds)
        for first in points:  # without any, the walk is not opened
            with self.open(precision) as evaluate:
                for i, point in chain([first], points):
                    yield i, evaluate(point).numpy().ravel()


class Evaluator:
    """A model on a walk: `evaluator(coordinates)` measures every objective there. Until `stack` is closed, the weights
    are those of the point visited last, rounded to `precision`, in which the forward pass is."""

    def __init__(self, walk: Walk, precision: str, stack: ExitStack):
        self.objectives, self.model = walk.objectives, walk.objectives[0].model
        self.space = ParameterSpace(self.model)
        device = self.space.device
        check_precision(precision, device.type)
        vectors = (walk.origin, *walk.directions)
        self.origin, *self.directions = (v.to(device, self.space.wide) for v in vectors)
        # the shortest range outside which every direction is zero
        first, last = reduce(torch.logical_or, self.directions).nonzero()[[0, -1], 0].tolist()
        self.moving = slice(first, last + 1)
        self._shares = [bootstrap_draws(o.size, walk.draws).to(device) for o in self.objectives]
        self._replay = Replay(self.model, self.space, self.moving)
        dtype = self.origin.dtype if precision == "float32" else DTYPES[precision]
        stack.enter_context(evaluating(self.model))
        if precision == "tf32":
            stack.enter_context(products_in("high"))
        self.buffer = stack.enter_context(self.space.attached(dtype))
        self.buffer.copy_(self.origin)
        if precision != "float32":
            self._within_memory(partial(self._try_precision, precision))
        fusible = dtype == torch.bfloat16 and device.type == "cpu" and cpu_computes_in("bfloat16")
        self._fused = Fused(self.model, stack) if fusible else None
        self._within_memory(partial(self._shorten, stack))

    def __call__(self, coordinates: Sequence[float]) -> Tensor:
        """(objectives, 4 + 2 draws) float64 on the CPU: a Measurement, the draws' losses and errors."""
        self.move(coordinates)
        return self._within_memory(self._measured)

    def _measured(self) -> Tensor:
        rows = []
        for objective, shares in zip(self.objectives, self._shares, strict=True):
            outcomes = objective.outcomes(self._replay.logits)
            rows.append(torch.cat([statistics(*outcomes), bootstrap_means(*outcomes, shares)]))
        return torch.stack(rows).cpu()  # the one synchronisation of a visit

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
            if all(len(batch.labels) == 1 for o in self.objectives for batch in o.batches):
                with_one = f"out of memory on {self.space.device} with one example at a time"
                raise UserError(f"{with_one}; use a larger device") from None
            for objective in self.objectives:
                objective.halve()
            logger.warning("out of memory on %s: batches are halved", self.space.device)
        return self._within_memory(function)

    def _try_precision(self, precision: str) -> None:
        """Refuse a precision that the model does not compute in: FNet's Fourier transform, say, has no bfloat16."""
        found = attempt(logits_of, self.model, self.objectives[0].batches[0].inputs)
        if isinstance(found, RuntimeError):
            kind, reason = type(self.model).__name__, str(found).splitlines()[0]
            raise UserError(f"{kind} does not compute in {precision} ({reason}); use float32")

    def _shorten(self, stack: ExitStack) -> None:
        """Take the shortcuts that give the same logits: tried at the origin, and at a point off it."""
        first, none = self.objectives[0].batches, [0.0] * len(self.directions)
        first_token_only(self.model, first[-1], map(self.move, ([1.0] * len(none), none)), stack)
        self.move(none)
        if self._replay.below:
            with threads_of_one(len(first), self.space.device):
                self._replay.prepare([b for o in self.objectives for b in o.batches], CACHE_BYTES, stack)
                self.move([1.0] * len(self.directions))
                self._replay.verify()
