"""What is drawn inside one panel: a surface on its colour scale, marks, a trajectory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize, to_hex
from matplotlib.ticker import LogLocator, MaxNLocator

from ..errors import UserError
from ..landscape.scan import Curve, Mark, Surface
from ..landscape.trajectory import Trajectory
from .style import CHALK, COLOUR_MAPS, halo, ink_on

DECADES = 20.0  # a colour scale is logarithmic where the highest loss is more than so many times the lowest
MARKERS = {"start": ("o", 5.5), "end": ("*", 11.0), "fine-tuned": ("o", 5.5), "rolled back": ("*", 11.0)}
OTHER_MARKER = ("D", 5.0)
ROOM = 0.27  # inches that the label of a line needs for itself


@dataclass(frozen=True)
class Scale:
    """A colour scale: the levels that are filled and the fewer that are drawn as labelled lines."""

    levels: np.ndarray
    lines: np.ndarray
    norm: Normalize


def colour_scale(surfaces: Sequence[Surface], value: str = "loss", log: bool | None = None) -> Scale:
    """The scale that the given surfaces share. `log=None`: logarithmic where losses span more than DECADES times.

    Raises UserError if a logarithmic scale is asked for values that are not all above 0.
    """
    values = np.concatenate([getattr(surface, value).ravel() for surface in surfaces])
    values = values[np.isfinite(values)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
    if high - low <= 1e-9 * max(abs(high), 1e-9):  # equal everywhere: one colour, no lines
        return Scale(np.array([low - 0.5, low + 0.5]), np.array([]), Normalize(low - 0.5, low + 0.5))
    if log is None:
        log = value == "loss" and low > 0 and high > DECADES * low
    if log and low <= 0:
        raise UserError(f"a logarithmic scale needs values above 0; the lowest is {low:g}: use log=False")
    if log:
        levels = np.geomspace(low, high, 17)
        lines = np.array(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1, 3)).tick_values(low, high))
    else:
        levels = np.linspace(low, high, 17)
        lines = np.array(MaxNLocator(6).tick_values(low, high))
    norm = LogNorm(low, high) if log else Normalize(low, high)
    levels[[0, -1]] = low, high  # geomspace may miss the ends by a rounding, and the extreme cells with them
    return Scale(levels, lines[(lines > low) & (lines < high)], norm)


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def draw_surface(
    axis: Axes,
    surface: Surface,
    scale: Scale,
    value: str = "loss",
    side: float = 2.0,
    window: float | None = None,
) -> None:
    """One surface into a panel about `side` inches wide: contours, marks, hatching where a cell is not finite.

    `window`: only so far around the middle of the marks, with a dot at each computed point.

    Raises UserError for fewer than two points on an axis.
    """
    alpha, beta = np.sort(surface.alpha), np.sort(surface.beta)
    if min(len(alpha), len(beta)) < 2:
        raise UserError(
            f"a surface of {len(alpha)} x {len(beta)} points cannot be drawn: it needs 2 or more on each axis"
        )
    middle = float(np.mean([mark.alpha for mark in surface.marks.values()]))
    limits = np.array([alpha[[0, -1]], beta[[0, -1]]])
    if window:
        limits = np.array([[middle - window, middle + window], [-window, window]])
        draw_points(axis, surface)
    grid = getattr(surface, value)[np.ix_(np.argsort(surface.alpha), np.argsort(surface.beta))]
    values = np.ma.masked_invalid(grid.T)  # (B, A), as matplotlib wants it
    colours = COLOUR_MAPS[value]
    if values.mask.any():
        axis.patch.set(facecolor=CHALK, hatch="/////", edgecolor="#8a8a92")
    axis.set(aspect="equal", xlim=limits[0], ylim=limits[1])
    inch = np.ptp(limits[0]) / side
    taken = [(limits[0, 0] + 0.12 * inch, limits[1, 1] - 0.12 * inch)]  # by the panel's letter
    for name, mark in surface.marks.items():
        right = 1 if mark.alpha >= middle else -1
        draw_mark(axis, name, mark, right)
        taken += [
            (mark.alpha + shift * right * inch, mark.beta + rise * right * inch)
            for shift, rise in ((0, 0), (0.2, 0.12), (0.035 * len(name), 0.12))
        ]
    if values.count() >= 3:
        filled = axis.contourf(alpha, beta, values, scale.levels, cmap=colours, norm=scale.norm)
        filled.set(edgecolor="face", linewidth=0.3)  # closes the hairlines that vector viewers leave
        if len(scale.lines):
            draw_lines(axis, (alpha, beta, values), scale, value, taken, ROOM * inch)
    axis.spines[:].set_visible(True)
    axis.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axis.yaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))


def draw_lines(
    axis: Axes,
    grid: tuple[Any, Any, Any],
    scale: Scale,
    value: str,
    taken: Sequence[tuple[float, float]],
    room: float,
) -> None:
    """Lines of equal loss; a label within `room` of a taken place or another, or at the edge, is left out."""
    inks = [ink_on(COLOUR_MAPS[value](scale.norm(level))) for level in scale.lines]
    lines = axis.contour(*grid, scale.lines, colors=inks, linewidths=0.6)
    places, edges = np.array(taken), np.array([axis.get_xlim(), axis.get_ylim()])
    for label in axis.clabel(lines, fmt=percent if value == "error" else "%g", fontsize=9, inline=False):
        place = np.array(label.get_position())
        inside = (np.abs(edges - place[:, None]) > 0.4 * room).all()
        if inside and (np.linalg.norm(places - place, axis=1) > room).all():
            places = np.vstack([places, place])
            label.set_path_effects(halo(1.3, "black" if to_hex(label.get_color()) == CHALK else CHALK))
        else:
            label.remove()


def draw_mark(axis: Axes, name: str, mark: Mark, right: int) -> None:
    """A named place: a dot or a star with its name above it on the right (`right` = 1), or below on the left (-1)."""
    marker, size = MARKERS.get(name, OTHER_MARKER)
    axis.plot(mark.alpha, mark.beta, marker, ms=size, mfc=CHALK, mec="black", mew=0.8, zorder=6)
    axis.annotate(
        name,
        (mark.alpha, mark.beta),
        xytext=(3 * right, 5 * right),
        textcoords="offset points",
        ha="left" if right > 0 else "right",
        va="bottom" if right > 0 else "top",
        fontsize=9,
        path_effects=halo(),
        zorder=7,
        annotation_clip=True,
    )


def draw_trajectory(
    axis: Axes, trajectory: Trajectory, epochs: slice = slice(None), colour: str = CHALK, name: str = ""
) -> None:
    """A trajectory's epochs as dots on a line; the panel grows where it leaves it."""
    alpha, beta = trajectory.alpha[epochs], trajectory.beta[epochs]
    axis.plot(alpha, beta, color="black", lw=2.2, solid_capstyle="round", zorder=4)
    axis.plot(
        alpha, beta, "o-", color=colour, lw=1.2, ms=2.8, mec="black", mew=0.5, zorder=5, label=name or None
    )
    (left, right), (bottom, top) = axis.get_xlim(), axis.get_ylim()
    axis.set_xlim(min(left, alpha.min() - 0.1), max(right, alpha.max() + 0.1))
    axis.set_ylim(min(bottom, beta.min() - 0.1), max(top, beta.max() + 0.1))


def draw_points(axis: Axes, surface: Surface) -> None:
    """A small dot at each point that was computed; those between them were interpolated."""
    computed = getattr(surface, "computed", None)
    alpha, beta = np.meshgrid(surface.alpha, surface.beta, indexing="ij")  # (A, B)
    shown = np.ones(alpha.shape, bool) if computed is None else computed
    axis.plot(alpha[shown], beta[shown], ".", ms=1.5, color=CHALK, mec="none", alpha=0.7)


def neighbourhood(surface: Surface, window: float) -> Surface:
    """The surface's points within `window` of the middle of its marks, and one point more on each side."""
    middle = np.mean([mark.alpha for mark in surface.marks.values()])
    near = [
        np.abs(axis - at) <= window + np.diff(np.sort(axis)).max(initial=0)
        for axis, at in ((surface.alpha, middle), (surface.beta, 0.0))
    ]
    grids = {
        f.name: getattr(surface, f.name)[np.ix_(*near)]
        for f in fields(surface)
        if np.shape(getattr(surface, f.name)) == surface.loss.shape
    }
    return replace(surface, alpha=surface.alpha[near[0]], beta=surface.beta[near[1]], **grids)


def sample_note(scans: Sequence[Curve], value: str = "loss") -> str:
    """What a caption owes its reader: examples, points, precision, largest standard error, non-finite cells."""
    examples = either(scan.examples for scan in scans)
    stderr = np.concatenate([getattr(scan, f"{value}_stderr").ravel() for scan in scans])
    largest = stderr[np.isfinite(stderr)].max(initial=0.0)
    points = either(" x ".join(map(str, scan.loss.shape)) for scan in scans)
    bad = sum(scan.non_finite for scan in scans)
    worst = percent(largest) if value == "error" else f"{largest:.2g} nats"
    computed = np.concatenate([np.ravel(getattr(scan, "computed", True)) for scan in scans])
    rest = max(np.max(getattr(scan, "loss_bound", 0.0)) for scan in scans)
    within = f", within {rest:.2g} nats" if value == "loss" else ""
    return (
        f"{examples} examples, {points} points, {either(scan.precision for scan in scans)}; "
        f"standard error of a point at most {worst}."
        + ("" if computed.all() else f" Computed: {percent(computed.mean())}; the rest interpolated{within}.")
        + (f" Hatched: {bad} cells whose loss is not finite." if bad else "")
    )


def either(values: Iterable[Any]) -> str:
    """ "128" or "128 or 256": what is the same for all is said once."""
    return " or ".join(map(str, sorted(set(values))))
