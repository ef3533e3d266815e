"""Measures of trainings: accuracy, speed, loss, and the way that the weights went."""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy import stats

from ..landscape.walk import random_walk_cosine
from ..training.finetune import Run
from ..training.history import epochs_to, final_loss
from .evidence import EVERY, Measure, both, measures
from .intervals import TAIL, Kind, LeftOut, Reading, exact, normal
from .subject import TRAININGS, WAYS, Subject, guessing

DRAMATIC = 5.0  # points of accuracy
FEW = 3  # epochs: "the first few"
HARD = 0.9  # of the loss of guessing: where a training that has a hard time still is
UNFITTED = (
    0.75  # of the loss of guessing, at the end: on MRPC, always to say the larger class costs 0.9 of it
)
RARE = 5.0  # standard deviations of what chance gives


def require_fitted(study: Subject, task: str, seed: int, *ways: str) -> None:
    """Leave out a training that did not fit its training set: it has no optimum to measure."""
    for how in ways:
        share = final_loss(study.run(task, how, seed))[0] / guessing(study, task)
        if share > UNFITTED:
            raise LeftOut(
                f"{TRAININGS[how]} ends at {share:.0%} of the loss of guessing, so there is no optimum"
            )


def points(study: Subject, task: str, seed: int, *ways: str) -> tuple[list[float], float]:
    """Dev accuracy of trainings, in %, and the standard error of a difference of two.

    They are taken as independent. On the same examples they are not, and the standard error is too large if anything.
    """
    found = [100 * float(study.run(task, how, seed).dev_accuracy[-1]) for how in ways]
    return found, float(np.sqrt(sum(p * (100 - p) for p in found) / study.facts(task)["dev_examples"]))


@measures(
    "Accuracy on the whole dev set after the last epoch, in %.", "fine-tuned minus from scratch", *both("run")
)
def accuracy(study: Subject, task: str, seed: int) -> Reading:
    (scratch, tuned), stderr = points(study, task, seed, *WAYS)
    return normal((scratch, tuned), tuned - scratch, stderr)


@measures(
    "Gain in dev accuracy, fine-tuned minus from scratch, in points. A straight line is fitted to it over the "
    "logarithm of the size of the training set. The interval comes from how far the tasks lie from that line.",
    "how many points the gain is smaller where the training set is ten times as large",
    *both("run"),
    sides=("on the smallest set", "on the largest set"),
    tasks=lambda study: (EVERY,),
)
def gain_by_size(study: Subject, task: str, seed: int) -> Reading:
    sizes = np.array([study.facts(t)["train_examples"] for t in study.tasks])
    gains = np.array([np.diff(points(study, t, seed, *WAYS)[0])[0] for t in study.tasks])
    if len(set(sizes.tolist())) < 3:
        raise LeftOut("a line needs training sets of at least three sizes")
    line = stats.linregress(np.log10(sizes), gains)
    reach = float(stats.t.ppf(1 - TAIL, len(sizes) - 2) * line.stderr)
    ends = float(gains[sizes.argmin()]), float(gains[sizes.argmax()])
    return Reading(ends, -line.slope, -line.slope - reach, -line.slope + reach, Kind.TASKS, len(sizes) - 2)


@measures(
    "Epochs until the training loss, as a moving mean over half an epoch, is at half the loss of guessing. A training "
    "that never gets there counts with its length, and the effect is then bounded on one side only.",
    "logarithm to base 2 of from scratch over fine-tuned: 1 is twice as many epochs",
    *both("run"),
)
def epochs_to_half(study: Subject, task: str, seed: int) -> Reading:
    runs = [study.run(task, how, seed) for how in WAYS]
    reached = [epochs_to(run, guessing(study, task) / 2) for run in runs]
    if np.isinf(reached).all():
        raise LeftOut("neither training gets to half the loss of guessing")
    counted = [min(r, run.epochs) for r, run in zip(reached, runs, strict=True)]
    effect = float(np.log2(counted[0] / counted[1]))
    low, high = (-np.inf if np.isinf(reached[1]) else effect), (np.inf if np.isinf(reached[0]) else effect)
    return Reading((reached[0], reached[1]), effect, low, high, Kind.NONE)


def loss_of_epoch(run: Run, epoch: int) -> tuple[float, float]:
    """Mean loss of an epoch's steps, and its standard error over them."""
    steps = run.loss[(run.epoch_of_step > epoch - 1 + 1e-9) & (run.epoch_of_step <= epoch + 1e-9)]
    return float(steps.mean()), float(stats.sem(steps)) if len(steps) > 1 else np.inf


def difference(first: tuple[float, float], second: tuple[float, float]) -> Reading:
    """First minus second of two values with standard errors."""
    return normal((first[0], second[0]), first[0] - second[0], float(np.hypot(first[1], second[1])))


LOSS = "Mean training loss of the steps of the {} epoch, in nats. Its standard error is that over the steps."


@measures(LOSS.format("last"), "from scratch minus fine-tuned", *both("run"))
def last_epoch_loss(study: Subject, task: str, seed: int) -> Reading:
    scratch, tuned = (final_loss(study.run(task, how, seed)) for how in WAYS)
    return difference(scratch, tuned)


@measures(LOSS.format("first"), "from scratch minus fine-tuned", *both("run"))
def first_epoch_loss(study: Subject, task: str, seed: int) -> Reading:
    scratch, tuned = (loss_of_epoch(study.run(task, how, seed), 1) for how in WAYS)
    return difference(scratch, tuned)


@measures(
    f"Mean training loss in epoch {FEW} on RTE, from scratch, as a share of the loss of guessing.",
    f"that share minus {HARD:g}: positive if less than a tenth has been learned by then",
    ("run", "scratch"),
    sides=("share of guessing",),
    tasks=lambda study: [task for task in study.tasks if task == "rte"],
)
def slow_start(study: Subject, task: str, seed: int) -> Reading:
    loss, stderr = (x / guessing(study, task) for x in loss_of_epoch(study.run(task, "scratch", seed), FEW))
    return normal((loss,), loss - HARD, stderr)


def beyond_chance(study: Subject, task: str, how: str, seed: int) -> float:
    """How much straighter a training is after a quarter of its steps than a random walk of the same step lengths."""
    cosine = float(study.walk(task, how, seed).quarter[1])
    if np.isnan(cosine):
        raise LeftOut(f"{TRAININGS[how]} kept no weights after a quarter of its steps")
    return cosine - random_walk_cosine(study.schedule(task, how))


QUARTER = (
    "Cosine of the angle between the displacement after a quarter of the steps and the whole one, δ₁, minus the cosine "
    "of a random walk whose step lengths follow the learning rate{}."
)


@measures(QUARTER.format(""), "fine-tuned minus from scratch", *both("walk"))
def straightness(study: Subject, task: str, seed: int) -> Reading:
    scratch, tuned = (beyond_chance(study, task, how, seed) for how in WAYS)
    return exact((scratch, tuned), tuned - scratch)


def _beyond_chance(how: str, study: Subject, task: str, seed: int) -> Reading:
    found = beyond_chance(study, task, how, seed)
    return exact((found,), found)


straighter_than_chance = [
    Measure(
        QUARTER.format(f", for {TRAININGS[how]} alone"),
        "this difference",
        partial(_beyond_chance, how),
        (("walk", how),),
        ("beyond a random walk",),
    )
    for how in WAYS
]


@measures(
    "Cosine of the angle between the first epoch's displacement and the whole one, δ₁. The first epoch is a larger "
    "share of a shorter training, so that random walks would show this effect too.",
    "fine-tuned minus from scratch",
    *both("walk"),
)
def first_epoch_cosine(study: Subject, task: str, seed: int) -> Reading:
    scratch, tuned = (float(study.walk(task, how, seed).cosine[1]) for how in WAYS)
    return exact((scratch, tuned), tuned - scratch)


def _angle(limit: float | None, how: str, study: Subject, task: str, seed: int) -> Reading:
    walk = study.walk(task, how, seed)
    if np.isnan(walk.angle):
        raise LeftOut("no second training begins at the same weights")
    most = RARE / np.sqrt(walk.dimension) if limit is None else limit
    return exact((abs(walk.angle), most), most - abs(walk.angle))


CHANCE = f"|cos(δ₁, δ₂)|, {{}}, and {RARE:g} standard deviations of it for random directions in as many dimensions."
angle_by_chance, angle_scratch, angle_small = (
    Measure(what, "the limit minus |cos|", partial(_angle, limit, how), (("walk", how),), ("|cos|", "limit"))
    for what, limit, how in (
        (CHANCE.format("fine-tuned"), None, "pretrained"),
        (CHANCE.format("from scratch"), None, "scratch"),
        (
            "|cos(δ₁, δ₂)|, fine-tuned; below 0.2 the angle is within 12 degrees of a right one.",
            0.2,
            "pretrained",
        ),
    )
)


@measures(
    "Error rate on the whole dev set, in %, before and after the further epochs.",
    f"{DRAMATIC:g} points, which would be dramatic, minus the rise",
    ("run", "pretrained"),
    ("continued", "pretrained"),
    sides=("before", "after"),
    tasks=lambda study: (study.overfit_task,),
)
def overfitting(study: Subject, task: str, seed: int) -> Reading:
    (right, right_after), stderr = points(study, task, seed, "pretrained", "continued")
    before, after = 100 - right, 100 - right_after
    if before < DRAMATIC:
        raise LeftOut(
            f"the dev error is only {before:.1f} % before the further epochs, so there is little to overfit"
        )
    return normal((before, after), DRAMATIC - (after - before), stderr)
