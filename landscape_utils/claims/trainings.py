"""Measures of trainings: accuracy, speed, loss, and the way that the weights went."""

from __future__ import annotations

import numpy as np
from scipy import stats

from ..landscape.walk import random_walk_cosine
from ..training.history import epochs_to, loss_of_epoch
from .evidence import EVERY
from .intervals import TAIL, Kind, LeftOut, Reading, exact, normal
from .measure import overfitted, reads
from .subject import FINE_TUNED, TRAININGS, WAYS, Subject, guessing


def points(study: Subject, task: str, seed: int, *ways: str) -> tuple[list[float], float]:
    """Dev accuracy of trainings, in %, and the standard error of a difference of two.

    They are taken as independent. On the same examples they are not, and the standard error is too large if anything.
    """
    found = [100 * float(study.run(task, how, seed).dev_accuracy[-1]) for how in ways]
    return found, float(np.sqrt(sum(p * (100 - p) for p in found) / study.facts(task)["dev_examples"]))


@reads("run")
def accuracy(study: Subject, task: str, seed: int) -> Reading:
    (scratch, tuned), stderr = points(study, task, seed, *WAYS)
    return normal((scratch, tuned), tuned - scratch, stderr)


@reads("run", tasks=lambda study: (EVERY,))
def gain_by_size(study: Subject, task: str, seed: int) -> Reading:
    sizes = np.array([study.facts(t)["train_examples"] for t in study.tasks])
    gains = np.array([np.diff(points(study, t, seed, *WAYS)[0])[0] for t in study.tasks])
    if len(set(sizes.tolist())) < 3:
        raise LeftOut("a line needs training sets of at least three sizes")
    line = stats.linregress(np.log10(sizes), gains)
    reach = float(stats.t.ppf(1 - TAIL, len(sizes) - 2) * line.stderr)
    ends = float(gains[sizes.argmin()]), float(gains[sizes.argmax()])
    return Reading(ends, -line.slope, -line.slope - reach, -line.slope + reach, Kind.TASKS, len(sizes) - 2)


@reads("run")
def epochs_to_half(study: Subject, task: str, seed: int) -> Reading:
    runs = [study.run(task, how, seed) for how in WAYS]
    reached = [epochs_to(run, guessing(study, task) / 2) for run in runs]
    if np.isinf(reached).all():
        raise LeftOut("neither training gets to half the loss of guessing")
    counted = [min(r, run.epochs) for r, run in zip(reached, runs, strict=True)]
    effect = float(np.log2(counted[0] / counted[1]))
    low, high = (-np.inf if np.isinf(reached[1]) else effect), (np.inf if np.isinf(reached[0]) else effect)
    return Reading((reached[0], reached[1]), effect, low, high, Kind.NONE)


@reads("run")
def loss(study: Subject, task: str, seed: int, epoch: int | None = None) -> Reading:
    """Of an epoch; by default of the last."""
    runs = [study.run(task, how, seed) for how in WAYS]
    (scratch, error), (tuned, other) = (loss_of_epoch(run, epoch or run.epochs) for run in runs)
    return normal((scratch, tuned), scratch - tuned, float(np.hypot(error, other)))


@reads("run")
def share_of_guessing(
    study: Subject, task: str, seed: int, how: str, epoch: int, more_than: float
) -> Reading:
    loss, stderr = (x / guessing(study, task) for x in loss_of_epoch(study.run(task, how, seed), epoch))
    return normal((loss,), loss - more_than, stderr)


def beyond_chance(study: Subject, task: str, how: str, seed: int) -> float:
    """How much straighter a training is after a quarter of its steps than a random walk of the same step lengths."""
    cosine = float(study.walk(task, how, seed).quarter[1])
    if np.isnan(cosine):
        raise LeftOut(f"{TRAININGS[how]} kept no weights after a quarter of its steps")
    return cosine - random_walk_cosine(study.schedule(task, how))


@reads("walk")
def straightness(study: Subject, task: str, seed: int) -> Reading:
    scratch, tuned = (beyond_chance(study, task, how, seed) for how in WAYS)
    return exact((scratch, tuned), tuned - scratch)


@reads("walk")
def straighter_than_chance(study: Subject, task: str, seed: int, how: str) -> Reading:
    found = beyond_chance(study, task, how, seed)
    return exact((found,), found)


@reads("walk")
def first_epoch_cosine(study: Subject, task: str, seed: int) -> Reading:
    scratch, tuned = (float(study.walk(task, how, seed).cosine[1]) for how in WAYS)
    return exact((scratch, tuned), tuned - scratch)


@reads("walk")
def angle(
    study: Subject, task: str, seed: int, how: str, at_most: float | None = None, deviations: float = 0
) -> Reading:
    """Against `at_most`, or else so many standard deviations of what chance gives."""
    walk = study.walk(task, how, seed)
    if np.isnan(walk.angle):
        raise LeftOut("no second training begins at the same weights")
    most = deviations / np.sqrt(walk.dimension) if at_most is None else at_most
    return exact((abs(walk.angle), most), most - abs(walk.angle))


@reads("run", "continued", ways=FINE_TUNED, tasks=overfitted)
def rise_of_error(study: Subject, task: str, seed: int, at_most: float) -> Reading:
    (right, right_after), stderr = points(study, task, seed, "pretrained", "continued")
    before, after = 100 - right, 100 - right_after
    if before < at_most:
        raise LeftOut(
            f"the dev error is only {before:.1f} % before the further epochs, so there is little to overfit"
        )
    return normal((before, after), at_most - (after - before), stderr)
