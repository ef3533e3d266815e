"""Regions around an end where the loss stays below a level: in a plane, on a line, along random directions.

Two trainings are compared at one level of the loss, half-way between guessing and the higher of their two ends: one
that ended lower is not given a lower rim.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from ..landscape.directions import RandomDirections
from ..landscape.scan import Curve, Surface
from . import flatness
from .flatness import Extent, versions
from .intervals import Evidence, LeftOut, drawn, minus


class Region(NamedTuple):
    """What surrounds an end: the loss there, (V,), and the size of the region around it below a level, (V,).

    Losses may be `off` by so much, and sizes below `least` are those that the grid of the scan cannot tell.
    """

    end: np.ndarray
    size: Callable[[np.ndarray], Extent]
    off: Callable[[np.ndarray], float]
    least: float = 0.0

    def bounds(self, level: np.ndarray) -> np.ndarray:
        """(3, V): the size at a level, and between which two sizes errors, edges and the grid leave it."""
        off = self.off(level)
        size, low, high = (self.size(level + shift) for shift in (0.0, -off, off))
        lowest = np.where(size.size < self.least, 0.0, low.size)
        highest = np.where(high.bounded, np.maximum(high.size, self.least), np.inf)
        return np.stack([np.maximum(size.size, self.least), lowest, highest])


def slack(scan: Any, level: np.ndarray) -> float:
    """How far losses up to a level may be off by rounding, and by interpolation where points are interpolated."""
    bound = getattr(scan, "loss_bound", np.zeros(1))
    reached = bound[scan.loss - bound <= level.max()] if bound.any() else bound
    return 2 * scan.precision_error + float(reached.max(initial=0.0))


def log_ratio(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    """(3, V): log2 of second over first, two results of `Region.bounds`."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return minus(np.log2(second), np.log2(first))


def of_sizes(sizes: Sequence[np.ndarray], effect: np.ndarray) -> Evidence:
    """An effect of sizes, (3, V) each; a size is a lower bound where its region runs into the edge of the scan."""
    if np.isnan([size[0, 0] for size in sizes]).any():
        raise LeftOut("the end lies outside the scan")
    found = drawn([size[0, 0] for size in sizes], effect)
    return replace(found, at_least=tuple(bool(np.isinf(size[2, 0])) for size in sizes))


def in_plane(surface: Surface, of: str = "loss") -> Region:
    """The region seen from the end; sizes are areas, and the grid tells none below that of its cells."""
    cell = float(np.ptp(surface.alpha) * np.ptp(surface.beta) / np.prod(np.subtract(surface.loss.shape, 1)))
    off = partial(slack, surface) if of == "loss" else lambda level: 0.0
    return Region(versions(surface, of).marks["end"], flatness.region_around(surface, of=of), off, cell)


def on_line(scan: Curve, at: str = "end", sides: str = "both") -> Region:
    """Sizes are widths in alpha, and the grid tells none below its step to each side."""
    size = partial(flatness.width_below, scan, at=at, sides=sides)
    step = float(np.diff(np.sort(scan.alpha)).max(initial=0.0))
    return Region(versions(scan).marks[at], size, partial(slack, scan), step * (2 if sides == "both" else 1))


def along_directions(found: RandomDirections) -> Region:
    """Sizes are radii at which the mean over the directions first exceeds a level; none below the first is told.

    The first version is the scan's own. The others draw examples, and directions too.
    """
    count, losses = len(found.loss), found.draws[:, 1:].astype(float).reshape(-1, *found.loss.shape)
    shares = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), size=len(losses)) / count
    mean = np.concatenate([found.loss.mean(axis=0)[None], np.einsum("vd,vdr->vr", shares, losses)])
    end = np.concatenate([[found.end], found.draws[:, 0].astype(float)])
    radius, loss = np.append(0.0, found.radius), np.concatenate([end[:, None], mean], axis=1)
    return Region(end, partial(flatness.reach, radius, loss), partial(slack, found), float(radius[1]))


def ratio_of_regions(regions: list[Region], guessed: float, units: Sequence[float] = (1, 1)) -> Evidence:
    """The regions of both trainings, in units of each."""
    level = (guessed + np.maximum(*(region.end for region in regions))) / 2
    scratch, tuned = (region.bounds(level) * unit for region, unit in zip(regions, units, strict=True))
    return of_sizes([scratch, tuned], log_ratio(tuned, scratch))
