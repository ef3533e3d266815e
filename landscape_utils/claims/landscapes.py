"""Measures of landscapes: obstacles, widths, and how well training loss and dev error agree.

Widths of two trainings are taken at one level of the loss, half-way between guessing and the higher of the two ends: a
training that ended lower is not given a lower rim.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ..landscape import flatness
from ..landscape.directions import RandomDirections
from ..landscape.flatness import Extent, versions
from ..landscape.scan import Curve, Surface
from ..training.history import final_loss
from .evidence import EVERY, Measure, both, measures
from .intervals import LeftOut, Reading, Z, drawn, exact
from .subject import WAY_NAMES, WAYS, Subject, guessing

UNFITTED = 0.75  # of the loss of guessing: on MRPC, to say the larger class costs 0.9 of it
RISE = 0.05  # of the descent from start to end: what counts as an obstacle
RADIUS = 2.0  # in alpha: what is near the end
LARGE, SMALL = ("mnli", "sst2"), ("rte", "mrpc")  # by the paper's own naming


def require_fitted(study: Subject, task: str, seed: int, ways: tuple[str, ...] = WAYS) -> None:
    """Leave out a training that did not fit its training set: it has no optimum to measure."""
    for how in ways:
        share = final_loss(study.run(task, how, seed))[0] / guessing(study, task)
        if share > UNFITTED:
            raise LeftOut(
                f"the training {NAMES[how]} ends at {share:.0%} of the loss of guessing, and has no optimum"
            )


NAMES = {"scratch": "from scratch", "pretrained": "that starts pre-trained"}


def rounding(scan: Curve | RandomDirections) -> float:
    """How far a difference of two losses of a scan may be off: rounding, and interpolation where there is any."""
    return 2 * scan.precision_error + float(np.max(getattr(scan, "loss_bound", 0.0), initial=0.0))


# Obstacles


def rise_share(curve: Curve) -> np.ndarray:
    """(3, V): the largest rise from start to end as a share of the descent, and its bounds by rounding."""
    alpha, loss = flatness.losses_along(curve)
    ends = versions(curve).mark_loss
    on_the_way = (alpha >= curve.marks["start"].alpha) & (alpha <= curve.marks["end"].alpha)
    share = flatness.largest_rise(loss[:, on_the_way]) / (ends["start"] - ends["end"])
    slack = rounding(curve) / (ends["start"] - ends["end"])
    return np.stack([share, share - slack, share + slack])


def _obstacle(
    sign: int, how: str, curve: Callable[..., Curve], study: Subject, task: str, seed: int
) -> Reading:
    require_fitted(study, task, seed, (how,))
    share, low, high = rise_share(curve(study, task, how, seed))
    effect = np.stack([share - RISE, low - RISE, high - RISE])
    return drawn([100 * share[0]], effect if sign > 0 else -effect[[0, 2, 1]])


def straight(study: Subject, task: str, how: str, seed: int) -> Curve:
    return study.path(task, how, seed)


def by_epochs(study: Subject, task: str, how: str, seed: int) -> Curve:
    return study.obstacles(task, how, seed).path


def obstacle(sign: int, how: str, curve: Callable[..., Curve], what: str, **rest: Any) -> Measure:
    """A measure of the largest rise on a path; sign +1: the paper says that there is one, -1: that there is none."""
    effect = f"{'the rise' if sign > 0 else f'{RISE:.0%}'} minus {f'{RISE:.0%}' if sign > 0 else 'the rise'}, as shares"
    needs = (("path" if curve is straight else "obstacles", how), ("run", how))
    return Measure(what, effect, partial(_obstacle, sign, how, curve), needs, ("largest rise, %",), **rest)


LARGEST = (
    "Largest rise of the training loss above an earlier value {}, in % of the descent from start to end; 0 if it only "
    "falls."
)
LINE, EPOCHS = "on the straight line from start to end", "on the straight legs from epoch to epoch"
smooth_fine_tuning = obstacle(-1, "pretrained", straight, LARGEST.format(f"{LINE}, fine-tuned"))
rough_scratch = obstacle(+1, "scratch", straight, LARGEST.format(f"{LINE}, from scratch"))
unimpeded = obstacle(-1, "pretrained", by_epochs, LARGEST.format(f"{EPOCHS}, fine-tuned"))
crosses = obstacle(
    +1,
    "scratch",
    by_epochs,
    LARGEST.format(f"{EPOCHS}, from scratch"),
    tasks=lambda study: [task for task in study.tasks if task == "mrpc"],
)
crosses_elsewhere = obstacle(
    +1,
    "scratch",
    by_epochs,
    "The same on the other tasks.",
    tasks=lambda study: [task for task in study.tasks if task != "mrpc"],
)


@measures(
    LARGEST.format(LINE),
    "from scratch minus fine-tuned, as shares",
    *both("path"),
    *both("run"),
    sides=("from scratch, %", "fine-tuned, %"),
)
def rougher(study: Subject, task: str, seed: int) -> Reading:
    require_fitted(study, task, seed)
    scratch, tuned = (rise_share(study.path(task, how, seed)) for how in WAYS)
    return drawn([100 * scratch[0, 0], 100 * tuned[0, 0]], scratch - tuned[[0, 2, 1]])


def _first_direction(beyond: bool, study: Subject, task: str, seed: int) -> Reading:
    require_fitted(study, task, seed, ("pretrained",))
    found = study.obstacles(task, "pretrained", seed)
    start, end = (versions(found.path).mark_loss[name] for name in ("start", "end"))
    ray = versions(found.ray)
    share = (start - np.fmin.reduce(ray.loss, axis=1)) / (start - end)
    first = (start - ray.mark_loss["first epoch"]) / (start - end)
    return drawn([100 * share[0], 100 * first[0]], share - first if beyond else share - 0.5)


first_direction, beyond_first_epoch = (
    Measure(
        "Descent to the lowest training loss along the direction of the first epoch, in % of the whole descent, and "
        "what the first epoch itself had reached.",
        effect,
        partial(_first_direction, beyond),
        (("obstacles", "pretrained"), ("run", "pretrained")),
        ("along the ray, %", "first epoch, %"),
    )
    for beyond, effect in (
        (False, "the share of the descent minus a half"),
        (True, "along the ray minus the first epoch: what going on in its direction adds, as shares"),
    )
)


@measures(
    "Largest height of the training loss above the straight line between its values before and after the further "
    "epochs, on the straight way between the two weights, in % of what was learned before.",
    f"{RISE:.0%} minus that height, as shares: positive if both lie in one basin",
    ("barrier", "pretrained"),
    ("run", "pretrained"),
    sides=("barrier, %",),
    tasks=lambda study: (study.overfit_task,),
)
def basin(study: Subject, task: str, seed: int) -> Reading:
    require_fitted(study, task, seed, ("pretrained",))
    curve = study.barrier(task, "train", seed)
    height, before = barrier_height(curve)
    learned = guessing(study, task) - before
    share, slack = height / learned, rounding(curve) / learned
    return drawn([100 * share[0]], RISE - np.stack([share, share + slack, share - slack]))


def barrier_height(curve: Curve) -> tuple[np.ndarray, np.ndarray]:
    """(V,) height of a curve above the line between its ends at alpha 0 and 1, and (V,) the loss at the first."""
    ends = versions(curve).mark_loss
    alpha, loss = flatness.losses_along(curve)
    line = ends["start"][:, None] * (1 - alpha) + ends["end"][:, None] * alpha
    return np.max(loss - line, axis=1), ends["start"]


@measures(
    "Distance between the weights before and after the further epochs, in |δ₁| of the first ones. As a random walk, four "
    "times the epochs would go twice as far.",
    "1 minus that distance: positive if the further epochs went less far than the first",
    ("barrier", "pretrained"),
    ("path", "pretrained"),
    sides=("further epochs",),
    tasks=lambda study: (study.overfit_task,),
)
def distance_gone(study: Subject, task: str, seed: int) -> Reading:
    gone = study.barrier(task, "train", seed).norm / study.path(task, "pretrained", seed).norm
    return exact([gone], 1 - gone)


# Widths


def radius_below(found: RandomDirections, level: np.ndarray) -> Extent:
    """(V,): the radius at which the mean loss over the directions exceeds the level; draws redraw directions too."""
    loss, end = directions_versions(found)
    mean = np.concatenate([end[:, None], loss], axis=1)
    return flatness.reach(np.concatenate([[0.0], found.radius]), mean, level)


def directions_versions(found: RandomDirections) -> tuple[np.ndarray, np.ndarray]:
    """(V, R) mean loss over the directions, and (V,) the end's: the scan's own, then draws of examples and directions."""
    count = len(found.loss)
    draws = found.draws[:, 1:].astype(float).reshape(-1, *found.loss.shape)
    shares = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=len(draws)) / count
    loss = np.concatenate([found.loss.mean(axis=0)[None], np.einsum("vd,vdr->vr", shares, draws)])
    return loss, np.concatenate([[found.end], found.draws[:, 0].astype(float)])


def end_loss(scan: Curve | RandomDirections) -> np.ndarray:
    """(V,) the loss at the end of the training."""
    if isinstance(scan, RandomDirections):
        return directions_versions(scan)[1]
    return versions(scan).mark_loss["end"]


def bounds(
    extent: Callable[[np.ndarray], Extent], level: np.ndarray, slack: float, least: float
) -> np.ndarray:
    """(3, V): a size at a level of the loss, and between which two sizes rounding, edges and the grid leave it.

    `least` is the smallest size that the grid can tell: what is below may be anything from zero to that.
    """
    size = extent(level).size
    high = extent(level + slack)
    low = np.where(size < least, 0.0, extent(level - slack).size)
    return np.stack(
        [np.maximum(size, least), low, np.where(high.bounded, np.maximum(high.size, least), np.inf)]
    )


def ratio(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    """(3, V): log2 of second over first, sizes of `bounds`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.log2(second) - np.log2(first[[0, 2, 1]])


def cell(surface: Surface) -> float:
    """The area of a cell of the grid."""
    return float(np.ptp(surface.alpha) * np.ptp(surface.beta) / np.prod(np.subtract(surface.loss.shape, 1)))


KINDS: dict[
    str, tuple[Callable[..., Extent], Callable[[Any], float]]
] = {  # size below a level, the least that is seen
    "surface": (flatness.area_below, cell),
    "curve": (flatness.width_below, lambda curve: 0.0),
    "random_directions": (radius_below, lambda found: 0.0),
}


def _wider(kind: str, power: int, study: Subject, task: str, seed: int) -> Reading:
    require_fitted(study, task, seed)
    scans = [getattr(study, kind)(task, how, seed=seed) for how in WAYS]
    level = (guessing(study, task) + np.maximum(*map(end_loss, scans))) / 2
    extent, least = KINDS[kind]
    sizes = [
        bounds(partial(extent, s), level, rounding(s), least(s)) * (s.norm**power if power else 1)
        for s in scans
    ]
    return drawn([s[0, 0] for s in sizes], ratio(sizes[1], sizes[0]))


RIM = (
    "in which the training loss stays below one level for both trainings, half-way between guessing and the higher of "
    "their two ends"
)


def wider(kind: str, what: str, power: int = 0) -> Measure:
    """A measure of sizes of two trainings; `power` of |δ₁| turns steps of each training into distance."""
    effect = "logarithm to base 2 of fine-tuned over from scratch: 1 is twice as large"
    return Measure(f"{what} {RIM}.", effect, partial(_wider, kind, power), (*both(kind), *both("run")))


wider_area = wider("surface", "Area in the plane as drawn, α times β, of the region seen from the end")
wider_area_distance = wider(
    "surface", "Area, in squared distance between weights, of the region seen from the end", 2
)
wider_line = wider("curve", "Width in α, each training's own |δ₁|, of the stretch around the end")
wider_line_distance = wider("curve", "Width, in distance between weights, of the stretch around the end", 1)
flatter = wider(
    "random_directions",
    "Radius along random directions that change each row of the weights by the same share of its norm, as a share, up "
    "to the first at which the mean loss over the directions leaves the region",
)


@measures(
    "Area in the plane as drawn, α times β, of the region seen from the end in which the error rate on the dev set stays "
    "below one level for both trainings, half-way between the error of the largest class and the higher of their ends'.",
    "logarithm to base 2 of fine-tuned over from scratch",
    *both("surface"),
    *both("run"),
)
def wider_error(study: Subject, task: str, seed: int) -> Reading:
    facts = study.facts(task)
    for how in WAYS:
        accuracy = float(study.run(task, how, seed).dev_accuracy[-1])
        if accuracy - facts["majority"] < Z * np.sqrt(accuracy * (1 - accuracy) / facts["dev_examples"]):
            raise LeftOut(f"the training {NAMES[how]} is no better on the dev set than the largest class")
    pair = [study.surface(task, how, "dev", seed) for how in WAYS]
    level = (1 - facts["majority"] + np.maximum(*(versions(s).mark_error["end"] for s in pair))) / 2
    sizes = [
        bounds(lambda at, s=s: flatness.area_below(s, at, of="error"), level, 0.0, cell(s)) for s in pair
    ]
    return drawn([s[0, 0] for s in sizes], ratio(sizes[1], sizes[0]))


# Agreement of training loss and dev error


def agreement(study: Subject, task: str, how: str, seed: int, distance: bool = True) -> np.ndarray:
    """(V,): rank correlation of training loss and dev error near the end, given the distance from the end if asked.

    The draws' losses carry random rounding errors of the size that the scan says.
    """
    train, dev = (study.surface(task, how, split, seed) for split in ("train", "dev"))
    where = flatness.near(train, RADIUS)
    loss, error = versions(train).loss[:, where], versions(dev).error[:, where]
    loss[1:] += train.precision_error * np.random.default_rng(0).uniform(-1, 1, loss[1:].shape)
    loss, error = np.nan_to_num(loss, nan=flatness.HIGH, posinf=flatness.HIGH), np.nan_to_num(error, nan=1.0)
    given = flatness.distance_from(train)[where] if distance else np.zeros(where.sum())
    found = flatness.partial_rank_correlation(loss, error, given)
    if np.isnan(found[0]):
        raise LeftOut(
            f"the dev error {WAY_NAMES[how]} is the same at all points, or follows from the distance alone"
        )
    return np.nan_to_num(found, nan=0.0)


def _agree(distance: bool, study: Subject, task: str, seed: int) -> Reading:
    found = agreement(study, task, "pretrained", seed, distance)
    return drawn([found[0]], found)


agree, agree_plainly = (
    Measure(
        f"Spearman's rank correlation of training loss and dev error over the points within {RADIUS:g} of the end, "
        f"fine-tuned{given}.",
        "the correlation itself",
        partial(_agree, distance),
        (("surface", "pretrained"),),
        ("rank correlation",),
    )
    for distance, given in (
        (
            True,
            ", given the distance from the end: both rise with the distance, whatever they have in common",
        ),
        (False, ", distance included"),
    )
)


@measures(
    "The same, given the distance, for both trainings.",
    "fine-tuned minus from scratch",
    *both("surface"),
)
def agree_more(study: Subject, task: str, seed: int) -> Reading:
    scratch, tuned = (agreement(study, task, how, seed) for how in WAYS)
    return drawn([scratch[0], tuned[0]], tuned - scratch)


@measures(
    f"Spearman's rank correlation of training loss and dev error over the points within {RADIUS:g} of the end, given "
    "the distance from the end, from scratch: mean over MNLI and SST-2, and over RTE and MRPC.",
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
