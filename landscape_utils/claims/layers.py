"""Measures of layer groups: what a rollback costs, how wide the loss is on the way back, how far a group moved."""

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..landscape.rollback import FINE_TUNED as END
from ..landscape.rollback import Rollback
from ..names import GROUPS, display_name
from .evidence import Measured
from .intervals import Evidence, LeftOut, drawn, normal, over_trainings, stderr_of_mean
from .measure import FINE_TUNED, Measure, Subject, guessing, reads, require_learned
from .paper import DEV_EXAMPLES, TABLE_1
from .regions import log_ratio, of_sizes, on_line

Weights = Mapping[str, float]  # of groups
RANDOM = "random"  # sets of as many layers as the high group has


def costs(rollback: Rollback, of: str) -> dict[str, np.ndarray]:
    """Group -> what its rollback costs each example, (n,); and RANDOM -> the same of each random set, (N, n).

    `of` "correct": points of accuracy; "loss": nats.
    """
    whole, *after = -100.0 * rollback.correct if of == "correct" else rollback.loss.astype(float)
    random = after[len(GROUPS) :]
    found = {group: row - whole for group, row in zip(GROUPS, after, strict=False)}
    return found | ({RANDOM: np.array(random) - whole} if random else {})


@reads("rollback", ways=FINE_TUNED)
def cost(
    study: Subject, task: str, seed: int, weights: Weights, of: str = "correct", at_most: Any = 0.0
) -> Evidence:
    """The effect is `at_most`, or "half" of what was learned on the dev set, + the sum of weight times cost.

    Random sets cost their mean, which is uncertain by which sets were drawn, too, if not all were.
    """
    rollback = study.rollback(task, seed=seed)
    require_learned(study, task, "pretrained", rollback.fine_tuned)
    found = costs(rollback, of)
    if not set(weights) <= set(found):
        raise LeftOut("no random sets of layers were rolled back")
    by_set = 0.0
    if RANDOM in weights:
        by_set = abs(weights[RANDOM]) * stderr_of_sets(rollback, found[RANDOM].mean(axis=1), weights)
        found[RANDOM] = found[RANDOM].mean(axis=0)
    if at_most == "half":
        # (n,), for it rests on the sample, too
        at_most = (guessing(study, task) - rollback.loss[0].astype(float)) / 2
        if at_most.mean() <= 0:
            raise LeftOut(
                "after fine-tuning the dev loss is not below that of guessing: there is no gain to lose"
            )
    each = at_most + np.sum([weight * found[group] for group, weight in weights.items()], axis=0)  # (n,)
    if of == "correct":
        # two examples more, one each way: few differences tell little (Bonett and Price 2012)
        each = np.append(each, [at_most + 100, at_most - 100])
    values = [float(found[group].mean()) for group in weights]
    return normal(values, float(each.mean()), math.hypot(stderr_of_mean(each), by_set))


def stderr_of_sets(rollback: Rollback, costs: np.ndarray, groups: Iterable[str]) -> float:
    """Standard error of the mean cost, of (N,), over the random sets that might have been drawn in their place."""
    sizes = {
        1 + last - first for first, last in (rollback.layers[group] for group in groups if group != RANDOM)
    }
    size, layers = rollback.random_sets.shape[1], 1 + rollback.layers[GROUPS[-1]][1]
    if sizes != {size}:
        raise LeftOut("the random sets have another number of layers than this group")
    left = 1 - len(costs) / math.comb(layers, size)  # where all were drawn, their mean is known
    return math.sqrt(left) * stderr_of_mean(costs) if left else 0.0


def unpaired(
    percents: Mapping[str, float], examples: int, weights: Weights, at_most: float, rounded: float = 0.0
) -> Evidence:
    """The same of accuracies in %, "fine-tuned" and of each group, where nobody knows the outcome of each example.

    The standard error is that of independent accuracies, which is too large if anything; each may be off by `rounded`.
    """
    shares = {group: -weight for group, weight in weights.items()} | {"fine-tuned": sum(weights.values())}
    share, accuracy = np.array([(share, percents[name]) for name, share in shares.items()]).T
    stderr = np.sqrt(sum(share**2 * accuracy * (100 - accuracy) / examples)) + rounded * np.abs(share).sum()
    values = [percents["fine-tuned"] - percents[group] for group in weights]
    return normal(values, at_most + float(share @ accuracy), float(stderr))


def printed(measure: Measure) -> Measured | None:
    """The same measure of the paper's Table 1, whose accuracies are rounded to hundredths; None for any other."""
    if measure.reader is not cost:
        return None
    weights, at_most, rows = measure.arguments["weights"], measure.arguments.get("at_most", 0.0), []
    for task, accuracies in TABLE_1.items():
        reading = unpaired(accuracies, DEV_EXAMPLES[task], weights, at_most, rounded=0.005)
        rows.append(over_trainings(display_name(task), [reading]))
    return Measured(measure.what, measure.effect, measure.sides, tuple(rows), {})


@reads("layer_surface", ways=FINE_TUNED, fitted=True, tasks=lambda study: study.layer_tasks)
def way_back(study: Subject, task: str, seed: int, both_ways: bool = False) -> Evidence:
    sizes = []
    for group in GROUPS:
        back = on_line(study.layer_surface(task, group, seed=seed), END, "both" if both_ways else "left")
        sizes.append(back.bounds((guessing(study, task) + back.end) / 2))
    low, *others = sizes
    return of_sizes(sizes, log_ratio(low, np.maximum(*others)))


@reads("walk", ways=FINE_TUNED)
def moved(study: Subject, task: str, seed: int) -> Evidence:
    walk = study.walk(task, "pretrained", seed)
    if not walk.moved.size:
        raise LeftOut("the encoder has no layer groups")
    share = walk.moved / walk.group_size
    return drawn(share, np.log2(share[2] / share[0]))
