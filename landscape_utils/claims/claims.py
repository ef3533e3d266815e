"""The claims: which measure decides each sentence of the paper, and `weigh`, which puts them to a study.

One claim for each sentence; the sentences are in `sentences.toml`. Beside the measure that decides stand others, which
say how far a verdict carries: another unit, another loss, what chance alone would give. Thresholds (5 points for
"dramatic", 5 % of the descent for an obstacle, half of what was learned for the rim of an optimum) are the same for all
tasks and profiles. They were set after the first results of the profiles demo and minilm had been seen.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import NamedTuple

from . import layers, obstacles, surfaces, trainings
from .evidence import Claim, Measure, Measured
from .subject import Subject


class Measures(NamedTuple):
    """The measure that decides a claim, those that stand beside it, and the first on what the paper prints."""

    primary: Measure
    carries: tuple[Measure, ...] = ()
    printed: Measured | None = None


CLAIMS: dict[str, Measures] = {
    "accuracy": Measures(trainings.accuracy),
    "small-data": Measures(trainings.gain_by_size),
    "speed": Measures(trainings.epochs_to_half, (trainings.first_epoch_loss,)),
    "final-loss": Measures(trainings.last_epoch_loss),
    "slow-start": Measures(trainings.slow_start),
    "smooth-fine-tuning": Measures(obstacles.smooth, (obstacles.unimpeded,)),
    "rough-scratch": Measures(obstacles.rough, (obstacles.rougher,)),
    "straight": Measures(
        trainings.straightness, (*trainings.straighter_than_chance, trainings.first_epoch_cosine)
    ),
    "first-direction": Measures(obstacles.first_direction, (obstacles.beyond_first_epoch,)),
    "obstacle": Measures(obstacles.crosses, (obstacles.crosses_elsewhere,)),
    "wider": Measures(surfaces.wider_area, (surfaces.wider_area_distance,)),
    "flatter": Measures(surfaces.flatter, (surfaces.wider_line, surfaces.wider_line_distance)),
    "error-surface": Measures(surfaces.wider_error),
    "surfaces-agree": Measures(surfaces.agree, (surfaces.agree_plainly, surfaces.agree_more)),
    "agree-on-large": Measures(surfaces.agree_on_large),
    "orthogonal": Measures(trainings.angle_by_chance, (trainings.angle_small, trainings.angle_scratch)),
    "overfitting": Measures(trainings.overfitting),
    "same-basin": Measures(obstacles.basin, (obstacles.distance_gone,)),
    "low-layers": Measures(layers.low, (layers.low_loss, layers.low_random), layers.printed(layers.low)),
    "middle-layers": Measures(
        layers.middle, (layers.middle_loss, layers.middle_random), layers.printed(layers.middle)
    ),
    "high-layers": Measures(layers.high, (layers.high_loss, layers.high_random), layers.printed(layers.high)),
    "high-above-low": Measures(layers.gap, (layers.gap_loss, layers.gap_middle), layers.printed(layers.gap)),
    "low-wider": Measures(layers.low_wider),
    "low-moves-less": Measures(layers.low_moves_less),
}
SENTENCES: dict[str, dict[str, str]] = tomllib.loads(
    Path(__file__).with_name("sentences.toml").read_text(encoding="utf-8")
)


def weigh(study: Subject, *names: str) -> list[Claim]:
    """The claims of the given names, all by default, weighed on a study; what it lacks is computed first."""
    return [
        Claim(
            name=name,
            **SENTENCES[name],
            primary=measures.primary(study),
            carries=tuple(measure(study) for measure in measures.carries),
            printed=measures.printed,
        )
        for name, measures in ((name, CLAIMS[name]) for name in names or CLAIMS)
    ]


def expected_by_chance(claims: list[Claim]) -> float:
    """How many verdicts so many claims would have if there were no effect anywhere."""
    return sum(claim.primary.chance for claim in claims)
