"""The loss on the way that a training took: along its epochs, along its first direction, between two of its ends."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, islice, pairwise
from typing import Any

import numpy as np
from torch import Tensor

from ..engine.objective import Measurement, Objective
from ..engine.space import Line, length
from .scan import Curve, Mark, scan

LEG = 4  # points of each epoch's leg
PATH = np.linspace(0.0, 1.0, 41)  # of the straight way from start to end
RAY = np.linspace(0.0, 2.0, 41)  # in |delta_1|
BARRIER = np.linspace(0.0, 1.0, 21)  # of the straight way between two ends


@dataclass(frozen=True, eq=False)
class Obstacles:
    """What stands in a training's way."""

    # along the straight legs from epoch to epoch, which alpha counts, of `norm` together; marks "start" and "end"
    path: Curve
    # from theta_0 along the first epoch's direction, alpha in |delta_1|; marks "start" and "first epoch"
    ray: Curve


def obstacles(objective: Objective, thetas: Iterable[Tensor], theta_1: Tensor, **options: Any) -> Obstacles:
    """The path and the first ray of a training; `thetas`, (P,) each, are its epochs, two or more, the start first,
    two in memory at a time; `options`: of `scan`."""
    snapshots = iter(thetas)
    theta_0, first = islice(snapshots, 2)
    unit, step = length(theta_1 - theta_0), length(first - theta_0)
    marks = {"start": (0.0, 0.0), "first epoch": (step / unit, 0.0)}
    along = Line(theta_0, (first - theta_0) * (unit / step))
    ray = scan(objective, along, RAY, marks=marks, what="along the first epoch", **options)
    del along  # a vector less in memory
    return Obstacles(polyline(objective, chain([theta_0, first], snapshots), **options), ray)


def polyline(objective: Objective, thetas: Iterable[Tensor], **options: Any) -> Curve:
    """The curve along the legs between snapshots, `LEG` points to each, which alpha counts; marks "start" and "end"."""
    legs: list[Curve] = []
    for i, (here, there) in enumerate(pairwise(thetas)):
        shares = np.arange(min(i, 1), LEG + 1) / LEG  # where the last one ended is known
        line = Line(here, there - here)
        legs.append(scan(objective, line, shares, marks={}, what=f"leg {i + 1}", **options))
    alpha = np.concatenate([i + leg.alpha for i, leg in enumerate(legs)])
    draws = np.concatenate([leg.draws for leg in legs], axis=2)  # (draws, 2, points)
    values: dict[str, Any] = {
        name: np.concatenate([getattr(leg, name) for leg in legs]) for name in Measurement._fields
    }
    start, end = (Mark(float(alpha[i]), 0.0, *(float(v[i]) for v in values.values())) for i in (0, -1))
    return Curve(
        **values,
        alpha=alpha,
        marks={"start": start, "end": end},
        examples=objective.size,
        norm=sum(leg.norm for leg in legs),
        precision=legs[0].precision,
        precision_error=max(leg.precision_error for leg in legs),
        draws=np.concatenate([draws, draws[..., [0, -1]]], axis=2),
    )


def straight_path(
    objective: Objective | Sequence[Objective], start: Tensor, end: Tensor, shares=PATH, **options: Any
) -> Any:
    """The curve, or curves, on the straight line from start to end, (P,) each, alpha 0 and 1; `options`: of `scan`."""
    return scan(objective, Line(start, end - start), shares, what="from start to end", **options)
