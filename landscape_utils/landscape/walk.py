"""The geometry of a training, without any loss: how far and how straight it went, and which layers moved.

The cosine between a large part of a way and the whole is large for any walk: of independent steps of lengths l_t it is
sqrt(sum of l_t^2 of the part / sum of all l_t^2) in high dimension (Antognini and Sohl-Dickstein 2018).
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain, pairwise

import numpy as np
from numpy.typing import ArrayLike
from torch import Tensor, nn

from ..engine.space import ParameterSpace, layer_groups, length
from ..errors import UserError

QUARTER = 0.25  # of the steps: where trainings of any length are compared


@dataclass(frozen=True, eq=False)
class Walk:
    """Lengths and angles of a training's way from theta_0 to theta_1; arrays float64.

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


def walk(
    model: nn.Module,
    thetas: Iterable[Tensor],
    theta_1: Tensor,
    quarter: Tensor | None = None,
    delta_2: Tensor | None = None,
) -> Walk:
    """Measure a training's way to `theta_1`, of a model whose weights are not read; `thetas`: the epochs, (P,) each,
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
    try:
        groups = [[space.slices[name] for name in names] for names in layer_groups(model).values()]
    except UserError:
        groups = []
    moved, group_size = (
        np.array([math.hypot(*(length(vector[part]) for part in parts)) for parts in groups])
        for vector in (delta_1, theta_0)
    )
    return Walk(
        norm=norm,
        cosine=cosine,
        leg=np.array(legs),
        quarter=np.array(beside_delta_1(None if quarter is None else quarter - theta_0)),
        size=np.array([length(theta_0), length(theta_1)]),
        dimension=space.size,
        angle=beside_delta_1(delta_2)[1],
        moved=moved,
        group_size=group_size,
    )


def random_walk_cosine(step_lengths: ArrayLike, share: float = QUARTER) -> float:
    """The cosine expected after a share of a walk's independent steps of lengths, (S,), in this proportion: Adam's are
    as the learning rate of the schedule."""
    squares = np.square(np.asarray(step_lengths, dtype=float))
    taken = max(1, round(share * len(squares)))
    return float(np.sqrt(squares[:taken].sum() / squares.sum()))
