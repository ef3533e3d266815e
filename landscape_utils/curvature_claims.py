"""The claim that fine-tuned optima are flatter, in all directions of the space of weights at once.

No plane is chosen here, so none can flatter one side. What still depends on a choice is the unit of length, as with
widths: each measure comes in steps of a training's own, in distance between weights, or with each weight's own size
for its unit, and only the last is nearly the same for all networks that compute the same function (Dinh et al. 2017).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .curvature import ADAPTIVE, ETA, RADIUS, SHARE, STEPS, Curvature
from .weighing import WAYS, Claim, Evidence, Z, claim, of_fitted, over_seeds

if TYPE_CHECKING:
    from .study import Study

# A value, its standard error over the examples, and whether it is the whole, not only a bound from below.
Measured = tuple[float, float, bool]
EIGENVALUE_UNITS = {
    "alpha": "times |δ₁|²: how the loss bends in α along a step as long as the training's own, in nats",
    "distance": "in nats per squared distance between weights",
}
BALLS = {
    "alpha": f"{SHARE:g} of each training's own |δ₁|, in any direction",
    "distance": f"a distance of {RADIUS:g} between weights, the same for both, in any direction",
    "adaptive": f"a distance of {ADAPTIVE:g} in which each weight's change is divided by its size plus {ETA:g} "
    "(adaptive sharpness, Kwon et al., 2021)",
}


def smaller_eigenvalue(study: Study, name: str, unit: str) -> Claim:
    def eigenvalue(found: Curvature) -> Measured:
        square = found.norm**2 if unit == "alpha" else 1.0
        return found.spectrum.eigenvalues[0] * square, found.spectrum.stderr[0] * square, True

    measure = (
        "Largest eigenvalue of the Hessian of the training loss at the end, over all the encoder's weights, "
        f"{EIGENVALUE_UNITS[unit]}. Effect: log2 of scratch over fine-tuning, so that 1 is twice as sharp."
    )
    return claim(name, measure, *of_fitted(study, lambda task: sharper(study, task, eigenvalue)))


def smaller_rise(study: Study, name: str, ball: str) -> Claim:
    def rise(found: Curvature) -> Measured:
        return found.balls[ball].rise, found.balls[ball].stderr, found.balls[ball].settled

    measure = (
        f"Sharpness: the most that the training loss rises within {BALLS[ball]}; in nats, by gradient ascent, "
        f"and so a lower bound; one that still gains after {STEPS} steps bounds the effect on one side only. "
        "Effect: log2 of scratch over fine-tuning."
    )
    return claim(name, measure, *of_fitted(study, lambda task: sharper(study, task, rise)))


def sharper(study: Study, task: str, measure: Callable[[Curvature], Measured]) -> Evidence:
    """How many times as sharp the end from scratch is, in log2; its error is that of the values to first order."""
    values, errors, whole = np.transpose([measure(study.curvature(task, how)) for how in WAYS])
    with np.errstate(divide="ignore", invalid="ignore"):
        effect = -np.diff(np.log2(values))
        half_width = Z * np.hypot(*(errors / values)) / np.log(2)
    found = over_seeds(task, values[:1], values[1:], effect, float(half_width))
    return replace(found, low=found.low if whole[1] else -np.inf, high=found.high if whole[0] else np.inf)
