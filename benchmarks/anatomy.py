"""What the engine's time and memory go into: writing theta, layers that stand still, long scans, vectors."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch

from landscape_utils.engine.objective import Objective, statistics
from landscape_utils.engine.precision import largest_difference
from landscape_utils.engine.space import ParameterSpace, layer_groups
from landscape_utils.engine.walker import Walker
from landscape_utils.landscape.scan import Plane

from .cases import Case
from .limit import counted, synchronize
from .race import walking

SHORT = 10  # points of the scan that a long one is compared with


@dataclass(frozen=True)
class Anatomy:
    """Measured of the engine in one precision.

    Attributes:
        operations: floating-point operations of the matrix products that a visit really does.
        writing, bookkeeping: shares of a visit: setting the weights; from the logits to the four numbers.
        groups: layer group -> (time of a visit, by that of one which replays nothing; largest difference of the loss).
        short, long: seconds a point, all included, of a walk of ten points and of one of `visits`.
        vectors: memory held during a walk beside model and examples, in vectors of the encoder's size.
    """

    operations: int
    writing: float
    bookkeeping: float
    groups: dict[str, tuple[float, float]]
    short: float
    long: float
    visits: int
    vectors: float


def dissect(case: Case, precision: str, rounds: int, visits: int) -> Anatomy:
    with walking(case, precision) as walker:
        visit = median_seconds(lambda: walker((1.0, 1.0)), rounds)
        operations = counted(lambda: walker((1.0, 1.0)))
        writing = median_seconds(partial(write, walker), 3 * rounds)
        bookkeeping = median_seconds(reduction(walker), 3 * rounds)
    short, long = (seconds_per_point(case, precision, points) for points in (SHORT, visits))
    return Anatomy(
        operations=operations,
        writing=writing / visit,
        bookkeeping=bookkeeping / visit,
        groups={group: replay(case, group, precision, rounds) for group in ("middle", "high")},
        short=short,
        long=long,
        visits=visits,
        vectors=vectors(case, precision),
    )


def median_seconds(work: Callable[[], object], rounds: int) -> float:
    work()
    times = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return float(np.median(times))


def write(walker: Walker) -> None:
    walker.move((1.0, 1.0))
    synchronize(walker.space.device)


def reduction(walker: Walker) -> Callable[[], object]:
    """From logits that are there already to the numbers of a point on the CPU."""
    objective = walker.objectives[0]
    logits = {batch: objective.logits(batch) for batch in objective.batches}
    return lambda: statistics(*objective.outcomes(logits.__getitem__)).cpu()


def replay(case: Case, group: str, precision: str, rounds: int) -> tuple[float, float]:
    """A scan of one layer group, as it is and with every layer computed at every point, in turns."""
    space = ParameterSpace(case.model)
    names = layer_groups(case.model)[group]
    x, y = (space.restrict(v, names) for v in case.plane.directions)
    case = replace(case, plane=Plane(case.plane.origin, x, y))
    with ExitStack() as stack:
        walkers = [stack.enter_context(walking(case, precision, cache_bytes=size)) for size in (None, 0)]
        seconds, losses = np.empty((2, rounds)), np.empty((2, rounds))
        for i in range(rounds):
            point = case.points[i % len(case.points)]
            for k, walker in enumerate(walkers):
                started = time.perf_counter()
                losses[k, i] = walker(point)[0, 0]
                seconds[k, i] = time.perf_counter() - started
    kept, computed = np.median(seconds, axis=1)
    return float(kept / computed), largest_difference(losses[0], losses[1])


def seconds_per_point(case: Case, precision: str, points: int) -> float:
    """Of a whole walk: what comes before the first point is shared among them."""
    objective = Objective(case.model, case.examples)
    started = time.perf_counter()
    with Walker([objective], case.plane.origin, case.plane.directions, precision) as walker:
        for alpha in np.linspace(-4, 4, points):
            walker((alpha, 1.0))
    return (time.perf_counter() - started) / points


def vectors(case: Case, precision: str) -> float:
    """Memory that a walk holds: origin and directions, and what is there during the walk and was not before."""
    objective = Objective(case.model, case.examples)
    before = storages()
    with Walker([objective], case.plane.origin, case.plane.directions, precision) as walker:
        walker((1.0, 1.0))
        added = storages()
        own = {v.untyped_storage().data_ptr() for v in (walker.origin, *walker.directions)}
    taken = sum(size for at, size in added.items() if at not in before or at in own)
    return taken / (4 * ParameterSpace(case.model).size)


def storages() -> dict[int, int]:
    """Where the memory of each living tensor is, and how many bytes."""
    tensors = [thing for thing in gc.get_objects() if issubclass(type(thing), torch.Tensor)]
    return {t.untyped_storage().data_ptr(): t.untyped_storage().nbytes() for t in tensors}
