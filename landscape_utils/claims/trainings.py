"""Measures of trainings: accuracy, speed, loss, the way that the weights went, and what stood in it."""

import numpy as np
from scipy.special import stdtrit

from ..landscape.paths import random_walk_cosine
from ..landscape.scan import Curve
from ..names import display_name
from ..training.history import epochs_to, loss_of_epoch
from . import flatness
from .evidence import EVERY
from .flatness import versions
from .intervals import TAIL, Evidence, Kind, LeftOut, drawn, normal, number, within
from .measure import FINE_TUNED, TRAININGS, WAYS, Subject, guessing, overfitted, reads


def points(study: Subject, task: str, how: str, seed: int) -> tuple[float, float]:
    """Dev accuracy in %, and its standard error.

    In a difference of two they count as independent. On the same examples they are not, and the standard error is too
    large if anything. It is that with one example more right and one more wrong (Agresti and Caffo 2000): where all are
    right there would be none.
    """
    found, n = 100 * float(study.run(task, how, seed).dev_accuracy[-1]), study.facts(task)["dev_examples"]
    near = (n * found + 100) / (n + 2)
    return found, float(np.sqrt(near * (100 - near) / (n + 2)))


accuracy = reads("run", each=True)(points)


@reads("run", tasks=lambda study: (EVERY,))
def gain_by_size(study: Subject, task: str, seed: int) -> Evidence:
    from scipy.stats import linregress  # takes half a second

    sizes = np.array([study.facts(t)["train_examples"] for t in study.tasks])
    gains = np.array([np.diff([points(study, t, how, seed)[0] for how in WAYS])[0] for t in study.tasks])
    if len(set(sizes.tolist())) < 3:
        raise LeftOut("a line needs training sets of at least three sizes")
    line = linregress(np.log10(sizes), gains)
    reach = float(stdtrit(len(sizes) - 2, 1 - TAIL) * line.stderr)
    ends = float(gains[sizes.argmin()]), float(gains[sizes.argmax()])
    return Evidence(ends, -line.slope, -line.slope - reach, -line.slope + reach, Kind.TASKS, len(sizes) - 2)


@reads("run")
def epochs_to_half(study: Subject, task: str, seed: int) -> Evidence:
    runs = [study.run(task, how, seed) for how in WAYS]
    scratch, tuned = (epochs_to(run, guessing(study, task) / 2) for run in runs)
    if np.isinf([scratch, tuned]).all():
        raise LeftOut("neither training gets to half the loss of guessing")
    effect = float(np.log2(min(scratch, runs[0].epochs) / min(tuned, runs[1].epochs)))
    low, high = (-np.inf if np.isinf(tuned) else effect), (np.inf if np.isinf(scratch) else effect)
    return Evidence((scratch, tuned), effect, low, high, Kind.NONE)


@reads("run", each=True, over=Kind.STEPS)
def loss(
    study: Subject, task: str, how: str, seed: int, epoch: int | None = None, of_guessing: bool = False
) -> tuple[float, float, int]:
    """Of an epoch, by default of the last; in nats, or as a share of the loss of guessing."""
    run, unit = study.run(task, how, seed), guessing(study, task) if of_guessing else 1.0
    if (epoch or 1) > run.epochs:
        raise LeftOut(f"{TRAININGS[how]} has only {run.epochs} epochs")
    found, stderr, df = loss_of_epoch(run, epoch or run.epochs)
    return found / unit, stderr / unit, df


@reads("walk", each=True)
def straightness(study: Subject, task: str, how: str, seed: int) -> float:
    """How much straighter a training is after a quarter of its steps than a random walk, `random_walk_cosine`."""
    cosine = float(study.walk(task, how, seed).quarter[1])
    if np.isnan(cosine):
        raise LeftOut(f"{TRAININGS[how]} kept no weights after a quarter of its steps")
    return cosine - random_walk_cosine(study.schedule(task, how))


@reads("walk", each=True)
def first_epoch_cosine(study: Subject, task: str, how: str, seed: int) -> float:
    return float(study.walk(task, how, seed).cosine[1])


@reads("walk")
def angle(
    study: Subject, task: str, seed: int, how: str, at_most: float | None = None, deviations: float = 0
) -> Evidence:
    """Against `at_most`, or else so many standard deviations of what chance gives."""
    walk = study.walk(task, how, seed)
    if np.isnan(walk.angle):
        raise LeftOut("no second training begins at the same weights")
    other, before = study.partner(task), study.tasks[: study.tasks.index(task)]
    if other in before and study.partner(other) == task and seed in study.seeds_of("walk", other, how):
        raise LeftOut(f"its two directions are those of {display_name(other)}, whose angle counts already")
    most = deviations / np.sqrt(walk.dimension) if at_most is None else at_most
    return drawn((abs(walk.angle), most), most - abs(walk.angle))


@reads("run", "continued", ways=FINE_TUNED, tasks=overfitted)
def rise_of_error(study: Subject, task: str, seed: int, at_most: float) -> Evidence:
    pair = [points(study, task, how, seed) for how in ("pretrained", "continued")]
    (before, error), (after, error_after) = ((100 - right, stderr) for right, stderr in pair)
    if before < at_most:
        raise LeftOut(
            f"the dev error is only {number(before)} % before the further epochs, so there is little to overfit"
        )
    return normal((before, after), at_most - (after - before), float(np.hypot(error, error_after)))


def descent(curve: Curve) -> np.ndarray:
    """(V,): from the loss at the start down to that at the end."""
    ends = versions(curve).marks
    found = ends["start"] - ends["end"]
    if not (found > 0).all():
        raise LeftOut("the training loss is not lower at the end than at the start")
    return found


def rise(curve: Curve) -> np.ndarray:
    """(3, V): the largest rise from start to end, in % of the descent, and between what rounding leaves it."""
    alpha, loss = flatness.along(curve)
    between = (alpha >= curve.marks["start"].alpha) & (alpha <= curve.marks["end"].alpha)
    return 100 * within(flatness.largest_rise(loss[:, between]), 2 * curve.precision_error) / descent(curve)


@reads("path", fitted=True, each=True)
def rise_on_line(study: Subject, task: str, how: str, seed: int) -> np.ndarray:
    return rise(study.path(task, how, seed))


@reads("obstacles", fitted=True, each=True)
def rise_on_legs(study: Subject, task: str, how: str, seed: int) -> np.ndarray:
    return rise(study.obstacles(task, how, seed).path)


@reads("obstacles", ways=FINE_TUNED, fitted=True)
def first_direction(study: Subject, task: str, seed: int, more_than: float | None = None) -> Evidence:
    """Against a share of the descent; by default against the descent of the first epoch."""
    found = study.obstacles(task, "pretrained", seed)
    start, whole, ray = versions(found.path).marks["start"], descent(found.path), versions(found.ray)
    there = ray.marks["first epoch"]
    first, share = (
        100 * (start - lowest) / whole for lowest in (there, np.fmin(there, np.fmin.reduce(ray.grid, axis=1)))
    )
    return drawn([first[0], share[0]], share - (first if more_than is None else more_than))


@reads("barrier", ways=FINE_TUNED, fitted=True, tasks=overfitted, each=True)
def barrier(study: Subject, task: str, how: str, seed: int) -> np.ndarray:
    curve = study.barrier(task, seed=seed)
    alpha, loss = flatness.along(curve)
    before, after = (versions(curve).marks[name] for name in ("start", "end"))  # (V,)
    height = (loss - before[:, None] * (1 - alpha) - after[:, None] * alpha).max(axis=1)
    return 100 * within(height, 2 * curve.precision_error) / (guessing(study, task) - before)


@reads("barrier", "path", ways=FINE_TUNED, tasks=overfitted, each=True)
def distance_gone(study: Subject, task: str, how: str, seed: int) -> float:
    return study.barrier(task, seed=seed).norm / study.path(task, how, seed).norm
