"""Measures of trainings: accuracy, speed, loss, and the way that the weights went."""

from __future__ import annotations

from functools import partial

import numpy as np
from scipy import stats

from ..landscape.walk import random_walk_cosine
from ..training.finetune import Run
from ..training.history import epochs_to, final_loss
from .evidence import EVERY, Measure, both, measures
from .intervals import TAIL, Kind, LeftOut, Reading, Z, exact, normal
from .subject import WAYS, Subject, guessing

DRAMATIC = 5.0  # points of accuracy
FEW = 3  # epochs: "the first few"
HARD = 0.9  # of the loss of guessing: where a training that has a hard time still is


def stderr(percents: tuple[float, ...], examples: int) -> float:
    """Standard error of the difference of two percentages, taken as independent; on the same examples it is smaller."""
    return float(np.sqrt(sum(p * (100 - p) for p in percents) / examples))


def accuracies(study: Subject, task: str, seed: int) -> tuple[float, ...]:
    return tuple(100 * float(study.run(task, how, seed).dev_accuracy[-1]) for how in WAYS)


@measures(
    "Accuracy on the whole dev set after the last epoch, in %.",
    "fine-tuned minus from scratch, in points",
    *both("run"),
)
def accuracy(study: Subject, task: str, seed: int) -> Reading:
    found = accuracies(study, task, seed)
    return normal(found, found[1] - found[0], stderr(found, study.facts(task)["dev_examples"]))


@measures(
    "Highest accuracy on the dev set after any epoch, in %. The dev set chooses, so both are a little too high.",
    "fine-tuned minus from scratch, in points",
    *both("run"),
)
def best_accuracy(study: Subject, task: str, seed: int) -> Reading:
    found = tuple(100 * float(study.run(task, how, seed).dev_accuracy.max()) for how in WAYS)
    return normal(found, found[1] - found[0], stderr(found, study.facts(task)["dev_examples"]))


@measures(
    "Gain in dev accuracy by pre-training, in points, on the task with the smallest and the one with the largest "
    "training set. A straight line is fitted to the gains of all tasks over the logarithm of the training sets' sizes; "
    "the interval comes from how far the tasks lie from that line.",
    "how much the gain shrinks, in points, where the training set has ten times the examples",
    *both("run"),
    sides=("gain, smallest set", "gain, largest set"),
    tasks=lambda study: (EVERY,),
)
def gain_by_size(study: Subject, task: str, seed: int) -> Reading:
    sizes = np.array([study.facts(t)["train_examples"] for t in study.tasks])
    gains = np.array([np.diff(accuracies(study, t, seed))[0] for t in study.tasks])
    if len(set(sizes.tolist())) < 3:
        raise LeftOut("a line through the gains needs training sets of at least three sizes")
    line = stats.linregress(np.log10(sizes), gains)
    reach = float(stats.t.ppf(1 - TAIL, len(sizes) - 2) * line.stderr)
    values = float(gains[sizes.argmin()]), float(gains[sizes.argmax()])
    return Reading(values, -line.slope, -line.slope - reach, -line.slope + reach, Kind.TASKS)


@measures(
    "Epochs until the training loss, as a moving mean over half an epoch, is at half the loss of guessing. A training "
    "that never gets there counts with its length, and then bounds the effect on one side only.",
    "logarithm to base 2 of from scratch over fine-tuned: 1 is twice as many epochs",
    *both("run"),
)
def epochs_to_half(study: Subject, task: str, seed: int) -> Reading:
    runs = [study.run(task, how, seed) for how in WAYS]
    reached = [epochs_to(run, guessing(study, task) / 2) for run in runs]
    if np.isinf(reached).all():
        raise LeftOut("neither training gets to half the loss of guessing")
    slow, fast = (min(r, run.epochs) for r, run in zip(reached, runs, strict=True))
    effect = float(np.log2(slow / fast))
    low, high = (-np.inf if np.isinf(reached[1]) else effect), (np.inf if np.isinf(reached[0]) else effect)
    return Reading((slow, fast), effect, low, high, Kind.NONE)


@measures(
    "Mean training loss of the first epoch, in nats.",
    "from scratch minus fine-tuned",
    *both("run"),
)
def first_epoch_loss(study: Subject, task: str, seed: int) -> Reading:
    return difference(*(loss_of_epoch(study.run(task, how, seed), 1) for how in WAYS))


@measures(
    "Mean training loss of the steps of the last epoch, in nats; its standard error is that over the steps.",
    "from scratch minus fine-tuned",
    *both("run"),
)
def last_epoch_loss(study: Subject, task: str, seed: int) -> Reading:
    return difference(*(final_loss(study.run(task, how, seed)) for how in WAYS))


def difference(first: tuple[float, float], second: tuple[float, float]) -> Reading:
    """First minus second of two values with standard errors."""
    return normal((first[0], second[0]), first[0] - second[0], float(np.hypot(first[1], second[1])))


def loss_of_epoch(run: Run, epoch: int) -> tuple[float, float]:
    """Mean loss of an epoch's steps, and its standard error."""
    steps = run.loss[(run.epoch_of_step > epoch - 1) & (run.epoch_of_step <= epoch + 1e-9)]
    return float(steps.mean()), float(stats.sem(steps)) if len(steps) > 1 else np.inf


@measures(
    f"Mean training loss from scratch in epoch {FEW} on RTE, as a share of the loss of guessing.",
    f"that share minus {HARD:g}: positive if less than a tenth has been learned by then",
    ("run", "scratch"),
    sides=(f"share left in epoch {FEW}",),
    tasks=lambda study: [task for task in study.tasks if task == "rte"],
)
def slow_start(study: Subject, task: str, seed: int) -> Reading:
    loss, error = (x / guessing(study, task) for x in loss_of_epoch(study.run(task, "scratch", seed), FEW))
    return normal((loss,), loss - HARD, error)


@measures(
    f"Mean training loss from scratch in epoch {FEW}, as a share of the loss of guessing: RTE, and the mean of the others.",
    "RTE minus the others",
    ("run", "scratch"),
    sides=("RTE", "other tasks"),
    tasks=lambda study: (
        (EVERY,) if "rte" in study.tasks[1:] + study.tasks[:1] and len(study.tasks) > 1 else ()
    ),
)
def slower_than_others(study: Subject, task: str, seed: int) -> Reading:
    left = {
        t: np.array(loss_of_epoch(study.run(t, "scratch", seed), FEW)) / guessing(study, t)
        for t in study.tasks
    }
    rte = left.pop("rte")
    others = (
        np.mean([x[0] for x in left.values()]),
        np.hypot.reduce([x[1] for x in left.values()]) / len(left),
    )
    return difference(tuple(rte), others)


def excess(study: Subject, task: str, how: str, seed: int) -> float:
    """How much straighter a training is after a quarter of its steps than a random walk of the same step lengths."""
    cosine = float(study.walk(task, how, seed).quarter[1])
    if np.isnan(cosine):
        raise LeftOut("the training kept no weights after a quarter of its steps")
    return cosine - random_walk_cosine(study.schedule(task, how))


@measures(
    "Cosine of the angle between the displacement after a quarter of the steps and the whole one, δ₁, minus what a "
    "random walk whose steps are as long as the learning rate would show. Both trainings have gone the same share of "
    "their steps.",
    "fine-tuned minus from scratch",
    *both("walk"),
)
def straightness(study: Subject, task: str, seed: int) -> Reading:
    scratch, tuned = (excess(study, task, how, seed) for how in WAYS)
    return exact((scratch, tuned), tuned - scratch)


@measures(
    "Cosine of the angle between the first epoch's displacement and the whole one, δ₁. The first epoch is a larger "
    "share of a shorter training, so that a random walk would show this effect too.",
    "fine-tuned minus from scratch",
    *both("walk"),
)
def first_epoch_cosine(study: Subject, task: str, seed: int) -> Reading:
    scratch, tuned = (float(study.walk(task, how, seed).cosine[1]) for how in WAYS)
    return exact((scratch, tuned), tuned - scratch)


def _straighter_than_chance(how: str, study: Subject, task: str, seed: int) -> Reading:
    return exact([beyond := excess(study, task, how, seed)], beyond)


straighter_than_chance = [
    Measure(
        f"The same for the training {'from scratch' if how == 'scratch' else 'that starts pre-trained'} alone.",
        "above zero if it is straighter than a random walk",
        partial(_straighter_than_chance, how),
        (("walk", how),),
        ("beyond a random walk",),
    )
    for how in WAYS
]


def _angle(limit: float, how: str, study: Subject, task: str, seed: int) -> Reading:
    walk = study.walk(task, how, seed)
    if np.isnan(walk.angle):
        raise LeftOut("there is no second training that begins at the same weights")
    chance = Z / np.sqrt(walk.dimension)
    return exact((abs(walk.angle), chance), (limit or chance) - abs(walk.angle))


def angle(limit: float, how: str, what: str, effect: str) -> Measure:
    return Measure(what, effect, partial(_angle, limit, how), (("walk", how),), ("|cos|", "chance"))


angle_by_chance = angle(
    0.0,
    "pretrained",
    "|cos(δ₁, δ₂)|, and what 95 of 100 pairs of random directions in as many dimensions stay below.",
    "chance minus |cos|: positive if the angle is as near to a right one as dimension alone makes it",
)
angle_small = angle(
    0.2,
    "pretrained",
    "|cos(δ₁, δ₂)| against 0.2.",
    "0.2 minus |cos|: positive within 12 degrees of a right angle",
)
angle_scratch = angle(0.0, "scratch", "The same for the trainings from scratch.", "chance minus |cos|")


def further_errors(study: Subject, task: str, seed: int) -> tuple[float, float]:
    """Dev errors in % before and after the further epochs of Figure 4; there must be errors to begin with."""
    runs = study.run(task, "pretrained", seed), study.run(task, "continued", seed)
    before, after = (100 * (1 - float(run.dev_accuracy[-1])) for run in runs)
    if before < DRAMATIC:
        raise LeftOut(
            f"there is little to overfit, for the dev error is {before:.1f} % before the further epochs"
        )
    return before, after


@measures(
    "Error rate on the whole dev set, in %, before and after the further epochs.",
    f"{DRAMATIC:g} points, which would be dramatic, minus the rise",
    ("run", "pretrained"),
    ("continued", "pretrained"),
    sides=("before", "after"),
    tasks=lambda study: (study.overfit_task,),
)
def overfitting(study: Subject, task: str, seed: int) -> Reading:
    before, after = further_errors(study, task, seed)
    return normal(
        (before, after),
        DRAMATIC - (after - before),
        stderr((before, after), study.facts(task)["dev_examples"]),
    )


@measures(
    "Loss on the dev set, in nats, before and after the further epochs. It can rise while the error rate stays, because "
    "a model that goes on training grows surer of its mistakes.",
    "before minus after",
    ("run", "pretrained"),
    ("continued", "pretrained"),
    sides=("before", "after"),
    tasks=lambda study: (study.overfit_task,),
)
def dev_loss(study: Subject, task: str, seed: int) -> Reading:
    before, after = (float(study.run(task, how, seed).dev_loss[-1]) for how in ("pretrained", "continued"))
    return exact((before, after), before - after)
