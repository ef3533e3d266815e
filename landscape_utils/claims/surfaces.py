"""Measures of the surroundings of an end: how wide and flat they are, and whether training loss and dev error agree.

Two trainings are compared at one level of the loss, half-way between guessing and the higher of their two ends: one
that ended lower is not given a lower rim.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..landscape import flatness
from ..landscape.directions import RandomDirections
from ..landscape.flatness import Extent, versions
from ..landscape.scan import Surface
from .evidence import EVERY, Measure, both, measures
from .intervals import LeftOut, Reading, Z, drawn
from .subject import TRAININGS, WAYS, Subject, guessing
from .trainings import require_fitted

RADIUS = 2.0  # in alpha: what is near the end
LARGE, SMALL = ("mnli", "sst2"), ("rte", "mrpc")  # data sets, as the paper calls them
Sizes = Callable[[np.ndarray], Extent]  # of a level of the loss, (V,)


def slack(scan: Any, level: np.ndarray) -> float:
    """How far losses up to a level may be off by rounding, and by interpolation where points are interpolated."""
    bound = getattr(scan, "loss_bound", np.zeros(1))
    reached = bound[scan.loss - bound <= level.max()] if bound.any() else bound
    return 2 * scan.precision_error + float(reached.max(initial=0.0))


def bounds(sizes: Sizes, level: np.ndarray, off: float, least: float = 0.0) -> np.ndarray:
    """(3, V): a size at a level of the loss, and between which two sizes errors, edges and the grid leave it.

    `off` is how far the losses may be off. What is below `least`, which the grid cannot tell, may be down to 0.
    """
    size, low, high = (sizes(level + shift) for shift in (0.0, -off, off))
    lowest = np.where(size.size < least, 0.0, low.size)
    return np.stack(
        [np.maximum(size.size, least), lowest, np.where(high.bounded, np.maximum(high.size, least), np.inf)]
    )


def ratio(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    """(3, V): log2 of second over first, two results of `bounds`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log2(second) - np.log2(first[[0, 2, 1]])


def cell(surface: Surface) -> float:
    """The area of a cell of the grid."""
    return float(np.ptp(surface.alpha) * np.ptp(surface.beta) / np.prod(np.subtract(surface.loss.shape, 1)))


def mean_over_directions(found: RandomDirections) -> tuple[np.ndarray, np.ndarray]:
    """The end's loss, (V,), and the mean over the directions at each radius, (V, R).

    The first row is the scan's own. The others draw examples, and directions too.
    """
    count, losses = len(found.loss), found.draws[:, 1:].astype(float).reshape(-1, *found.loss.shape)
    shares = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=len(losses)) / count
    mean = np.concatenate([found.loss.mean(axis=0)[None], np.einsum("vd,vdr->vr", shares, losses)])
    return np.concatenate([[found.end], found.draws[:, 0].astype(float)]), mean


def radius_below(found: RandomDirections) -> Sizes:
    """The radius, (V,), at which the mean loss over the directions first exceeds a level."""
    end, mean = mean_over_directions(found)
    radius, loss = np.append(0.0, found.radius), np.concatenate([end[:, None], mean], axis=1)
    return partial(flatness.reach, radius, loss)


def _wider(kind: str, power: int, study: Subject, task: str, seed: int) -> Reading:
    require_fitted(study, task, seed, *WAYS)
    scans = [getattr(study, kind)(task, how, seed=seed) for how in WAYS]
    if kind == "random_directions":
        ends, sizes, least = (
            [mean_over_directions(s)[0] for s in scans],
            [radius_below(s) for s in scans],
            [0.0, 0.0],
        )
    else:
        ends = [versions(s).mark_loss["end"] for s in scans]
        plane = kind == "surface"
        sizes = [flatness.region_around(s) if plane else partial(flatness.width_below, s) for s in scans]
        least = [cell(s) if plane else 0.0 for s in scans]
    level = (guessing(study, task) + np.maximum(*ends)) / 2
    found = [
        bounds(size, level, slack(scan, level), smallest) * (scan.norm**power if power else 1)
        for scan, size, smallest in zip(scans, sizes, least, strict=True)
    ]
    return drawn([size[0, 0] for size in found], ratio(found[1], found[0]))


def wider(kind: str, what: str, power: int = 0) -> Measure:
    """A measure of the sizes of two optima; a `power` of |δ₁| turns steps of each training into distances."""
    rim = (
        "The region ends where the training loss exceeds one level for both trainings, half-way between guessing and "
        "the higher of their two ends."
    )
    effect = "logarithm to base 2 of fine-tuned over from scratch: 1 is twice as large"
    return Measure(f"{what} {rim}", effect, partial(_wider, kind, power), (*both(kind), *both("run")))


wider_area = wider("surface", "Area of the region seen from the end, in the plane as drawn, α times β.")
wider_area_distance = wider(
    "surface", "Area of the region seen from the end, in squared distance between weights.", 2
)
wider_line = wider("curve", "Width of the region around the end on the line through start and end, in α.")
wider_line_distance = wider(
    "curve", "Width of the region around the end on that line, in distance between weights.", 1
)
flatter = wider(
    "random_directions",
    "Distance from the end along random directions, each row of a weight matrix moved by the same share of its own "
    "norm, as that share; the loss is the mean over the directions.",
)


@measures(
    "Area of the region seen from the end, in the plane as drawn, α times β, on the surface of the dev error. The "
    "region ends where the error exceeds one level for both trainings, half-way between the error of the largest class "
    "and the higher of their two ends.",
    "logarithm to base 2 of fine-tuned over from scratch: 1 is twice as large",
    *both("surface"),
    *both("run"),
)
def wider_error(study: Subject, task: str, seed: int) -> Reading:
    facts = study.facts(task)
    for how in WAYS:
        accuracy = float(study.run(task, how, seed).dev_accuracy[-1])
        if accuracy - facts["majority"] < Z * np.sqrt(accuracy * (1 - accuracy) / facts["dev_examples"]):
            raise LeftOut(f"{TRAININGS[how]} is no better on the dev set than the largest class")
    pair = [study.surface(task, how, "dev", seed=seed) for how in WAYS]
    level = (1 - facts["majority"] + np.maximum(*(versions(s).mark_error["end"] for s in pair))) / 2
    found = [bounds(flatness.region_around(s, of="error"), level, 0.0, cell(s)) for s in pair]
    return drawn([size[0, 0] for size in found], ratio(found[1], found[0]))


def agreement(study: Subject, task: str, how: str, seed: int, given_distance: bool = True) -> np.ndarray:
    """(V,): rank correlation of training loss and dev error near the end, the distance from it held fixed if asked.

    The draws' losses carry random errors of the size of rounding and interpolation.
    """
    train, dev = (study.surface(task, how, split, seed=seed) for split in ("train", "dev"))
    where = flatness.near(train, RADIUS)
    loss, error = versions(train).loss[:, where], versions(dev).error[:, where]
    off = train.precision_error + np.broadcast_to(getattr(train, "loss_bound", 0.0), where.shape)[where]
    loss[1:] += off * np.random.default_rng(0).uniform(-1, 1, loss[1:].shape)
    loss, error = np.where(np.isfinite(loss), loss, flatness.HIGH), np.where(np.isfinite(error), error, 1.0)
    distance = flatness.distance_from(train)[where] * given_distance
    found = flatness.partial_rank_correlation(loss, error, distance)
    if np.isnan(found[0]):
        raise LeftOut(f"the dev error of {TRAININGS[how]} is the same at all points")
    return np.where(np.isnan(found), 0.0, found)


def _agree(given_distance: bool, study: Subject, task: str, seed: int) -> Reading:
    found = agreement(study, task, "pretrained", seed, given_distance)
    return drawn([found[0]], found)


NEAR = f"Spearman's rank correlation of training loss and dev error over the points within {RADIUS:g} of the end, in α"
FIXED = "with the distance from the end held fixed, since both rise with it"
agree, agree_plainly = (
    Measure(what, "the correlation", partial(_agree, given), (("surface", "pretrained"),), ("fine-tuned",))
    for what, given in ((f"{NEAR}, {FIXED}.", True), (f"{NEAR}, without regard to the distance.", False))
)


@measures(f"{NEAR}, {FIXED}.", "fine-tuned minus from scratch", *both("surface"))
def agree_more(study: Subject, task: str, seed: int) -> Reading:
    scratch, tuned = (agreement(study, task, how, seed) for how in WAYS)
    return drawn([scratch[0], tuned[0]], tuned - scratch)


@measures(
    f"{NEAR}, {FIXED}: the mean of two tasks each, from scratch.",
    "the large data sets minus the small ones",
    ("surface", "scratch"),
    sides=("MNLI and SST-2", "RTE and MRPC"),
    tasks=lambda study: (EVERY,) if {*LARGE, *SMALL} <= set(study.tasks) else (),
)
def agree_on_large(study: Subject, task: str, seed: int) -> Reading:
    large, small = (
        np.mean([agreement(study, t, "scratch", seed) for t in tasks], axis=0) for tasks in (LARGE, SMALL)
    )
    return drawn([large[0], small[0]], large - small)
