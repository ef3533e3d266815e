"""Numbers read off curves and surfaces: how wide an optimum is, and how high an obstacle.

A width is the distance in alpha to where the loss first exceeds a level; times `norm` it is one between weights. No
width survives a rescaling of the weights that leaves the function as it is (Dinh et al. 2017, "Sharp minima can
generalize for deep nets"); what does is in `landscape.directions`. Functions take all versions of a scan at once, (V,
...): first the scan, then its bootstrap draws. Between points the loss is linear; one that is not finite is above every
level.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..landscape.scan import Curve, Surface

RAYS, STEPS = 36, 33  # of the region seen from a mark: one ray for every 10 degrees
HIGH = 1e30  # stands for a loss that is not finite: an interpolant beside it is above every level


class Versions(NamedTuple):
    """What a scan, row 0, and its bootstrap draws show on the grid, (V, *grid), and at each mark, (V,)."""

    grid: np.ndarray
    marks: dict[str, np.ndarray]


class Extent(NamedTuple):
    """Widths or areas, (V,); a lower bound where the region meets the edge of the scan and `bounded` is False."""

    size: np.ndarray
    bounded: np.ndarray


def versions(scan: Curve, of: str = "loss") -> Versions:
    """The loss, or error, of the scan itself and of each of its bootstrap draws; of a standard error there are none."""
    grid = getattr(scan, of)
    itself = np.array([*grid.ravel(), *(getattr(mark, of) for mark in scan.marks.values())])
    draws = {"loss": scan.draws[:, 0], "error": scan.draws[:, 1]}.get(of, scan.draws[:0, 0])
    every = np.concatenate([itself[None], draws.reshape(-1, len(itself))])
    marks = dict(zip(scan.marks, every[:, grid.size :].T, strict=True))
    return Versions(every[:, : grid.size].reshape(-1, *grid.shape), marks)


def along(scan: Curve, of: str = "loss") -> tuple[np.ndarray, np.ndarray]:
    """Alpha (N,) and values (V, N) of a curve, or of a surface's cross-section at beta = 0, with the marks on it."""
    values, at_marks = versions(scan, of)
    if isinstance(scan, Surface):
        values = bilinear(scan, values, np.c_[scan.alpha, np.zeros(len(scan.alpha))])
    marks = {name: mark.alpha for name, mark in scan.marks.items() if mark.beta == 0}
    alpha, first = np.unique([*scan.alpha, *marks.values()], return_index=True)
    every = np.concatenate([values, *(at_marks[name][:, None] for name in marks)], axis=1)
    return alpha, every[:, first]


def reach(distance: np.ndarray, loss: np.ndarray, level: np.ndarray) -> Extent:
    """The distance, (V, ...), at which the loss, (V, ..., N), first exceeds the level, (V,), walking along the last
    axis; `distance`, (..., N), rises from the start."""
    level = level.reshape(-1, *[1] * (loss.ndim - 1))  # (V, 1, ...)
    above = ~(loss <= level) | ~np.isfinite(loss)
    loss = np.where(np.isfinite(loss), loss, HIGH)
    distance = np.broadcast_to(distance, loss.shape)
    bounded = np.asarray(above.any(axis=-1))
    i = np.where(bounded, above.argmax(axis=-1), loss.shape[-1] - 1)[..., None]
    pair = np.concatenate([np.maximum(i - 1, 0), i], axis=-1)  # (V, ..., 2)
    (here, there), (below, over) = (
        np.moveaxis(np.take_along_axis(values, pair, axis=-1), -1, 0) for values in (distance, loss)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.clip((level[..., 0] - below) / (over - below), 0, 1)
    crossing = np.where(i[..., 0] == 0, 0.0, here + share * (there - here))
    return Extent(np.where(bounded, crossing, there), bounded)


def width_below(scan: Curve, level: np.ndarray, at: str = "end", sides: str = "both") -> Extent:
    """Width in alpha, (V,), of the stretch around a mark on which the loss stays below `level`, (V,); `sides` "left":
    of the part towards smaller alpha. Of a surface it is the cross-section at beta = 0."""
    alpha, loss = along(scan)
    centre = int(np.searchsorted(alpha, scan.marks[at].alpha))
    left = reach(alpha[centre] - alpha[centre::-1], loss[:, centre::-1], level)
    if sides == "left":
        return left
    right = reach(alpha[centre:] - alpha[centre], loss[:, centre:], level)
    return Extent(left.size + right.size, left.bounded & right.bounded)


def bilinear(surface: Surface, values: np.ndarray, places: np.ndarray) -> np.ndarray:
    """(V, N): the bilinear interpolant of a surface's values, (V, A, B), at places (N, 2) on it."""
    from scipy.interpolate import RegularGridInterpolator  # takes a quarter of a second

    rows, columns = np.argsort(surface.alpha), np.argsort(surface.beta)
    finite = np.where(np.isfinite(values), values, HIGH)[:, rows[:, None], columns]
    axes, every = (surface.alpha[rows], surface.beta[columns]), np.moveaxis(finite, 0, -1)  # (A, B, V)
    return RegularGridInterpolator(axes, every, bounds_error=False)(places).T


def region_around(surface: Surface, at: str = "end", of: str = "loss") -> Callable[[np.ndarray], Extent]:
    """The region seen from a mark: a function of a level, (V,), that gives its area in alpha x beta, (V,): pi times the
    mean square of the ways along rays until the loss, or error, exceeds the level; NaN off the scan."""
    mark, (seen, centre) = surface.marks[at], versions(surface, of)
    place = np.array([mark.alpha, mark.beta])
    low, high = (np.array([end(surface.alpha), end(surface.beta)]) for end in (np.min, np.max))
    if (place < low).any() or (place > high).any():
        return lambda level: Extent(np.full(len(level), np.nan), np.zeros(len(level), bool))
    angle = np.arange(RAYS) * 2 * np.pi / RAYS
    direction = np.stack([np.cos(angle), np.sin(angle)], axis=-1)  # (RAYS, 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        edges = np.where(direction > 0, (high - place) / direction, (low - place) / direction)
    edge = np.where(np.abs(direction) < 1e-12, np.inf, edges).min(axis=-1)  # (RAYS,)
    distance = np.linspace(0, 1, STEPS) * edge[:, None]  # (RAYS, STEPS)
    places = np.clip(place + distance[..., None] * direction[:, None], low, high)
    there = bilinear(surface, seen, places.reshape(-1, 2)).reshape(-1, RAYS, STEPS)
    there[:, :, 0] = centre[at][:, None]

    def area(level: np.ndarray) -> Extent:
        way = reach(distance, there, level)  # (V, RAYS)
        return Extent(np.pi * (way.size**2).mean(axis=-1), np.asarray(way.bounded.all(axis=-1)))

    return area


def largest_rise(loss: np.ndarray) -> np.ndarray:
    """The obstacle, (V,): the most that the loss, (V, N), climbs above an earlier value; or infinite, if it is not."""
    with np.errstate(invalid="ignore"):
        rise = (loss - np.minimum.accumulate(loss, axis=-1)).max(axis=-1)
    return np.where(np.isfinite(loss).all(axis=-1), rise, np.inf)
