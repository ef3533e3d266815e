"""The paper's claims on the shape of landscapes: paths, widths, sharpness, agreement, layers.

What counts as near, small or at a right angle was set before any number was seen, and is the same for all tasks and
profiles. How high the rim of an optimum is was not: it was 0.5 nats above the end, and after the first surfaces of the
demo it became half of what was learned. So widths are measured up to both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..landscape import flatness
from ..landscape.scan import Curve, Surface
from .evidence import (
    WAYS,
    Claim,
    Evidence,
    Z,
    claim,
    exact,
    guessing,
    interval,
    of_fitted,
    of_learned,
    over_examples,
    redrawn,
)

if TYPE_CHECKING:
    from ..study.study import Study

RADIUS = 2.0  # in alpha: what is near the end point
SMALL = 0.5  # in alpha: a small perturbation
AGREEMENT = 0.5  # surfaces agree if their rank correlation is above
RIGHT_ANGLE = 0.2  # directions are near orthogonal if |cos| is below, within 12 degrees of a right angle
RISE = 0.5  # nats: the fixed rim
RIMS = {
    "half": "less than half of what was learned is lost (training loss up to half-way from the end's to that of "
    "guessing, ln(classes))",
    "nats": f"the training loss stays within {RISE} nats of the end's",
}
UNITS = {"alpha": "in α, steps of each training's own |δ₁|", "distance": "in distance between weights"}


def smooth_path(study: Study, name: str) -> Claim:
    def rise(curve: Curve) -> tuple[float, bool]:
        return flatness.largest_rise(curve), True

    def evidence(task: str) -> Evidence:
        return over_examples(task, (study.curve(task, how) for how in WAYS), rise, on=lambda x: -x)

    measure = (
        "Largest rise of the training loss above an earlier value on the straight way from start to end, in nats; "
        "0 if it only falls, n/a with fewer than three points between. Effect: scratch minus fine-tuning."
    )
    return claim(name, measure, *of_fitted(study, evidence))


def flatter_curve(study: Study, name: str, unit: str, rim: str = "half") -> Claim:
    def evidence(task: str) -> Evidence:
        def width(curve: Curve) -> tuple[float, bool]:
            found = flatness.width_below(curve, rise_to(rim, study, task, curve))
            return found.size * (curve.norm if unit == "distance" else 1), found.bounded

        return over_examples(task, (study.curve(task, how) for how in WAYS), width, np.log2)

    measure = (
        f"Width of the stretch around the end on which {RIMS[rim]}, {UNITS[unit]}. "
        "Effect: log2 of fine-tuning over scratch, so that 1 is twice as wide."
    )
    return claim(name, measure, *of_fitted(study, evidence))


def lower_curvature(study: Study, name: str) -> Claim:
    def curvature(curve: Curve) -> tuple[float, bool]:
        return flatness.curvature(curve), True

    def evidence(task: str) -> Evidence:
        return over_examples(task, (study.curve(task, how) for how in WAYS), curvature, on=lambda x: -x)

    measure = (
        "Second derivative of the training loss along the line, of the parabola that fits it best within 1 of the end, "
        "in nats per α². Effect: scratch minus fine-tuning."
    )
    return claim(name, measure, *of_fitted(study, evidence))


def wider_optimum(study: Study, name: str, unit: str, rim: str = "half") -> Claim:
    def evidence(task: str) -> Evidence:
        def area(surface: Surface) -> tuple[float, bool]:
            found = flatness.area_below(surface, rise_to(rim, study, task, surface))
            cell = np.ptp(surface.alpha) * np.ptp(surface.beta) / np.prod(np.subtract(surface.loss.shape, 1))
            return max(found.size, cell) * (surface.norm**2 if unit == "distance" else 1), found.bounded

        return over_examples(task, (study.surface(task, how) for how in WAYS), area, np.log2)

    measure = (
        f"Area of the region around the end in which {RIMS[rim]}, {UNITS[unit]}; less than a cell of the grid counts "
        "as a cell. Effect: log2 of fine-tuning over scratch."
    )
    return claim(name, measure, *of_fitted(study, evidence))


def less_sharp(study: Study, name: str) -> Claim:
    def sharpness(surface: Surface) -> tuple[float, bool]:
        return flatness.sharpness(surface, SMALL), True

    def evidence(task: str) -> Evidence:
        return over_examples(task, (study.surface(task, how) for how in WAYS), sharpness, on=lambda x: -x)

    measure = (
        f"Sharpness: the most that the training loss rises within {SMALL:g} of the end, in α, in nats. "
        "Effect: scratch minus fine-tuning."
    )
    return claim(name, measure, *of_fitted(study, evidence))


def surfaces_agree(study: Study, name: str) -> Claim:
    def evidence(task: str) -> Evidence:
        pairs = [(study.surface(task, how, "train"), study.surface(task, how, "dev")) for how in study.ways]
        ranks = tuple(agreement(*pair) for pair in pairs)  # fine-tuning is the last
        draws = [agreement(*pair) for pair in zip(*map(redrawn, pairs[-1]), strict=True)]
        low, high = interval(np.array(draws) - AGREEMENT)
        return Evidence(task, ranks, ranks[-1] - AGREEMENT, low, high)

    measure = (
        f"Spearman's rank correlation of training loss and dev error over the points within {RADIUS:g} of the end. "
        f"Effect: that of fine-tuning minus {AGREEMENT}."
    )
    return claim(name, measure, *of_learned(study, evidence, ways=WAYS[1:]), sides=study.ways)


def agreement(train: Surface, dev: Surface) -> float:
    """Rank correlation of the training loss and the dev error within RADIUS of the end."""
    return flatness.rank_correlation(train.loss, dev.error, flatness.near(train, RADIUS))


def orthogonal_directions(study: Study, name: str) -> Claim:
    def evidence(task: str) -> Evidence:
        found = tuple(abs(study.surface(task, how).cosine) for how in study.ways)
        return exact(task, found, RIGHT_ANGLE - max(found))

    measure = f"|cos(δ₁, δ₂)|. Effect: {RIGHT_ANGLE} minus the largest."
    return claim(name, measure, map(evidence, study.tasks), sides=study.ways)


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
    def evidence(task: str) -> Evidence:
        def width(surface: Surface) -> tuple[float, bool]:
            section, at = flatness.cross_section(surface), "fine-tuned"
            found = flatness.width_below(section, rise_to("half", study, task, section, at), at)
            return found.size, found.bounded

        surfaces = (study.layer_surface(task, group) for group in ("high", "low"))
        return over_examples(task, surfaces, width, np.log2)

    measure = (
        f"Width in α of the stretch around the fine-tuned model on which {RIMS['half']}, where one layer group "
        "moves. Effect: log2 of low over high."
    )
    learned = of_fitted(study, evidence, study.layer_tasks, WAYS[1:])
    return claim(name, measure, *learned, sides=("high", "low"))


def rise_to(rim: str, study: Study, task: str, scan: Curve, at: str = "end") -> float:
    """From a mark's loss to the rim of its optimum, in nats.

    A fixed rise would, where little was learned, take in the plateau of guessing and call it a wide optimum; half of
    what was learned stays below that plateau.
    """
    return RISE if rim == "nats" else max(0.0, (guessing(study, task) - scan.marks[at].loss) / 2)
