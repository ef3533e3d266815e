"""Measures of layer groups: what a rollback costs, how wide the loss is on the way back, how far a group moved."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from ..landscape import flatness
from ..landscape.flatness import versions
from ..landscape.rollback import FINE_TUNED, Rollback
from ..names import GROUPS, display_name
from .evidence import Measure, Measured, measures
from .intervals import LeftOut, Reading, drawn, exact, normal, over_trainings
from .landscapes import bounds, ratio, require_fitted, rounding
from .paper import DEV_EXAMPLES, TABLE_1
from .subject import Subject, guessing
from .trainings import DRAMATIC

RANDOM = "random"  # sets of as many layers as the high group has

Weights = Mapping[str, float]  # group -> what one point of its cost adds to an effect


def costs(rollback: Rollback, of: str) -> dict[str, np.ndarray]:
    """Group, or RANDOM for the mean of the random sets, -> what its rollback costs each example, (n,).

    `of` "correct": points of accuracy; "loss": nats. Raises LeftOut for a rollback without outcomes by example.
    """
    if not rollback.correct.size:
        raise LeftOut("made by an earlier version, which kept no outcome of each example")
    whole, *groups = -100.0 * rollback.correct if of == "correct" else rollback.loss.astype(float)
    found = {group: after - whole for group, after in zip(GROUPS, groups, strict=False)}
    random = groups[len(GROUPS) :]
    return found | ({RANDOM: np.mean(random, axis=0) - whole} if random else {})


def _cost(constant: float | None, weights: Weights, of: str, study: Subject, task: str, seed: int) -> Reading:
    rollback = study.rollback(task, seed=seed)
    found = costs(rollback, of)
    if missing := set(weights) - set(found):
        raise LeftOut(f"no rollback of {', '.join(sorted(missing))} layers was made")
    if constant is None:  # half of what was learned
        constant = (guessing(study, task) - float(rollback.loss[0].mean())) / 2
    each = constant + sum(weight * found[group] for group, weight in weights.items())  # (n,)
    values = [found[group].mean() for group in weights]
    if (
        of == "correct"
    ):  # two pseudo-examples, one each way (Bonett and Price 2012): few differences tell little
        padded = np.append(each, [constant + 100, constant - 100])
        return normal(values, float(padded.mean()), float(padded.std(ddof=1) / np.sqrt(len(padded))))
    return normal(values, float(each.mean()), float(each.std(ddof=1) / np.sqrt(len(each))))


def cost(effect: str, constant: float | None, weights: Weights, of: str = "correct") -> Measure:
    """The measure constant + sum of weight times cost."""
    unit = (
        "Dev accuracy that the rollback costs, in points"
        if of == "correct"
        else "Loss on the dev set that the rollback adds, in nats"
    )
    what = f"{unit}; the same examples before and after."
    read = partial(_cost, constant, weights, of)
    return Measure(
        what, effect, read, (("rollback", "pretrained"),), tuple(f"{group} layers" for group in weights)
    )


def printed(measure: Measure, constant: float, weights: Weights) -> Measured:
    """The same effect of the accuracies in the paper's Table 1.

    The paper gives no outcome of each example: the standard error is that of independent accuracies on its dev sets,
    which is too wide rather than too narrow, and half a unit of the last digit may be rounded away in each.
    """
    shares = {"fine-tuned": sum(weights.values()), **{group: -weight for group, weight in weights.items()}}
    rows = []
    for task, accuracy in TABLE_1.items():
        effect = constant + sum(share * accuracy[name] for name, share in shares.items())
        variance = sum(
            share**2 * accuracy[name] * (100 - accuracy[name]) / DEV_EXAMPLES[task]
            for name, share in shares.items()
        )
        values = [accuracy["fine-tuned"] - accuracy[group] for group in weights]
        reading = normal(values, effect, float(np.sqrt(variance)) + 0.005)
        rows.append(over_trainings(display_name(task), [reading]))
    return Measured(measure.what, measure.effect, measure.sides, tuple(rows), {})


TOLERABLE, HIGH, GAP = (DRAMATIC, {"low": -1.0}), (0.0, {"high": 1.0}), (0.0, {"high": 1.0, "low": -1.0})
TOLERABLE_MIDDLE = (DRAMATIC, {"middle": -1.0})
AT_MOST = f"{DRAMATIC:g} points, which would be dramatic, minus the cost"
low_cheap = cost(AT_MOST, *TOLERABLE)
middle_cheap = cost(AT_MOST, *TOLERABLE_MIDDLE)
high_dear = cost("the cost", *HIGH)
high_above_low = cost("high minus low layers", *GAP)
HALF = "half of what fine-tuning learned on the dev set, in nats, minus the cost"
low_cheap_loss = cost(HALF, None, {"low": -1.0}, "loss")
middle_cheap_loss = cost(HALF, None, {"middle": -1.0}, "loss")
high_dear_loss = cost("the cost", 0.0, {"high": 1.0}, "loss")
gap_loss = cost("high minus low layers", 0.0, {"high": 1.0, "low": -1.0}, "loss")
high_above_middle = cost("high minus middle layers", 0.0, {"high": 1.0, "middle": -1.0})
low_below_random = cost("random sets of layers minus low layers", 0.0, {RANDOM: 1.0, "low": -1.0})
middle_below_random = cost("random sets of layers minus middle layers", 0.0, {RANDOM: 1.0, "middle": -1.0})
high_above_random = cost("high layers minus random sets of as many", 0.0, {"high": 1.0, RANDOM: -1.0})


@measures(
    "Width in α, from the fine-tuned model towards the rolled-back one and beyond, of the stretch on which less than "
    "half of what was learned is lost, where one group of layers moves.",
    "logarithm to base 2 of low over the wider of middle and high",
    ("layer_surface", "pretrained"),
    ("run", "pretrained"),
    sides=GROUPS,
    tasks=lambda study: study.layer_tasks,
)
def low_wider(study: Subject, task: str, seed: int) -> Reading:
    require_fitted(study, task, seed, ("pretrained",))
    sizes = {}
    for group in GROUPS:
        surface = study.layer_surface(task, group, seed=seed)
        level = (guessing(study, task) + versions(surface).mark_loss[FINE_TUNED]) / 2
        back = partial(flatness.width_below, surface, at=FINE_TUNED, sides="left")
        sizes[group] = bounds(back, level, rounding(surface), 0.0)
    widest = np.maximum(sizes["middle"], sizes["high"])
    return drawn([size[0, 0] for size in sizes.values()], ratio(sizes["low"], widest))


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
    return exact(moved, float(np.log2(moved[2] / moved[0])))
