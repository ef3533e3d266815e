"""Numbers read off curves and surfaces: how wide and sharp an optimum is, how well two surfaces agree.

Every function takes the arrays of a scan and nothing else, so each number can be recomputed from a result's
file. Lengths are in units of alpha, that is, in steps of |delta_1|; times `norm` they are distances between
weights. Neither survives a rescaling of the weights that leaves the function as it is (Dinh et al., 2017,
"Sharp minima can generalize for deep nets"): compare like with like, and both units.

Between the scanned points the loss is taken as linear. A linear interpolant lies above a convex bowl, so an
optimum narrower than the grid comes out narrower than it is, down to an area of zero. A point whose loss is
not finite counts as above every level.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from scipy import ndimage, stats
from scipy.interpolate import RegularGridInterpolator

from .scan import Curve, Surface

FINE = 200  # cells an axis of the refined surface: an area is good to about (perimeter x cell / 4), 2 % at radius 1
RADII, ANGLES = 21, 121  # of the places in a ball: on its rim, one for every 3 degrees


@dataclass(frozen=True)
class Extent:
    """A width or an area; a lower bound where the region meets the edge of the scan (`bounded` is False)."""

    size: float
    bounded: bool


def along(curve: Curve) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Alpha, loss and its standard error, (A + marks,) each, sorted: points and marks were measured alike."""
    marks = np.array([(mark.alpha, mark.loss, mark.loss_stderr) for mark in curve.marks.values()])
    points = np.concatenate([np.c_[curve.alpha, curve.loss, curve.loss_stderr], marks.reshape(-1, 3)])
    _, first = np.unique(points[:, 0], return_index=True)
    alpha, loss, stderr = points[first].T
    return alpha, loss, stderr


def cross_section(surface: Surface) -> Curve:
    """The curve along alpha at beta = 0, linear between the two rows beside it, with the marks on that line."""
    values = {
        name: np.array([np.interp(0.0, surface.beta, row) for row in getattr(surface, name)])
        for name in ("loss", "error", "loss_stderr", "error_stderr", "loss_bound", "computed")
    }
    values["computed"] = values["computed"] == 1  # both rows
    marks = {name: mark for name, mark in surface.marks.items() if mark.beta == 0}
    whole = {f.name: getattr(surface, f.name) for f in fields(Curve)}
    return Curve(**whole | values | {"marks": marks, "draws": surface.draws[:0]})


def width_below(curve: Curve, rise: float, at: str = "end") -> Extent:
    """Width in alpha of the stretch around a mark on which the loss stays within `rise` of the mark's."""
    alpha, loss, _ = along(curve)
    level = curve.marks[at].loss + rise
    centre = int(np.searchsorted(alpha, curve.marks[at].alpha))
    right, right_bounded = _first_crossing(alpha[centre:], loss[centre:], level)
    left, left_bounded = _first_crossing(alpha[centre::-1], loss[centre::-1], level)
    return Extent(float(right - left), left_bounded and right_bounded)


def _first_crossing(alpha: np.ndarray, loss: np.ndarray, level: float) -> tuple[float, bool]:
    """Where the loss, walking from the first point, first exceeds the level; (last alpha, False) if nowhere."""
    above = np.flatnonzero(~(loss <= level))
    if len(above) == 0:
        return alpha[-1], False
    i = above[0]
    if i == 0 or not np.isfinite(loss[i]):
        return alpha[max(i - 1, 0)], True
    share = (level - loss[i - 1]) / (loss[i] - loss[i - 1])
    return alpha[i - 1] + share * (alpha[i] - alpha[i - 1]), True


def largest_rise(curve: Curve, start: str = "start", end: str = "end") -> float:
    """The obstacle: the most that the loss climbs above an earlier value on the way from start to end.

    Zero if the loss never climbs; infinite where a loss on the way is not finite; NaN with fewer than three points
    between start and end, where a wall could stand unseen.
    """
    alpha, loss, _ = along(curve)
    path = loss[(alpha >= curve.marks[start].alpha) & (alpha <= curve.marks[end].alpha)]
    if len(path) < 5:
        return float("nan")
    if not np.isfinite(path).all():
        return float("inf")
    return float(np.max(path - np.minimum.accumulate(path)))


def curvature(curve: Curve, reach: float = 1.0, at: str = "end") -> float:
    """Second derivative of the loss in alpha at a mark, of the least-squares parabola within `reach` of it.

    Over `norm` squared it is the directional second derivative in the space of weights. NaN with fewer than
    three finite points in reach.
    """
    alpha, loss, _ = along(curve)
    near = (np.abs(alpha - curve.marks[at].alpha) <= reach + 1e-9) & np.isfinite(loss)
    if near.sum() < 3:
        return float("nan")
    return float(2 * np.polynomial.Polynomial.fit(alpha[near], loss[near], 2).convert().coef[2])


def area_below(surface: Surface, rise: float, at: str = "end") -> Extent:
    """Area in alpha x beta of the connected region around a mark with a loss within `rise` of the mark's.

    NaN where the mark lies outside the scan.
    """
    if not _scanned(surface, at):
        return Extent(float("nan"), False)
    alpha, beta, loss = _refine(surface)
    low = loss <= surface.marks[at].loss + rise
    region, _ = ndimage.label(low)
    here = region[_nearest(alpha, surface.marks[at].alpha), _nearest(beta, surface.marks[at].beta)]
    inside = (region == here) & low
    edge = inside[[0, -1], :].any() or inside[:, [0, -1]].any()
    cell = (alpha[1] - alpha[0]) * (beta[1] - beta[0])
    return Extent(float(inside.sum() * cell) if here else 0.0, not (here and edge))


def sharpness(surface: Surface, radius: float, at: str = "end") -> float:
    """The most that the loss rises above a mark's within `radius` of it (Keskar et al. 2016, in the plane).

    Infinite where a loss within the radius is not finite, NaN where the mark lies outside the scan.
    """
    if not _scanned(surface, at):
        return float("nan")
    mark = surface.marks[at]
    length, angle = np.meshgrid(np.linspace(0, radius, RADII), np.linspace(0, 2 * np.pi, ANGLES))
    places = np.stack([mark.alpha + length * np.cos(angle), mark.beta + length * np.sin(angle)], axis=-1)
    order = np.argsort(surface.alpha), np.argsort(surface.beta)
    axes = surface.alpha[order[0]], surface.beta[order[1]]
    inside = ((places >= [axis[0] for axis in axes]) & (places <= [axis[-1] for axis in axes])).all(axis=-1)
    with np.errstate(invalid="ignore"):  # inf - inf beside a non-finite point is a NaN, as it should be
        loss = RegularGridInterpolator(axes, surface.loss[np.ix_(*order)])(places[inside])
    highest = loss.max()
    return float(highest - mark.loss) if np.isfinite(highest) else float("inf")


def _refine(surface: Surface) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The surface's loss, bilinear, in the middle of FINE x FINE cells; NaN beside non-finite points."""
    (alpha, across), (beta, along_beta) = map(_between, (surface.alpha, surface.beta))
    finite = np.isfinite(surface.loss)
    fine = across @ np.where(finite, surface.loss, 0.0) @ along_beta.T
    if not finite.all():
        fine[across @ ~finite @ along_beta.T > 0] = np.nan
    return alpha, beta, fine


def _between(axis: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The middles of FINE cells along an axis, and (FINE, A): the share of each point of the axis in them, linearly."""
    places, order = axis.min() + np.ptp(axis) * (np.arange(FINE) + 0.5) / FINE, np.argsort(axis)
    shares = np.empty((FINE, len(axis)))
    for i, unit in zip(order, np.eye(len(axis)), strict=True):
        shares[:, i] = np.interp(places, axis[order], unit)
    return places, shares


def _scanned(surface: Surface, at: str) -> bool:
    mark = surface.marks[at]
    return bool(
        surface.alpha.min() <= mark.alpha <= surface.alpha.max()
        and surface.beta.min() <= mark.beta <= surface.beta.max()
    )


def _nearest(axis: np.ndarray, value: float) -> int:
    return int(np.abs(axis - value).argmin())


def near(surface: Surface, radius: float, at: str = "end") -> np.ndarray:
    """(A, B) bool: the scanned points within `radius` of a mark."""
    mark = surface.marks[at]
    return np.hypot(surface.alpha[:, None] - mark.alpha, surface.beta[None, :] - mark.beta) <= radius


def rank_correlation(first: np.ndarray, second: np.ndarray, where: np.ndarray | None = None) -> float:
    """Spearman's rank correlation of two surfaces' values over the points where both are finite.

    NaN where it is not defined: fewer than three points, or a surface that is equal everywhere.
    """
    both = _both_finite(first, second, where)
    a, b = first[both], second[both]
    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(stats.spearmanr(a, b).statistic)


def low_overlap(
    first: np.ndarray, second: np.ndarray, share: float = 0.2, where: np.ndarray | None = None
) -> float:
    """Points among the lowest `share` of both surfaces over those among the lowest of either (Jaccard index).

    1 for the same regions; two unrelated surfaces give share / (2 - share) on average. Ties at the border
    are all let in, so that the order of the points does not matter.
    """
    both = _both_finite(first, second, where)
    if not both.any():
        return float("nan")
    low = [values[both] <= np.quantile(values[both], share, method="lower") for values in (first, second)]
    return float((low[0] & low[1]).sum() / (low[0] | low[1]).sum())


def _both_finite(first: np.ndarray, second: np.ndarray, where: np.ndarray | None) -> np.ndarray:
    finite = np.isfinite(first) & np.isfinite(second)
    return finite if where is None else finite & where
