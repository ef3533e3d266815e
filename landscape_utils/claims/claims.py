"""The paper's claims weighed by numbers: each function measures one sentence on a study's results.

The rule of the verdict is `weighing.RULE`. What counts as early or dramatic is set below, before any number is
seen, and is the same for all tasks and profiles. Claims on trainings are here, those on landscapes in
`landscape_claims`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from ..training.history import epochs_to, final_loss
from . import landscape_claims as land
from .evidence import WAYS, Claim, Evidence, Z, claim, exact, guessing, number, of_learned, over_seeds, runs

if TYPE_CHECKING:
    from ..study.study import Study

DRAMATIC = 5.0  # points of accuracy
EARLY = 0.2  # of the epochs: one of five


def weigh(study: Study, *ids: str) -> list[Claim]:
    """The claims of the given ids, all by default, measured on a study; what it lacks is computed first."""
    return [CLAIMS[name](study, name) for name in ids or CLAIMS]


def better_accuracy(study: Study, name: str) -> Claim:
    def evidence(task: str) -> Evidence:
        scratch, pretrained = ([100 * run.dev_accuracy[-1] for run in runs(study, task, how)] for how in WAYS)
        stderr = percent_stderr([scratch[0], pretrained[0]], study.facts(task)["dev_examples"])
        return over_seeds(task, scratch, pretrained, np.subtract(pretrained, scratch), Z * stderr)

    measure = "Accuracy on the whole dev set after the last epoch, in %. Effect: fine-tuning minus scratch, in points."
    return claim(name, measure, map(evidence, study.tasks))


def faster_convergence(study: Study, name: str) -> Claim:
    def evidence(task: str) -> Evidence:
        half = guessing(study, task) / 2
        sides = [runs(study, task, how) for how in WAYS]
        reached = [np.array([epochs_to(run, half) for run in side]) for side in sides]  # (seeds,) each
        counted = [
            np.minimum(r, [run.epochs for run in side]) for r, side in zip(reached, sides, strict=True)
        ]
        never = [bool(np.isinf(r).any()) for r in reached]
        found = over_seeds(task, counted[0], counted[1], np.log2(counted[0]) - np.log2(counted[1]))
        return replace(
            found,
            values=tuple(float(r.mean()) for r in reached),
            shown=tuple(epochs_in_words(r, side[0].epochs) for r, side in zip(reached, sides, strict=True)),
            effect=np.nan if all(never) else found.effect,
            low=-np.inf if never[1] else found.low,
            high=np.inf if never[0] else found.high,
        )

    measure = (
        "Epochs until the training loss, as a moving mean over half an epoch, is at half the loss of guessing, "
        "ln(classes) / 2. A training that never gets there counts with its length, and bounds the effect on one side "
        "only; where neither gets there, there is none. "
        "Effect: log2 of scratch over fine-tuning, so that 1 is twice as many epochs."
    )
    return claim(name, measure, map(evidence, study.tasks))


def epochs_in_words(reached: np.ndarray, epochs: int) -> str:
    """The mean of the seeds' epochs, (seeds,), and how many of them never got there."""
    never = np.isinf(reached)
    if never.all():
        return f"never in {epochs} epochs"
    said = number(float(reached[~never].mean()))
    return f"{said}, never in {never.sum()} of {len(never)}" if never.any() else said


def lower_final_loss(study: Study, name: str) -> Claim:
    def evidence(task: str) -> Evidence:
        ends = [
            np.array([final_loss(run) for run in runs(study, task, how)]) for how in WAYS
        ]  # (seeds, 2) each
        (scratch, _), (pretrained, _) = ends[0].T, ends[1].T
        noise = Z * float(np.hypot(ends[0][0, 1], ends[1][0, 1]))
        return over_seeds(task, scratch, pretrained, scratch - pretrained, noise)

    measure = "Mean training loss of the last epoch, in nats. Effect: scratch minus fine-tuning."
    return claim(name, measure, map(evidence, study.tasks))


def straighter_path(study: Study, name: str, share: float = 0.0) -> Claim:
    def cosine(task: str, how: str) -> float:
        path = study.trajectory(task, how).cosine
        return float(path[max(1, round(share * (len(path) - 1)))])

    def evidence(task: str) -> Evidence:
        scratch, pretrained = (cosine(task, how) for how in WAYS)
        return exact(task, (scratch, pretrained), pretrained - scratch)

    when = f"after {share:.0%} of the epochs of each" if share else "after the first epoch"
    measure = f"Cosine of the way gone {when} with the whole way, δ₁. Effect: fine-tuning minus scratch."
    return claim(name, measure, map(evidence, study.tasks))


def robust_to_overfitting(study: Study, name: str) -> Claim:
    def evidence(task: str) -> Evidence:
        before, after = (100 * (1 - float(run.dev_accuracy[-1])) for run in (first, further))
        reach = Z * percent_stderr([before, after], study.facts(task)["dev_examples"])
        effect = DRAMATIC - (after - before)
        return Evidence(task, (before, after), effect, effect - reach, effect + reach)

    task = study.profile.overfitting.task
    first, further = study.run(task, "pretrained"), study.run(task, "continued")
    sides = (f"after {first.epochs} epochs", f"after {first.epochs + further.epochs}")
    measure = f"Error rate on the whole dev set, in %. Effect: {DRAMATIC:g} points, a dramatic rise, minus the rise."
    return claim(name, measure, *of_learned(study, evidence, [task], WAYS[1:]), sides=sides)


def stays_near(study: Study, name: str) -> Claim:
    path = study.overfitting()
    # The first training ends at theta_0 + delta_1: the law of cosines gives how far the further one went from there.
    far = float(np.sqrt(path.norm[-1] ** 2 + 1 - 2 * path.norm[-1] * path.cosine[-1]))
    measure = (
        "Distance between the weights before and after, in units of |δ₁|. Effect: that of the first training minus "
        "that of the further one."
    )
    evidence = exact(study.profile.overfitting.task, (1.0, far), 1.0 - far)
    return claim(name, measure, [evidence], sides=("first training", "further training"))


def percent_stderr(percents: Iterable[float], examples: int) -> float:
    """Standard error of the difference of two percentages, taken as independent: on the same examples, at most that."""
    return float(np.sqrt(sum(p * (100 - p) for p in percents) / examples))


CLAIMS: dict[str, Callable[[Study, str], Claim]] = {
    "better-accuracy": better_accuracy,
    "faster-convergence": faster_convergence,
    "lower-final-loss": lower_final_loss,
    "smooth-path": land.smooth_path,
    "flatter-curve-alpha": partial(land.flatter_curve, unit="alpha"),
    "flatter-curve-alpha-nats": partial(land.flatter_curve, unit="alpha", rim="nats"),
    "flatter-curve-distance": partial(land.flatter_curve, unit="distance"),
    "flatter-curve-distance-nats": partial(land.flatter_curve, unit="distance", rim="nats"),
    "flatter-curve-curvature": land.lower_curvature,
    "wider-optimum-alpha": partial(land.wider_optimum, unit="alpha"),
    "wider-optimum-alpha-nats": partial(land.wider_optimum, unit="alpha", rim="nats"),
    "wider-optimum-distance": partial(land.wider_optimum, unit="distance"),
    "wider-optimum-distance-nats": partial(land.wider_optimum, unit="distance", rim="nats"),
    "wider-optimum-sharpness": land.less_sharp,
    "surfaces-agree": land.surfaces_agree,
    "orthogonal-directions": land.orthogonal_directions,
    "straighter-path-first-epoch": straighter_path,
    "straighter-path-same-share": partial(straighter_path, share=EARLY),
    "robust-to-overfitting": robust_to_overfitting,
    "stays-near": stays_near,
    "low-layers-transfer": land.low_layers_transfer,
    "low-layers-wider": land.low_layers_wider,
}
