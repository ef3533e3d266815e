"""Measures of what stands in a training's way: on the straight line, from epoch to epoch, between two ends."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..landscape import flatness
from ..landscape.flatness import versions
from ..landscape.scan import Curve
from .evidence import Measure, both, measures
from .intervals import LeftOut, Reading, drawn, exact
from .subject import WAYS, Subject, guessing
from .trainings import require_fitted

RISE = 5.0  # % of the descent from start to end: what counts as an obstacle
LIMIT = f"{RISE:g} %"


def descent(curve: Curve) -> np.ndarray:
    """(V,): from the loss at the start down to that at the end."""
    ends = versions(curve).mark_loss
    found = ends["start"] - ends["end"]
    if not (found > 0).all():
        raise LeftOut("the training loss is not lower at the end than at the start")
    return found


def rise_share(curve: Curve) -> np.ndarray:
    """(3, V): the largest rise from start to end, in % of the descent, and between what rounding leaves it."""
    alpha, loss = flatness.losses_along(curve)
    between = (alpha >= curve.marks["start"].alpha) & (alpha <= curve.marks["end"].alpha)
    rise, slack = flatness.largest_rise(loss[:, between]), 2 * curve.precision_error
    return 100 * np.stack([rise, rise - slack, rise + slack]) / descent(curve)


def _rise(kind: str, how: str, sign: int, study: Subject, task: str, seed: int) -> Reading:
    require_fitted(study, task, seed, how)
    found = getattr(study, kind)(task, how, seed)
    share = rise_share(found if kind == "path" else found.path)
    effect = share - RISE
    return drawn([share[0, 0]], effect if sign > 0 else -effect[[0, 2, 1]])


LARGEST = (
    "Largest rise of the training loss above an earlier value, {}, in % of the descent from start to end."
)
WHERE = {
    "path": "on the straight line from start to end",
    "obstacles": "on the straight legs from epoch to epoch",
}


def rise(kind: str, how: str, sign: int, **rest: Any) -> Measure:
    """A measure of the largest rise; sign 1: the paper says that there is one, -1: that there is none."""
    side = "from scratch" if how == "scratch" else "fine-tuned"
    effect = f"the rise minus {LIMIT}" if sign > 0 else f"{LIMIT} minus the rise"
    needs = ((kind, how), ("run", how))
    return Measure(
        LARGEST.format(f"{WHERE[kind]}, {side}"),
        effect,
        partial(_rise, kind, how, sign),
        needs,
        (side,),
        **rest,
    )


smooth, rough = rise("path", "pretrained", -1), rise("path", "scratch", 1)
unimpeded = rise("obstacles", "pretrained", -1)
crosses = rise("obstacles", "scratch", 1, tasks=lambda study: [t for t in study.tasks if t == "mrpc"])
crosses_elsewhere = rise(
    "obstacles", "scratch", 1, tasks=lambda study: [t for t in study.tasks if t != "mrpc"]
)


@measures(LARGEST.format(WHERE["path"]), "from scratch minus fine-tuned", *both("path"), *both("run"))
def rougher(study: Subject, task: str, seed: int) -> Reading:
    require_fitted(study, task, seed, *WAYS)
    scratch, tuned = (rise_share(study.path(task, how, seed)) for how in WAYS)
    return drawn([scratch[0, 0], tuned[0, 0]], scratch - tuned[[0, 2, 1]])


def _first_direction(beyond: bool, study: Subject, task: str, seed: int) -> Reading:
    require_fitted(study, task, seed, "pretrained")
    found = study.obstacles(task, "pretrained", seed)
    start, whole, ray = versions(found.path).mark_loss["start"], descent(found.path), versions(found.ray)
    share = 100 * (start - np.fmin.reduce(ray.loss, axis=1)) / whole
    first = 100 * (start - ray.mark_loss["first epoch"]) / whole
    return drawn([first[0], share[0]], share - (first if beyond else 50))


first_direction, beyond_first_epoch = (
    Measure(
        "Descent of the training loss after the first epoch, and down to the lowest point along its direction, in % of "
        "the descent from start to end, fine-tuned.",
        effect,
        partial(_first_direction, beyond),
        (("obstacles", "pretrained"), ("run", "pretrained")),
        ("after one epoch", "along its direction"),
    )
    for beyond, effect in (
        (False, "the descent along the direction minus half of the whole"),
        (True, "what going on in the direction adds to the first epoch"),
    )
)
FURTHER: dict[str, Any] = {"tasks": lambda study: (study.overfit_task,)}


@measures(
    "On the straight line between the weights before and after the further epochs: the largest height of the training "
    "loss above the line between its two ends, in % of what had been learned before.",
    f"{LIMIT} minus that height: positive if both lie in one basin",
    ("barrier", "pretrained"),
    ("run", "pretrained"),
    sides=("height",),
    **FURTHER,
)
def basin(study: Subject, task: str, seed: int) -> Reading:
    require_fitted(study, task, seed, "pretrained")
    curve = study.barrier(task, seed=seed)
    alpha, loss = flatness.losses_along(curve)
    before, after = (versions(curve).mark_loss[name] for name in ("start", "end"))  # (V,)
    height = (loss - before[:, None] * (1 - alpha) - after[:, None] * alpha).max(axis=1)
    slack = 2 * curve.precision_error
    share = 100 * np.stack([height, height + slack, height - slack]) / (guessing(study, task) - before)
    return drawn([share[0, 0]], RISE - share)


@measures(
    "Distance between the weights before and after the further epochs, in units of |δ₁| of the first ones. A random "
    "walk goes twice as far in four times the epochs.",
    "1 minus that distance: positive if the further epochs went less far than the first",
    ("barrier", "pretrained"),
    ("path", "pretrained"),
    sides=("distance",),
    **FURTHER,
)
def distance_gone(study: Subject, task: str, seed: int) -> Reading:
    gone = study.barrier(task, seed=seed).norm / study.path(task, "pretrained", seed).norm
    return exact((gone,), 1 - gone)
