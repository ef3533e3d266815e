"""The path that a training took: how far and how straight it went, which layers moved, and the loss along it.

The cosine between a large part of a path and the whole is large for any walk: of independent steps of lengths l_t it is
sqrt(sum of l_t^2 of the part / sum of all l_t^2) in high dimension (Antognini and Sohl-Dickstein 2018).
"""

import math
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain, islice, pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor, nn

from ..engine.objective import Objective
from ..engine.space import Line, ParameterSpace, layer_groups, length
from ..errors import UserError
from .scan import Curve, assemble, passable, scan

QUARTER = 0.25  # of the steps: where trainings of any length are compared
LEG = 4  # points of each epoch's leg
PATH = np.linspace(0.0, 1.0, 41)  # of the straight way from start to end
RAY = np.linspace(0.0, 2.0, 41)  # in |delta_1|
BARRIER = np.linspace(0.0, 1.0, 21)  # of the straight way between two ends


@dataclass(frozen=True, eq=False)
class TrainingPath:
    """Lengths and angles of a training's path from theta_0 to theta_1, without any loss; arrays float64.

    Attributes:
        norm, cosine: (E + 1,) of the displacement after each epoch, the start first: its length, and the cosine of its
            angle with delta_1 (NaN at the start).
        leg: (E,) distance between one epoch and the next.
        quarter: length and cosine of the displacement after a quarter of the steps; NaN if no weights were kept there.
        size, dimension: |theta_0| and |theta_1|; P.
        angle: cosine of delta_1 and delta_2; NaN without a delta_2.
        moved, group_size: |delta_1^G| and |theta_0^G| of the low, middle and high layers; empty without groups.
    """

    norm: np.ndarray
    cosine: np.ndarray
    leg: np.ndarray
    quarter: np.ndarray
    size: np.ndarray
    dimension: int
    angle: float
    moved: np.ndarray
    group_size: np.ndarray


def training_path(
    model: nn.Module,
    thetas: Iterable[Tensor],
    theta_1: Tensor,
    quarter: Tensor | None,
    delta_2: Tensor | None,
) -> TrainingPath:
    """Measure a training's path to `theta_1`, of a model whose weights are not read; `thetas`: the epochs, (P,) each,
    the start first, two in memory at a time; `quarter`: the weights after a quarter of the steps."""
    space, snapshots = ParameterSpace(model), iter(thetas)
    theta_0 = next(snapshots)
    delta_1 = theta_1 - theta_0

    def beside_delta_1(vector: Tensor | None) -> tuple[float, float]:
        if vector is None:
            return math.nan, math.nan
        product = length(vector) * length(delta_1)
        return length(vector), float(vector.double() @ delta_1.double()) / product if product else math.nan

    rows, legs = [(0.0, math.nan)], []
    for here, there in pairwise(chain([theta_0], snapshots)):
        rows.append(beside_delta_1(there - theta_0))
        legs.append(length(there - here))
    norm, cosine = np.array(rows).T
    groups: list[list[slice]] = []
    with suppress(UserError):  # of layers that have no groups
        groups = [[space.slices[name] for name in names] for names in layer_groups(model).values()]
    moved, group_size = (
        np.array([math.hypot(*(length(vector[part]) for part in parts)) for parts in groups])
        for vector in (delta_1, theta_0)
    )
    early = np.array(beside_delta_1(None if quarter is None else quarter - theta_0))
    _, angle = beside_delta_1(delta_2)
    size = np.array([length(theta_0), length(theta_1)])
    return TrainingPath(norm, cosine, np.array(legs), early, size, space.size, angle, moved, group_size)


def random_walk_cosine(step_lengths: ArrayLike, share: float = QUARTER) -> float:
    """The cosine expected after a share of a walk's independent steps of lengths, (S,), in this proportion: Adam's are
    as the learning rate of the schedule."""
    squares = np.square(np.asarray(step_lengths, dtype=float))
    taken = max(1, round(share * len(squares)))
    return float(np.sqrt(squares[:taken].sum() / squares.sum()))


@dataclass(frozen=True, eq=False)
class Obstacles:
    """What stands in a training's way."""

    # along the straight legs from epoch to epoch, which alpha counts, of `norm` together; marks "start" and "end"
    path: Curve
    # from theta_0 along the first epoch's direction, alpha in |delta_1|; marks "start" and "first epoch"
    ray: Curve


def obstacles(objective: Objective, thetas: Iterable[Tensor], theta_1: Tensor, **options: Any) -> Obstacles:
    """The loss along the path and the first ray of a training; `thetas`, (P,) each, are its epochs, two or more, the
    start first, two in memory at a time; `options`: of `scan`."""
    snapshots = iter(thetas)
    theta_0, first = islice(snapshots, 2)
    unit, step = length(theta_1 - theta_0), length(first - theta_0)
    if not step:
        raise UserError("the first epoch moved no weight: it has no direction; leave its checkpoint out")
    marks = {"start": (0.0, 0.0), "first epoch": (step / unit, 0.0)}
    along = Line(theta_0, (first - theta_0) * (unit / step))
    ray = scan(objective, along, RAY, marks=marks, what="along the first epoch", **options)
    del along  # a vector less in memory
    return Obstacles(polyline(objective, chain([theta_0, first], snapshots), **options), ray)


def polyline(objective: Objective, thetas: Iterable[Tensor], **options: Any) -> Curve:
    """The curve along the legs between snapshots, `LEG` points to each, which alpha counts; marks "start" and "end"."""
    legs: list[Curve] = []
    norm = 0.0
    alpha: list[float] = []
    values: list[np.ndarray] = []
    for i, (here, there) in enumerate(pairwise(thetas)):
        shares = np.arange(min(i, 1), LEG + 1) / LEG  # where the last one ended is known
        step, rows = there - here, dict[int, np.ndarray]()
        direction, at = passable(step, shares)
        line = Line(here, direction)
        legs.append(scan(objective, line, at, marks={}, journal=rows, what=f"leg {i + 1}", **options))
        norm += length(step)
        alpha.extend((i + shares).tolist())
        values.extend(rows[k] for k in range(len(shares)))
    places = {"start": alpha[:1], "end": alpha[-1:]}
    told = {"precision": legs[0].precision, "precision_error": max(leg.precision_error for leg in legs)}
    table = np.array([*values, values[0], values[-1]])
    curve = assemble(line, [np.array(alpha)], places, table, examples=objective.size, **told)
    return replace(curve, norm=norm)
