"""What one training shows, and what several show together: effects with an interval of a stated kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

import numpy as np
from scipy import stats

TAIL = 0.025  # of a 95 % interval, on each side
ALONE = 0.01  # of the 98 % interval of a number on which a whole claim rests
Z = NormalDist().inv_cdf(1 - TAIL)


class Kind(StrEnum):
    """What an interval is taken over."""

    TRAININGS = "trainings"
    EXAMPLES = "examples"
    TASKS = "tasks"
    NONE = "none"


class LeftOut(Exception):
    """A task, or a seed of it, that a measure does not apply to; the message says why."""


@dataclass(frozen=True)
class Reading:
    """What one training shows, or the pair of trainings of one seed.

    `low` and `high` are the 95 % interval over examples (or over tasks), as `kind` says, with `df` degrees of freedom
    behind it. With `Kind.NONE` they are bounds that rounding, or the edge of a scan, leaves.
    """

    values: tuple[float, ...]
    effect: float
    low: float
    high: float
    kind: Kind
    df: float = np.inf

    def reach(self, tail: float) -> tuple[float, float]:
        """How far the interval goes below and above the effect if it leaves out `tail` on each side."""
        wider = 1.0
        if self.kind is not Kind.NONE:
            wider = float(stats.t.ppf(1 - tail, self.df) / stats.t.ppf(1 - TAIL, self.df))
        return (self.effect - self.low) * wider, (self.high - self.effect) * wider


@dataclass(frozen=True)
class Evidence(Reading):
    """One task's word on a claim: what its trainings, which differ by their seed, show together."""

    task: str = ""
    trainings: int = 1

    @property
    def word(self) -> str:
        """ "for", "against", "open", or "does not count"."""
        if self.kind is Kind.NONE:
            return "does not count"
        return "for" if self.low > 0 else "against" if self.high < 0 else "open"

    @property
    def interval(self) -> str:
        return "none" if self.kind is Kind.NONE else f"{number(self.low)} to {number(self.high)}"

    @property
    def over(self) -> str:
        """What the interval is taken over, in words."""
        return f"{self.trainings} trainings" if self.kind is Kind.TRAININGS else self.kind


def exact(values: Sequence[float], effect: float) -> Reading:
    """A number of one training that rests on no sample."""
    return Reading(tuple(map(float, values)), float(effect), effect, effect, Kind.NONE)


def normal(values: Sequence[float], effect: float, stderr: float) -> Reading:
    """An effect with its standard error over examples."""
    return Reading(tuple(map(float, values)), effect, effect - Z * stderr, effect + Z * stderr, Kind.EXAMPLES)


def drawn(values: Sequence[float], effects: np.ndarray) -> Reading:
    """An effect and its interval over bootstrap draws of the examples.

    Args:
        effects: (V,), the scan's own first and then those of the draws; or (3, V), where each is known only to lie
            between a second and a third row.

    The interval is the percentile one (Efron 1979), to the draw that leaves at most 2.5 % outside on each side; with
    fewer than 39 draws there is none.
    """
    effect, low, high = np.broadcast_to(effects, (3, effects.shape[-1]))
    outside = int(TAIL * len(effect))  # len(effect) is the number of draws and one
    values = tuple(map(float, values))
    if outside == 0:
        return Reading(values, float(effect[0]), float(low[0]), float(high[0]), Kind.NONE)
    lows, highs = (
        np.sort(np.where(np.isnan(end[1:]), worst, end[1:]))
        for end, worst in ((low, -np.inf), (high, np.inf))
    )
    return Reading(values, float(effect[0]), float(lows[outside - 1]), float(highs[-outside]), Kind.EXAMPLES)


def within(value: np.ndarray, slack: float) -> np.ndarray:
    """(3, V): a number, (V,), and between what errors of size `slack` leave it."""
    return np.stack([value, value - slack, value + slack])


def minus(first: np.ndarray | float, second: np.ndarray) -> np.ndarray:
    """(3, V): the difference of two numbers, each with between what it lies."""
    return first - second[[0, 2, 1]]


def over_trainings(task: str, readings: Sequence[Reading], tail: float = TAIL) -> Evidence:
    """The readings of all seeds together.

    Over two or more, Student's t interval of the mean effect. The seeds share their examples, so what is uncertain for
    each by the examples is so for their mean; the two half-widths are added in squares.
    """
    effects, count = np.array([r.effect for r in readings]), len(readings)
    effect, values = float(effects.mean()), np.mean([r.values for r in readings], axis=0)
    kind = readings[0].kind if count == 1 or readings[0].kind is Kind.TASKS else Kind.TRAININGS
    below, above = np.mean([r.reach(tail) for r in readings], axis=0)
    if count > 1 and np.isfinite(effect):
        spread = stats.t.ppf(1 - tail, count - 1) * stats.sem(effects)
        below, above = np.hypot(spread, np.maximum([below, above], 0.0))
    low, high = (float(effect - below), float(effect + above)) if np.isfinite(effect) else (-np.inf, np.inf)
    return Evidence(tuple(values.tolist()), effect, low, high, kind, task=task, trainings=count)


def number(value: float) -> str:
    """Three significant digits, and a plain word where there is no number."""
    if not np.isfinite(value):
        return "n/a" if np.isnan(value) else "∞" if value > 0 else "−∞"
    return f"{value:.3g}".replace("-", "−") if abs(value) < 1000 else f"{value:,.0f}"
