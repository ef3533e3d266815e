"""Numbers read off curves and surfaces: how wide an optimum is, how high an obstacle, how well two surfaces agree.

A width is the distance in alpha to where the loss first exceeds a level; times `norm` it is a distance between weights.
Neither survives a rescaling of the weights that leaves the function as it is (Dinh et al. 2017, "Sharp minima can
generalize for deep nets"): for a number that does, see `directions`.

A scan carries bootstrap draws of its examples. The functions here take all versions of a scan at once, (V, ...): row 0
is the scan itself, the others are its draws. Between the scanned points the loss is taken as linear. A loss that is not
finite is above every level.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import sparse

from .scan import Curve, Surface

RAYS, STEPS = 36, 33  # of the region seen from a mark: one ray for every 10 degrees
HIGH = 1e30  # stands for a loss that is not finite: an interpolant beside it is above every level


class Versions(NamedTuple):
    """A scan, row 0, and its bootstrap draws: loss and error (V, *grid), and of each mark (V,)."""

    loss: np.ndarray
    error: np.ndarray
    mark_loss: dict[str, np.ndarray]
    mark_error: dict[str, np.ndarray]


@dataclass(frozen=True, eq=False)
class Extent:
    """Widths or areas, (V,); a lower bound where the region meets the edge of the scan and `bounded` is False."""

    size: np.ndarray
    bounded: np.ndarray


def versions(scan: Curve) -> Versions:
    """The scan itself and each of its bootstrap draws."""
    count, shape = scan.loss.size, scan.loss.shape
    marks = scan.marks.values()
    itself = np.array(
        [[*scan.loss.ravel(), *(m.loss for m in marks)], [*scan.error.ravel(), *(m.error for m in marks)]]
    )
    every = np.concatenate([itself[None], scan.draws.astype(float).reshape(-1, *itself.shape)])
    loss, error = (every[:, i, :count].reshape(-1, *shape) for i in (0, 1))
    at_marks = [dict(zip(scan.marks, every[:, i, count:].T, strict=True)) for i in (0, 1)]
    return Versions(loss, error, *at_marks)


def along(curve: Curve) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Alpha, loss and its standard error, (A + marks,) each, sorted: points and marks were measured alike."""
    marks = np.array([(mark.alpha, mark.loss, mark.loss_stderr) for mark in curve.marks.values()])
    points = np.concatenate([np.c_[curve.alpha, curve.loss, curve.loss_stderr], marks.reshape(-1, 3)])
    _, first = np.unique(points[:, 0], return_index=True)
    alpha, loss, stderr = points[first].T
    return alpha, loss, stderr


def merged(
    alpha: np.ndarray, values: np.ndarray, places: Mapping[str, float], at: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Alpha (N,) and values (V, N) of a line's points, (A,) and (V, A), and marks, sorted."""
    positions = np.concatenate([alpha, list(places.values())])
    together = np.concatenate([values, *(at[name][:, None] for name in places)], axis=1)
    unique, first = np.unique(positions, return_index=True)
    return unique, together[:, first]


def losses_along(scan: Curve) -> tuple[np.ndarray, np.ndarray]:
    """Alpha (N,) and loss (V, N) of a curve, or of a surface's cross-section at beta = 0, with the marks on it."""
    found = versions(scan)
    places = {name: mark.alpha for name, mark in scan.marks.items() if mark.beta == 0}
    loss = found.loss
    if isinstance(scan, Surface):
        order = np.argsort(scan.alpha), np.argsort(scan.beta)
        on_line = np.c_[scan.alpha, np.zeros(len(scan.alpha))]
        finite = np.where(np.isfinite(loss), loss, HIGH)[:, order[0]][:, :, order[1]]
        shares = bilinear((scan.alpha[order[0]], scan.beta[order[1]]), on_line)
        loss = (shares @ finite.reshape(len(loss), -1).T).T
    return merged(scan.alpha, loss, places, found.mark_loss)


def reach(distance: np.ndarray, loss: np.ndarray, level: np.ndarray) -> Extent:
    """The distance, (V, ...), at which the loss, walking along the last axis, first exceeds the level.

    Args:
        distance: (..., N) from the start, rising; `loss`: (V, ..., N); `level`: (V,).
    """
    level = level.reshape(-1, *[1] * (loss.ndim - 1))  # (V, 1, ...)
    loss = np.where(np.isfinite(loss), loss, HIGH)
    distance = np.broadcast_to(distance, loss.shape)
    above = loss > level
    bounded = np.asarray(above.any(axis=-1))
    i = np.where(bounded, above.argmax(axis=-1), loss.shape[-1] - 1)[..., None]

    def pick(values: np.ndarray, index: np.ndarray) -> np.ndarray:
        return np.take_along_axis(values, index, axis=-1)[..., 0]

    here, there = pick(distance, np.maximum(i - 1, 0)), pick(distance, i)
    below, over = pick(loss, np.maximum(i - 1, 0)), pick(loss, i)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.clip((level[..., 0] - below) / (over - below), 0, 1)
    crossing = np.where(i[..., 0] == 0, 0.0, here + share * (there - here))
    return Extent(np.where(bounded, crossing, there), bounded)


def width_below(scan: Curve, level: np.ndarray, at: str = "end", sides: str = "both") -> Extent:
    """Width in alpha, (V,), of the stretch around a mark on which the loss stays below `level`, (V,).

    `sides` "left" takes the part towards smaller alpha alone. Of a surface it is the cross-section at beta = 0.
    """
    alpha, loss = losses_along(scan)
    centre = int(np.searchsorted(alpha, scan.marks[at].alpha))
    left = reach(alpha[centre] - alpha[centre::-1], loss[:, centre::-1], level)
    if sides == "left":
        return left
    right = reach(alpha[centre:] - alpha[centre], loss[:, centre:], level)
    return Extent(left.size + right.size, left.bounded & right.bounded)


def bilinear(axes: Sequence[np.ndarray], places: np.ndarray) -> sparse.csr_array:
    """(N, A B): the shares of a grid's values, row by row, in their bilinear interpolant at places (N, 2) on it."""
    cells = [
        np.clip(np.searchsorted(axis, x, "right") - 1, 0, len(axis) - 2)
        for axis, x in zip(axes, places.T, strict=True)
    ]
    shares = [
        (x - axis[i]) / (axis[i + 1] - axis[i]) for axis, x, i in zip(axes, places.T, cells, strict=True)
    ]
    (a, b), (s, t), (n, width) = cells, shares, (len(places), len(axes[1]))
    corners = np.stack(
        [a * width + b, a * width + b + 1, (a + 1) * width + b, (a + 1) * width + b + 1], axis=1
    )
    weights = np.stack([(1 - s) * (1 - t), (1 - s) * t, s * (1 - t), s * t], axis=1)
    return sparse.csr_array(
        (weights.ravel(), corners.ravel(), np.arange(n + 1) * 4), shape=(n, len(axes[0]) * width)
    )


def region_around(surface: Surface, at: str = "end", of: str = "loss") -> Callable[[np.ndarray], Extent]:
    """The region seen from a mark: a function of a level, (V,), that gives its area in alpha x beta, (V,).

    From the mark one walks along rays until the loss first exceeds the level: the area is pi times the mean square of
    the ways. `of` "error" takes the error rate instead. NaN where the mark lies outside the scan.
    """
    mark, found = surface.marks[at], versions(surface)
    seen, centre = (found.loss, found.mark_loss) if of == "loss" else (found.error, found.mark_error)
    order = np.argsort(surface.alpha), np.argsort(surface.beta)
    axes = surface.alpha[order[0]], surface.beta[order[1]]
    place, low, high = np.array([mark.alpha, mark.beta]), *np.array([(a[0], a[-1]) for a in axes]).T
    if (place < low).any() or (place > high).any():
        return lambda level: Extent(np.full(len(level), np.nan), np.zeros(len(level), bool))
    angle = np.arange(RAYS) * 2 * np.pi / RAYS
    direction = np.stack([np.cos(angle), np.sin(angle)], axis=-1)  # (RAYS, 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        edges = np.where(direction > 0, (high - place) / direction, (low - place) / direction)
    edge = np.where(np.abs(direction) < 1e-12, np.inf, edges).min(axis=-1)  # (RAYS,)
    distance = np.linspace(0, 1, STEPS) * edge[:, None]  # (RAYS, STEPS)
    places = np.clip(place + distance[..., None] * direction[:, None], low, high)
    finite = np.where(np.isfinite(seen), seen, HIGH)[:, order[0]][:, :, order[1]]  # (V, A, B)
    there = (bilinear(axes, places.reshape(-1, 2)) @ finite.reshape(len(seen), -1).T).T
    there = there.reshape(len(seen), RAYS, STEPS)
    there[:, :, 0] = centre[at][:, None]

    def area(level: np.ndarray) -> Extent:
        way = reach(distance, there, level)  # (V, RAYS)
        return Extent(np.pi * (way.size**2).mean(axis=-1), np.asarray(way.bounded.all(axis=-1)))

    return area


def largest_rise(loss: np.ndarray) -> np.ndarray:
    """The obstacle, (V,): the most that the loss, (V, N), climbs above an earlier value; 0 if it only falls.

    Infinite where a loss is not finite.
    """
    finite = np.isfinite(loss).all(axis=-1)
    path = np.where(finite[:, None], loss, 0.0)
    rise = (path - np.minimum.accumulate(path, axis=-1)).max(axis=-1)
    return np.where(finite, rise, np.inf)


def near(surface: Surface, radius: float, at: str = "end") -> np.ndarray:
    """(A, B) bool: the scanned points within `radius` of a mark."""
    return distance_from(surface, at) <= radius


def distance_from(surface: Surface, at: str = "end") -> np.ndarray:
    """(A, B): distance of the scanned points from a mark, in alpha."""
    mark = surface.marks[at]
    return np.hypot(surface.alpha[:, None] - mark.alpha, surface.beta[None, :] - mark.beta)


def partial_rank_correlation(first: np.ndarray, second: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation, (V,), of two surfaces' values, (V, N) each, given a third, (N,).

    A cubic of the ranks of `given` is fitted to the ranks of both, and what is left is correlated: a straight line
    would leave the bend that ranks of noisy values have. NaN where nothing is left of one of them.
    """
    from scipy import linalg, stats

    x, y, z = (stats.rankdata(values, axis=-1) for values in (first, second, given))
    basis = linalg.orth(np.vander((z - z.mean()) / max(np.ptp(z), 1.0), 4))  # (N, 4), fewer if z is constant
    x, y = (ranks - (ranks @ basis) @ basis.T for ranks in (x, y))
    norm = np.sqrt((x**2).sum(-1) * (y**2).sum(-1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(norm > 1e-6 * len(given), (x * y).sum(-1) / norm, np.nan)


def rank_correlation(first: np.ndarray, second: np.ndarray, where: np.ndarray | None = None) -> float:
    """Spearman's rank correlation of two surfaces' values over the points where both are finite.

    NaN where it is not defined: fewer than three points, or a surface that is equal everywhere.
    """
    both = np.isfinite(first) & np.isfinite(second) & (True if where is None else where)
    a, b = first[both], second[both]
    if len(a) < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    from scipy import stats

    return float(stats.spearmanr(a, b).statistic)


def low_overlap(
    first: np.ndarray, second: np.ndarray, share: float = 0.2, where: np.ndarray | None = None
) -> float:
    """Points among the lowest `share` of both surfaces over those among the lowest of either (Jaccard index).

    1 for the same regions; two unrelated surfaces give share / (2 - share) on average. Ties at the border
    are all let in, so that the order of the points does not matter.
    """
    both = np.isfinite(first) & np.isfinite(second) & (True if where is None else where)
    if not both.any():
        return float("nan")
    low = [values[both] <= np.quantile(values[both], share, method="lower") for values in (first, second)]
    return float((low[0] & low[1]).sum() / (low[0] | low[1]).sum())
