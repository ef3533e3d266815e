"""The loss on the way that a training took: along its epochs, along its first direction, between two of its ends."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
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
BARRIER = np.linspace(0.0, 1.0, 21)


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
    ray = first_ray(objective, theta_0, first, length(theta_1 - theta_0), **options)
    return Obstacles(polyline(objective, chain([theta_0, first], snapshots), **options), ray)


def straight_path(objective: Objective, theta_0: Tensor, theta_1: Tensor, **options: Any) -> Curve:
    """The curve on the straight line from start to end, (P,) each; `options`: of `scan`."""
    return scan(objective, Line(theta_0, theta_1 - theta_0), PATH, what="from start to end", **options)


def polyline(objective: Objective, thetas: Iterable[Tensor], points: int = LEG, **options: Any) -> Curve:
    """The curve along the legs between snapshots, `points` to each, which alpha counts; marks "start" and "end"."""
    shares, legs, alphas = np.arange(points + 1) / points, list[Curve](), list[np.ndarray]()
    for leg, (here, there) in enumerate(pairwise(thetas)):
        axis = shares[leg > 0 :]  # where the last one ended is known
        line = Line(here, there - here)
        legs.append(scan(objective, line, axis, marks={}, what=f"leg {leg + 1}", **options))
        alphas.append(leg + axis)
    names = (*Measurement._fields, "computed", "loss_bound")
    whole: dict[str, Any] = {name: np.concatenate([getattr(leg, name) for leg in legs]) for name in names}
    draws = np.concatenate([leg.draws for leg in legs], axis=2)  # (draws, 2, points)
    whole["alpha"] = np.concatenate(alphas)
    marks = {
        name: Mark(float(whole["alpha"][i]), 0.0, *(float(whole[field][i]) for field in Measurement._fields))
        for name, i in (("start", 0), ("end", -1))
    }
    return replace(
        legs[0],
        **whole,
        marks=marks,
        norm=sum(leg.norm for leg in legs),
        precision_error=max(leg.precision_error for leg in legs),
        draws=np.concatenate([draws, draws[..., [0, -1]]], axis=2),
    )


def first_ray(objective: Objective, theta_0: Tensor, first: Tensor, unit: float, **options: Any) -> Curve:
    """The curve from theta_0 through the weights after the first epoch, (P,); alpha in units of |delta_1|, `unit`."""
    step = length(first - theta_0)
    line = Line(theta_0, (first - theta_0) * (unit / step))
    marks = {"start": (0.0, 0.0), "first epoch": (step / unit, 0.0)}
    return scan(objective, line, RAY, marks=marks, what="along the first epoch", **options)


def barrier(
    objectives: Sequence[Objective], theta_a: Tensor, theta_b: Tensor, **options: Any
) -> tuple[Curve, ...]:
    """The curve of each objective on the straight line between two ends, (P,) each: alpha 0 and 1."""
    return scan(objectives, Line(theta_a, theta_b - theta_a), BARRIER, what="between the two ends", **options)
