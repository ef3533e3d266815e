"""The race: every contender visits the same points, in turns, with the machine's rate measured before each turn.

What slows the machine down for a while so slows down all of them, and shows in the rate.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from landscape_utils.engine.objective import Objective
from landscape_utils.engine.precision import Point, largest_difference
from landscape_utils.engine.walker import Walker
from landscape_utils.progress import bar

from .cases import Case
from .limit import Limit
from .rivals import PACKAGE, LossLandscapes, PlainLoop, installed

PACKAGE_ROUNDS = 3  # each is a plane of four points
Visit = Callable[[Point], float]


@dataclass
class Row:
    """A contender and what was measured of it.

    Attributes:
        seconds: of each visit; empty for one that could not run.
        losses: at the points of the visits.
        rates: operations a second of the machine's matrix products, before each visit.
        difference: of the loss, the largest from the engine's in float32.
        remark: what else there is to say.
    """

    name: str
    precision: str
    seconds: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)
    difference: float | None = None
    remark: str = ""

    @property
    def median(self) -> float:
        return float(np.median(self.seconds))

    def share(self, operations: float) -> float:
        """Of the limit: the seconds that the operations take at the machine's rate, by those that it took."""
        return operations / float(np.median(self.rates)) / self.median


@contextmanager
def walking(case: Case, precision: str, **settings) -> Iterator[Walker]:
    """The engine on a copy of the case's model: several walks at a time must not share their weights."""
    objective = Objective(copy.deepcopy(case.model), case.examples)
    with Walker([objective], case.plane.origin, case.plane.directions, precision, **settings) as walker:
        yield walker


def race(case: Case, precisions: tuple[str, ...], rounds: int) -> list[Row]:
    """The engine in each precision and the rivals in the first, at the case's points in turn."""
    limit = Limit(case.model, precisions)
    first, points = precisions[0], case.points
    rows = [Row("this engine", precision) for precision in precisions]
    rows += [Row("loop, dynamic padding", first), Row(f"loop, padded to {case.longest}", first)]
    package = Row(f"{PACKAGE} {installed() or ''}".strip(), first)
    with ExitStack() as stack:
        visits: list[Visit] = []
        for precision in precisions:
            walker = stack.enter_context(walking(case, precision))
            visits.append(partial(loss_at, walker))
        visits += [PlainLoop(case, None, first), PlainLoop(case, case.longest, first)]
        for visit in visits:
            visit(points[0])  # warms up
        rival = LossLandscapes(case, first) if installed() else None
        for i in bar(range(rounds), what="race", unit="round"):
            for row, visit in zip(rows, visits, strict=True):
                row.rates.append(limit.rate(row.precision))
                started = time.perf_counter()
                row.losses.append(visit(points[i % len(points)]))
                row.seconds.append(time.perf_counter() - started)
            if rival and i < PACKAGE_ROUNDS:
                package.rates.append(limit.rate(first))
                values, seconds = rival.plane()
                package.losses = values.ravel().tolist()
                package.seconds += seconds.tolist()
        exact = precisions.index("float32")
        for row in rows:
            row.difference = largest_difference(np.array(rows[exact].losses), np.array(row.losses))
        judge(package, rival, visits[exact])
    return [*rows, package]


def loss_at(walker: Walker, point: Point) -> float:
    return float(walker(point)[0, 0])


def judge(row: Row, rival: LossLandscapes | None, engine: Visit) -> None:
    """How far the package's values are from the loss at the points that it places them at."""
    if rival is None:
        row.remark = "not installed (it is in the extra `benchmark`)"
        return
    values = np.array(row.losses)
    loss = {point: engine(point) for point in (*rival.claimed(), *rival.visited())}
    row.difference = largest_difference(np.array([loss[p] for p in rival.claimed()]), values)
    visited = largest_difference(np.array([loss[p] for p in rival.visited()]), values)
    row.remark = (
        "values are placed one step beside the points where they were computed in half of the rows; "
        f"at the points where they were computed they differ by {visited:.1e}"
    )
