"""Measures of layer groups: what a rollback costs, how wide the loss is on the way back, how far a group moved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..landscape import flatness
from ..landscape.flatness import versions
from ..landscape.rollback import FINE_TUNED, Rollback
from ..names import GROUPS, display_name
from .evidence import Measure, Measured, measures
from .intervals import LeftOut, Reading, drawn, exact, normal, over_trainings
from .paper import DEV_EXAMPLES, TABLE_1
from .subject import Subject, guessing
from .surfaces import bounds, ratio, slack
from .trainings import DRAMATIC, require_fitted

RANDOM = "random"  # sets of as many layers as the high group has
UNITS = {
    "correct": "Dev accuracy that a rollback costs, in points, compared example by example.",
    "loss": "Loss on the dev set that a rollback adds, in nats, compared example by example.",
}


def costs(rollback: Rollback, of: str) -> dict[str, np.ndarray]:
    """Group, or RANDOM for the mean of the random sets, -> what its rollback costs each example, (n,).

    `of` "correct": points of accuracy; "loss": nats.
    """
    if not rollback.correct.size:
        raise LeftOut(
            "the rollback was made by an earlier version, which did not keep the outcome of each example"
        )
    whole, *after = -100.0 * rollback.correct if of == "correct" else rollback.loss.astype(float)
    random = after[len(GROUPS) :]
    found = {group: row - whole for group, row in zip(GROUPS, after, strict=False)}
    return found | ({RANDOM: np.mean(random, axis=0) - whole} if random else {})


@dataclass(frozen=True)
class Cost:
    """The effect `limit` + sum of weight times cost; the limit None is half of what was learned on the dev set."""

    limit: float | None
    weights: Mapping[str, float]
    of: str

    def __call__(self, study: Subject, task: str, seed: int) -> Reading:
        rollback = study.rollback(task, seed=seed)
        found = costs(rollback, self.of)
        if not set(self.weights) <= set(found):
            raise LeftOut("no random sets of layers were rolled back")
        limit = self.limit
        if limit is None:
            limit = (guessing(study, task) - float(rollback.loss[0].mean())) / 2
        each = limit + np.sum(
            [weight * found[group] for group, weight in self.weights.items()], axis=0
        )  # (n,)
        if (
            self.of == "correct"
        ):  # two examples more, one each way: few differences tell little (Bonett and Price 2012)
            each = np.append(each, [limit + 100, limit - 100])
        values = [float(found[group].mean()) for group in self.weights]
        return normal(values, float(each.mean()), float(each.std(ddof=1) / np.sqrt(len(each))))


def cost(effect: str, limit: float | None, of: str = "correct", **weights: float) -> Measure:
    """A measure of what rollbacks cost; see Cost."""
    sides = tuple(f"{group} layers" for group in weights)
    return Measure(UNITS[of], effect, Cost(limit, weights, of), (("rollback", "pretrained"),), sides)


def printed(measure: Measure) -> Measured:
    """The same measure of the accuracies in the paper's Table 1.

    The paper gives no outcome of each example. The standard error is that of independent accuracies on its dev sets,
    which is too large if anything; half a unit of the last digit of each may be rounded away.
    """
    read = measure.read
    assert isinstance(read, Cost) and read.limit is not None
    shares = {group: -weight for group, weight in read.weights.items()}
    shares["fine-tuned"] = sum(read.weights.values())
    rows = []
    for task, accuracy in TABLE_1.items():
        effect = read.limit + sum(share * accuracy[name] for name, share in shares.items())
        variance = sum(
            share**2 * accuracy[name] * (100 - accuracy[name]) / DEV_EXAMPLES[task]
            for name, share in shares.items()
        )
        rounding = 0.005 * sum(map(abs, shares.values()))
        values = [accuracy["fine-tuned"] - accuracy[group] for group in read.weights]
        reading = normal(values, effect, float(np.sqrt(variance)) + rounding)
        rows.append(over_trainings(display_name(task), [reading]))
    return Measured(measure.what, measure.effect, measure.sides, tuple(rows), {})


AT_MOST = f"{DRAMATIC:g} points, which would be dramatic, minus the cost"
HALF = "half of what had been learned, from the loss of guessing down, minus the cost"
low, middle = cost(AT_MOST, DRAMATIC, low=-1.0), cost(AT_MOST, DRAMATIC, middle=-1.0)
low_loss, middle_loss = cost(HALF, None, "loss", low=-1.0), cost(HALF, None, "loss", middle=-1.0)
low_random = cost("random sets of as many layers minus low layers", 0.0, random=1.0, low=-1.0)
middle_random = cost("random sets of as many layers minus middle layers", 0.0, random=1.0, middle=-1.0)
high, high_loss = cost("the cost", 0.0, high=1.0), cost("the cost", 0.0, "loss", high=1.0)
high_random = cost("high layers minus random sets of as many layers", 0.0, high=1.0, random=-1.0)
gap = cost("high layers minus low layers", 0.0, high=1.0, low=-1.0)
gap_loss = cost("high layers minus low layers", 0.0, "loss", high=1.0, low=-1.0)
gap_middle = cost("high layers minus middle layers", 0.0, high=1.0, middle=-1.0)


@measures(
    "How far one group of layers can go back, in α, before half of what was learned is lost; 1 is the whole rollback.",
    "logarithm to base 2 of low over the wider of middle and high",
    ("layer_surface", "pretrained"),
    ("run", "pretrained"),
    sides=GROUPS,
    tasks=lambda study: study.layer_tasks,
)
def low_wider(study: Subject, task: str, seed: int) -> Reading:
    require_fitted(study, task, seed, "pretrained")
    sizes = []
    for group in GROUPS:
        surface = study.layer_surface(task, group, seed=seed)
        level = (guessing(study, task) + versions(surface).mark_loss[FINE_TUNED]) / 2
        back = partial(flatness.width_below, surface, at=FINE_TUNED, sides="left")
        sizes.append(bounds(back, level, slack(surface, level)))
    return drawn([size[0, 0] for size in sizes], ratio(sizes[0], np.maximum(sizes[1], sizes[2])))


@measures(
    "How far fine-tuning moved a group of layers, as a share of the group's own norm before.",
    "logarithm to base 2 of high over low: 1 is twice as far",
    ("walk", "pretrained"),
    sides=GROUPS,
)
def low_moves_less(study: Subject, task: str, seed: int) -> Reading:
    walk = study.walk(task, "pretrained", seed)
    if not walk.moved.size:
        raise LeftOut("the encoder has no layer groups")
    moved = walk.moved / walk.group_size
    return exact(moved.tolist(), float(np.log2(moved[2] / moved[0])))
