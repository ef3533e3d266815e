"""What one training shows, and what several show together: effects with an interval of a stated kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from scipy.special import ndtri, stdtrit  # quantiles: scipy.stats has them too, and takes half a second

TAIL = 0.025  # of a 95 % interval, on each side
ALONE = 0.01  # of the 98 % interval of a number on which a whole claim rests
Z = float(ndtri(1 - TAIL))


class Kind(StrEnum):
    """What an interval is taken over."""

    TRAININGS = "trainings"
    EXAMPLES = "examples"
    STEPS = "steps"
    TASKS = "tasks"
    NONE = "none"


class LeftOut(Exception):
    """A task, or a seed of it, that a measure does not apply to; the message says why."""


@dataclass(frozen=True)
class Evidence:
    """What one training shows, or the pair of trainings of one seed; or one task's word: what all its seeds show.

    `low` and `high` are the interval over what `kind` says, with `df` degrees of freedom behind it; of one training
    that of 95 %. With `Kind.NONE` they are bounds that rounding, or the edge of a scan, leaves.
    """

    values: tuple[float, ...]
    effect: float
    low: float
    high: float
    kind: Kind
    df: float = np.inf
    task: str = ""
    trainings: int = 1
    # of each value, whether it is a lower bound, as of a region that runs into the edge of a scan; () for none
    at_least: tuple[bool, ...] = ()

    @property
    def word(self) -> str:
        """ "for", "against", "open", or "does not count"."""
        if self.kind is Kind.NONE:
            return "does not count"
        return "for" if self.low > 0 else "against" if self.high < 0 else "open"

    @property
    def told(self) -> list[str]:
        """The values, with a sign before a lower bound."""
        bounds = self.at_least or (False,) * len(self.values)
        return ["≥ " * bound + number(value) for value, bound in zip(self.values, bounds, strict=True)]

    @property
    def interval(self) -> str:
        return "none" if self.kind is Kind.NONE else f"{number(self.low)} to {number(self.high)}"

    @property
    def limit(self) -> str:
        """What stands before an effect that is a bound on one side: of a training that never got there, say."""
        if self.kind is not Kind.NONE or np.isinf(self.low) == np.isinf(self.high):
            return ""
        return "≤ " if np.isinf(self.low) else "≥ "

    @property
    def over(self) -> str:
        """What the interval is taken over, in words."""
        return f"{self.trainings} trainings" if self.kind is Kind.TRAININGS else self.kind


def stderr_of_mean(values: Any) -> float:
    """s / sqrt(n) of n values, of which claims ask often: scipy's own takes twenty times as long."""
    return float(np.std(values, ddof=1) / np.sqrt(len(values)))


def normal(
    values: Sequence[float], effect: float, stderr: float, over: Kind = Kind.EXAMPLES, df: float = np.inf
) -> Evidence:
    """An effect with its standard error, and the degrees of freedom of that (Student's t)."""
    reach = float(stdtrit(df, 1 - TAIL)) * stderr
    return Evidence(tuple(map(float, values)), effect, effect - reach, effect + reach, over, df)


def drawn(values: Sequence[float], effects: Any) -> Evidence:
    """An effect and its interval over bootstrap draws of the examples.

    Args:
        effects: see `bounded`: the scan's own first and then those of the draws.

    The interval is the percentile one (Efron 1979), to the draw that leaves at most 2.5 % outside on each side. With
    fewer than 39 draws there is none, and there is none of a single number, which rests on no sample.
    """
    effect, *bounds = bounded(effects)
    outside = int(TAIL * len(effect))  # len(effect) is the number of draws and one
    low, high = (float(bound[0]) for bound in bounds)
    if outside:
        lows, highs = (
            np.sort(np.where(np.isnan(bound[1:]), worst, bound[1:]))
            for bound, worst in zip(bounds, (-np.inf, np.inf), strict=True)
        )
        low, high = float(lows[outside - 1]), float(highs[-outside])
    kind = Kind.EXAMPLES if outside else Kind.NONE
    return Evidence(tuple(map(float, values)), float(effect[0]), low, high, kind)


def bounded(value: Any) -> np.ndarray:
    """(3, V): a number or its versions, (V,), between bounds that are the same; (3, V) stays as it is."""
    return np.broadcast_to(value, (3, np.shape(np.atleast_1d(value))[-1]))


def within(value: np.ndarray, slack: float) -> np.ndarray:
    """(3, V): a number, (V,), and between what errors of size `slack` leave it."""
    return np.stack([value, value - slack, value + slack])


def minus(first: Any, second: Any) -> np.ndarray:
    """(3, V): the difference of two numbers (see `bounded`), and between what it lies."""
    return bounded(first) - bounded(second)[[0, 2, 1]]


def over_trainings(task: str, readings: Sequence[Evidence], tail: float = TAIL) -> Evidence:
    """The readings of all seeds together, with an interval that leaves out `tail` on each side.

    Over two or more, Student's t interval of the mean effect. The seeds share their examples, so what is uncertain for
    each by the examples is so for their mean; the two half-widths are added in squares. Steps are each training's own:
    what is uncertain by them is part of how the effects spread.
    """
    kind, df, count = readings[0].kind, readings[0].df, len(readings)
    values, effects = np.mean([r.values for r in readings], axis=0), [r.effect for r in readings]
    effect, low, high = float(np.mean(effects)), -np.inf, np.inf
    if np.isfinite(effect):
        reach = np.mean([(r.effect - r.low, r.high - r.effect) for r in readings], axis=0)
        if kind is not Kind.NONE:
            wider = stdtrit(df, 1 - tail) / stdtrit(df, 1 - TAIL)
            # outwards, also where a bound lies beyond the effect
            reach *= np.where(reach > 0, wider, 1 / wider)
        if count > 1:
            spread = stdtrit(count - 1, 1 - tail) * stderr_of_mean(effects)
            reach = np.hypot(spread, 0.0 if kind is Kind.STEPS else np.maximum(reach, 0.0))
        low, high = (effect + np.array([-1, 1]) * reach).tolist()
    if count > 1 and kind is not Kind.TASKS:
        kind = Kind.TRAININGS
    named: Any = {"task": task, "trainings": count}
    named["at_least"] = tuple(any(of) for of in zip(*(r.at_least for r in readings), strict=True))
    return Evidence(tuple(values.tolist()), effect, low, high, kind, **named)


def number(value: float) -> str:
    """Three significant digits, and a plain word where there is no number."""
    if not np.isfinite(value):
        return "n/a" if np.isnan(value) else "∞" if value > 0 else "−∞"
    told = f"{value:.3g}" if abs(value) < 999.5 else f"{value:,.0f}"
    return told.replace("-", "−" if float(value) else "")  # zero has no sign
