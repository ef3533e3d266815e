"""Measures of what stands in a training's way: on the straight line, from epoch to epoch, between two ends."""

from __future__ import annotations

import numpy as np

from ..landscape import flatness
from ..landscape.flatness import versions
from ..landscape.scan import Curve
from .intervals import LeftOut, Reading, drawn, exact, minus, within
from .measure import overfitted, reads
from .subject import FINE_TUNED, WAYS, Subject, guessing


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
    rise = flatness.largest_rise(loss[:, between])
    return 100 * within(rise, 2 * curve.precision_error) / descent(curve)


def against(curve: Curve, at_most: float | None = None, more_than: float | None = None) -> Reading:
    """The largest rise, of which the paper's sentence says that it is at most so much, or more than that."""
    share = rise_share(curve)
    return drawn([share[0, 0]], share - more_than if at_most is None else minus(at_most, share))


@reads("path", fitted=True)
def rise_on_line(study: Subject, task: str, seed: int, how: str, **limit: float) -> Reading:
    return against(study.path(task, how, seed), **limit)


@reads("obstacles", fitted=True)
def rise_on_legs(study: Subject, task: str, seed: int, how: str, **limit: float) -> Reading:
    return against(study.obstacles(task, how, seed).path, **limit)


@reads("path", fitted=True)
def rougher(study: Subject, task: str, seed: int) -> Reading:
    scratch, tuned = (rise_share(study.path(task, how, seed)) for how in WAYS)
    return drawn([scratch[0, 0], tuned[0, 0]], minus(scratch, tuned))


@reads("obstacles", ways=FINE_TUNED, fitted=True)
def first_direction(study: Subject, task: str, seed: int, more_than: float | None = None) -> Reading:
    """Against a share of the descent; by default against the descent of the first epoch."""
    found = study.obstacles(task, "pretrained", seed)
    start, whole, ray = versions(found.path).mark_loss["start"], descent(found.path), versions(found.ray)
    share = 100 * (start - np.fmin.reduce(ray.loss, axis=1)) / whole
    first = 100 * (start - ray.mark_loss["first epoch"]) / whole
    return drawn([first[0], share[0]], share - (first if more_than is None else more_than))


@reads("barrier", ways=FINE_TUNED, fitted=True, tasks=overfitted)
def barrier(study: Subject, task: str, seed: int, at_most: float) -> Reading:
    curve = study.barrier(task, seed=seed)
    alpha, loss = flatness.losses_along(curve)
    before, after = (versions(curve).mark_loss[name] for name in ("start", "end"))  # (V,)
    height = (loss - before[:, None] * (1 - alpha) - after[:, None] * alpha).max(axis=1)
    share = 100 * within(height, 2 * curve.precision_error) / (guessing(study, task) - before)
    return drawn([share[0, 0]], minus(at_most, share))


@reads("barrier", "path", ways=FINE_TUNED, tasks=overfitted)
def distance_gone(study: Subject, task: str, seed: int, at_most: float) -> Reading:
    gone = study.barrier(task, seed=seed).norm / study.path(task, "pretrained", seed).norm
    return exact((gone,), at_most - gone)
