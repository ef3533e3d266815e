"""What is drawn inside one panel: a surface on its colour scale, marks, a trajectory."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize, to_hex
from matplotlib.contour import QuadContourSet
from matplotlib.path import Path
from matplotlib.ticker import LogLocator, MaxNLocator
from matplotlib.transforms import Bbox

from ..errors import UserError
from ..landscape.scan import Mark, Surface
from ..landscape.trajectory import Trajectory
from .notes import percent
from .style import CHALK, COLOUR_MAPS, halo, ink_on

DECADES = 20.0  # a colour scale is logarithmic where the highest loss is more than so many times the lowest
MARKERS = {"start": ("o", 5.5), "end": ("*", 11.0), "fine-tuned": ("o", 5.5), "rolled back": ("*", 11.0)}
OTHER_MARKER = ("D", 5.0)
ROOM, MARK = 0.05, 0.07  # inches between the label of a line and what else is written; half of a star


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
    values = finite_values([getattr(surface, value) for surface in surfaces])
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
    if high - low <= 1e-9 * max(abs(high), 1e-9):  # equal everywhere: one colour, no lines
        return Scale(np.array([low - 0.5, low + 0.5]), np.array([]), Normalize(low - 0.5, low + 0.5))
    if log is None:
        log = value == "loss" and spans_decades(values)
    if log and low <= 0:
        raise UserError(f"a logarithmic scale needs values above 0; the lowest is {low:g}: use log=False")
    ticks = LogLocator(subs=(1, 2, 5) if high < 100 * low else (1, 3)) if log else MaxNLocator(6)
    lines = np.array(ticks.tick_values(low, high))
    spaced, norm = (np.geomspace, LogNorm) if log else (np.linspace, Normalize)
    return Scale(spaced(low, high, 17), lines[(lines > low) & (lines < high)], norm(low, high))


def finite_values(arrays: Sequence[np.ndarray]) -> np.ndarray:
    """The finite ones of their values."""
    values = np.concatenate([array.ravel() for array in arrays])
    return values[np.isfinite(values)]


def spans_decades(values: np.ndarray) -> bool:
    """Whether all are above 0, and the highest more than DECADES times the lowest: a logarithmic scale shows more."""
    return len(values) > 0 and bool(0 < DECADES * values.min() < values.max())


def middle_of(surface: Surface) -> float:
    """The alpha that is half-way between the marks."""
    return float(np.mean([mark.alpha for mark in surface.marks.values()] or [0.0]))


def draw_surface(
    axis: Axes,
    surface: Surface,
    scale: Scale,
    value: str = "loss",
    window: float | None = None,
    named: Collection[str] = (),
    points: bool = False,
) -> None:
    """One surface into a panel: contours, marks, hatching where a cell is not finite.

    `window`: only so far around the middle of the marks. `named`: marks whose names stand elsewhere. `points`: a small
    dot at each point that was computed; those between them were interpolated.

    Raises UserError for fewer than two points on an axis.
    """
    surface = neighbourhood(surface, window)
    order = np.argsort(surface.alpha), np.argsort(surface.beta)
    alpha, beta = surface.alpha[order[0]], surface.beta[order[1]]
    if min(len(alpha), len(beta)) < 2:
        size = f"{len(alpha)} x {len(beta)} points"
        raise UserError(f"a surface of {size} cannot be drawn: it needs 2 or more on each axis")
    middle = middle_of(surface)
    axis.set(aspect="equal", xlim=alpha[[0, -1]], ylim=beta[[0, -1]])
    if window:
        axis.set(xlim=(middle - window, middle + window), ylim=(-window, window))
    values = np.ma.masked_invalid(getattr(surface, value)[np.ix_(*order)].T)  # (B, A), as matplotlib wants it
    colours = COLOUR_MAPS[value]
    if values.mask.any():
        axis.patch.set(facecolor=CHALK, hatch="/////", edgecolor="#8a8a92")
    for name, mark in surface.marks.items():
        draw_mark(axis, mark, name, name not in named, 1 if mark.alpha >= middle else -1)
    if values.count() >= 3:
        filled = axis.contourf(alpha, beta, values, scale.levels, cmap=colours, norm=scale.norm)
        filled.set(edgecolor="face", linewidth=0.3)  # closes the hairlines that vector viewers leave
        if len(scale.lines):
            inks = [ink_on(colours(scale.norm(level))) for level in scale.lines]
            axis.contour(alpha, beta, values, scale.lines, colors=inks, linewidths=0.6)
    if points:
        x, y = np.meshgrid(surface.alpha, surface.beta, indexing="ij")  # (A, B) each
        axis.scatter(x[surface.computed], y[surface.computed], s=2, color=CHALK, alpha=0.7, lw=0, zorder=3)
    axis.spines[:].set_visible(True)
    for of in (axis.xaxis, axis.yaxis):
        of.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))


def label_lines(axis: Axes, value: str = "loss") -> None:
    """Write its value on each line, where nothing is in the way; the panel must not move or grow any more."""
    inch = axis.figure.dpi
    taken = [text.get_window_extent() for text in axis.texts]
    drawn = [line.get_transform().transform_path(line.get_path()) for line in axis.lines]
    for lines in [c for c in axis.collections if isinstance(c, QuadContourSet) and not c.filled]:
        for label in axis.clabel(lines, fmt=percent if value == "error" else "%g", fontsize=9, inline=False):
            box = label.get_window_extent().padded(ROOM * inch)
            inside = all(axis.bbox.contains(*corner) for corner in box.corners())
            marked = any(touches(path, box.padded(MARK * inch)) for path in drawn)
            if inside and not marked and not box.count_overlaps(taken):
                taken.append(box)
                label.set_path_effects(halo(1.3, "black" if to_hex(label.get_color()) == CHALK else CHALK))
            else:
                label.remove()


def touches(path: Path, box: Bbox) -> bool:
    """Whether a line or a single mark comes into a box."""
    return box.count_contains(path.vertices) > 0 or bool(path.intersects_bbox(box, filled=False))


def draw_mark(axis: Axes, mark: Mark, name: str, named: bool, right: int) -> None:
    """A dot or a star; if `named` with its name, above it on the right (`right` = 1), or below it on the left (-1)."""
    marker, size = MARKERS.get(name, OTHER_MARKER)
    axis.plot(mark.alpha, mark.beta, marker, ms=size, mfc=CHALK, mec="black", mew=0.8, zorder=6)
    if named:
        ha, va = ("left", "bottom") if right > 0 else ("right", "top")
        axis.annotate(
            name,
            (mark.alpha, mark.beta),
            xytext=(3 * right, 5 * right),
            textcoords="offset points",
            ha=ha,
            va=va,
            fontsize=9,
            path_effects=halo(),
            zorder=7,
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


def neighbourhood(surface: Surface, window: float | None) -> Surface:
    """The surface's points within `window` of the middle of its marks, and one point more on each side; None: all."""
    if not window:
        return surface
    near = [
        np.abs(axis - at) <= window + np.diff(np.sort(axis)).max(initial=0)
        for axis, at in ((surface.alpha, middle_of(surface)), (surface.beta, 0.0))
    ]
    grids = {name: v[np.ix_(*near)] for name, v in vars(surface).items() if np.shape(v) == surface.loss.shape}
    return replace(surface, alpha=surface.alpha[near[0]], beta=surface.beta[near[1]], **grids)
