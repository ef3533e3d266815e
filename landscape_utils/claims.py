"""The paper's claims weighed by numbers: each function here measures one sentence on a study's results.

The rule of the verdict is `weighing.RULE`. What counts as low, near or dramatic is set below, before any number
is seen, and is the same for all tasks and profiles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from . import flatness, paper
from .finetune import Run
from .history import epochs_to, final_loss
from .landscape import Curve, Surface
from .profiles import display_name
from .weighing import Claim, Evidence, Z, exact, over_examples, over_seeds

if TYPE_CHECKING:
    from .study import Study

RISE = 0.5  # nats: an optimum reaches as far as the loss stays within this of its own
RADIUS = 2.0  # in alpha: what is near the end point
AGREEMENT = 0.5  # surfaces agree if their rank correlation is above
RIGHT_ANGLE = 0.2  # directions are near orthogonal if |cos| is below, within 12 degrees of a right angle
DRAMATIC = 5.0  # points of accuracy
EARLY = 0.2  # of the epochs: one of five
WAYS = ("scratch", "pretrained")
UNITS = {"alpha": "in α, steps of each training's own |δ₁|", "distance": "in distance between weights"}


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
        half = np.log(len(study.facts(task)["labels"])) / 2
        scratch = [min(epochs_to(run, half), run.epochs) for run in runs(study, task, "scratch")]
        pretrained = [epochs_to(run, half) for run in runs(study, task, "pretrained")]
        return over_seeds(task, scratch, pretrained, np.log2(scratch) - np.log2(pretrained))

    measure = (
        "Epochs until the training loss, as a moving mean over half an epoch, is at half the loss of guessing, "
        "ln(classes) / 2; a training from scratch that never gets there counts with its length. "
        "Effect: log2 of scratch over fine-tuning, so that 1 is twice as many epochs."
    )
    return claim(name, measure, map(evidence, study.tasks))


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


def smooth_path(study: Study, name: str) -> Claim:
    def rise(curve: Curve) -> tuple[float, bool]:
        return flatness.largest_rise(curve), True

    def evidence(task: str) -> Evidence:
        return over_examples(task, (study.curve(task, how) for how in WAYS), rise, on=lambda x: -x)

    measure = (
        "Largest rise of the training loss above an earlier value on the straight way from start to end, in nats; "
        "0 if it only falls. Effect: scratch minus fine-tuning."
    )
    return claim(name, measure, *of_learned(study, evidence))


def flatter_curve(study: Study, name: str, unit: str) -> Claim:
    def width(curve: Curve) -> tuple[float, bool]:
        found = flatness.width_below(curve, RISE)
        return found.size * (curve.norm if unit == "distance" else 1), found.bounded

    def evidence(task: str) -> Evidence:
        return over_examples(task, (study.curve(task, how) for how in WAYS), width, np.log2)

    measure = (
        f"Width of the stretch around the end on which the training loss stays within {RISE} nats of the end's, "
        f"{UNITS[unit]}. Effect: log2 of fine-tuning over scratch, so that 1 is twice as wide."
    )
    return claim(name, measure, *of_learned(study, evidence))


def wider_optimum(study: Study, name: str, unit: str) -> Claim:
    def area(surface: Surface) -> tuple[float, bool]:
        found = flatness.area_below(surface, RISE)
        cell = np.ptp(surface.alpha) * np.ptp(surface.beta) / np.prod(np.subtract(surface.loss.shape, 1))
        return max(found.size, cell) * (surface.norm**2 if unit == "distance" else 1), found.bounded

    def evidence(task: str) -> Evidence:
        return over_examples(task, (study.surface(task, how) for how in WAYS), area, np.log2)

    measure = (
        f"Area of the region around the end in which the training loss stays within {RISE} nats of the end's, "
        f"{UNITS[unit]}; less than a cell of the grid counts as a cell. Effect: log2 of fine-tuning over scratch."
    )
    return claim(name, measure, *of_learned(study, evidence))


def surfaces_agree(study: Study, name: str) -> Claim:
    def evidence(task: str) -> Evidence:
        scratch, pretrained = (agreement(study, task, how) for how in WAYS)
        cells = flatness.near(study.surface(task), RADIUS).sum()
        around = Z / np.sqrt(max(cells - 3, 1)) * np.array([-1, 1])
        low, high = np.tanh(np.arctanh(np.clip(pretrained, -0.999, 0.999)) + around) - AGREEMENT
        return Evidence(task, (scratch, pretrained), pretrained - AGREEMENT, float(low), float(high))

    measure = (
        f"Spearman's rank correlation of training loss and dev error over the points within {RADIUS:g} of the end. "
        f"Effect: that of fine-tuning minus {AGREEMENT}. The interval is Fisher's, which takes the points as "
        "independent; neighbours are not, and so it is too narrow."
    )
    return claim(name, measure, *of_learned(study, evidence))


def agreement(study: Study, task: str, how: str, radius: float = RADIUS) -> float:
    """Rank correlation of the training-loss and the dev-error surface within `radius` of the end."""
    train, dev = study.surface(task, how, "train"), study.surface(task, how, "dev")
    return flatness.rank_correlation(train.loss, dev.error, flatness.near(train, radius))


def orthogonal_directions(study: Study, name: str) -> Claim:
    def evidence(task: str) -> Evidence:
        scratch, pretrained = (abs(study.surface(task, how).cosine) for how in WAYS)
        return exact(task, scratch, pretrained, RIGHT_ANGLE - max(scratch, pretrained))

    measure = f"|cos(δ₁, δ₂)|. Effect: {RIGHT_ANGLE} minus the larger of the two."
    return claim(name, measure, map(evidence, study.tasks))


def straighter_path(study: Study, name: str, share: float = 0.0) -> Claim:
    def cosine(task: str, how: str) -> float:
        path = study.trajectory(task, how).cosine
        return float(path[max(1, round(share * (len(path) - 1)))])

    def evidence(task: str) -> Evidence:
        scratch, pretrained = (cosine(task, how) for how in WAYS)
        return exact(task, scratch, pretrained, pretrained - scratch)

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
    evidence = exact(study.profile.overfitting.task, 1.0, far, 1.0 - far)
    return claim(name, measure, [evidence], sides=("first training", "further training"))


def low_layers_transfer(study: Study, name: str) -> Claim:
    def evidence(task: str) -> Evidence:
        found = study.rollback(task)
        low, high = (100 * (found.fine_tuned - found.groups[group]) for group in ("low", "high"))
        reach = 100 * Z * float(np.hypot(found.stderr["low"], found.stderr["high"]))
        return Evidence(task, (low, high), high - low, high - low - reach, high - low + reach)

    measure = (
        "Dev accuracy lost by the rollback, in points. Effect: that of high layers minus that of low layers."
    )
    return claim(name, measure, map(evidence, study.tasks), sides=("low", "high"))


def low_layers_wider(study: Study, name: str) -> Claim:
    def width(surface: Surface) -> tuple[float, bool]:
        found = flatness.width_below(flatness.cross_section(surface), RISE, at="fine-tuned")
        return found.size, found.bounded

    def evidence(task: str) -> Evidence:
        surfaces = (study.layer_surface(task, group) for group in ("high", "low"))
        return over_examples(task, surfaces, width, np.log2)

    measure = (
        f"Width in α of the stretch around the fine-tuned model on which the training loss stays within {RISE} nats "
        "of its, where one layer group moves. Effect: log2 of low over high."
    )
    learned = of_learned(study, evidence, study.layer_tasks, WAYS[1:])
    return claim(name, measure, *learned, sides=("high", "low"))


CLAIMS: dict[str, Callable[[Study, str], Claim]] = {
    "better-accuracy": better_accuracy,
    "faster-convergence": faster_convergence,
    "lower-final-loss": lower_final_loss,
    "smooth-path": smooth_path,
    "flatter-curve-alpha": partial(flatter_curve, unit="alpha"),
    "flatter-curve-distance": partial(flatter_curve, unit="distance"),
    "wider-optimum-alpha": partial(wider_optimum, unit="alpha"),
    "wider-optimum-distance": partial(wider_optimum, unit="distance"),
    "surfaces-agree": surfaces_agree,
    "orthogonal-directions": orthogonal_directions,
    "straighter-path-first-epoch": straighter_path,
    "straighter-path-same-share": partial(straighter_path, share=EARLY),
    "robust-to-overfitting": robust_to_overfitting,
    "stays-near": stays_near,
    "low-layers-transfer": low_layers_transfer,
    "low-layers-wider": low_layers_wider,
}


def claim(
    name: str,
    measure: str,
    evidence: Iterable[Evidence],
    left_out: dict[str, str] | None = None,
    sides: tuple[str, str] = WAYS,
) -> Claim:
    section, sentence = paper.sentence(name)
    named = tuple(replace(e, task=display_name(e.task)) for e in evidence)
    return Claim(name, section, sentence, measure, sides, named, left_out or {})


def runs(study: Study, task: str, how: str) -> list[Run]:
    """The trainings of all the study's seeds."""
    return [study.run(task, how, seed) for seed in study.seeds]


def of_learned(
    study: Study, evidence: Callable[[str], Evidence], tasks: Iterable[str] = (), ways: Iterable[str] = WAYS
) -> tuple[tuple[Evidence, ...], dict[str, str]]:
    """The evidence of the tasks that were learned in the given ways; of the others, why they are left out."""
    failed = {
        task: [how for how in ways if not study.run(task, how).learned] for task in tasks or study.tasks
    }
    left_out = {
        display_name(task): f"{' and '.join(hows)} did not learn it" for task, hows in failed.items() if hows
    }
    return tuple(evidence(task) for task, hows in failed.items() if not hows), left_out


def percent_stderr(percents: Iterable[float], examples: int) -> float:
    """Standard error of the difference of two percentages, taken as independent: on the same examples, at most that."""
    return float(np.sqrt(sum(p * (100 - p) for p in percents) / examples))
