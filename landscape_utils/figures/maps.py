"""Maps of surfaces side by side, on shared colour scales, with trajectories on top."""

from collections.abc import Mapping, Sequence
from textwrap import fill
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from ..landscape.scan import Surface
from ..landscape.trajectory import Trajectory
from .drawing import Scale, colour_scale, draw_surface, draw_trajectory, label_lines, neighbourhood
from .notes import leaves, percent, scan_note
from .page import PageFigure, fit_height, for_pages, legend_above, note
from .style import COLOUR_MAPS, HOW_NAMES, PHONE, WIDTH, how_name, lines_of

COLUMN = 16  # letters that stand above the narrowest of four maps
VALUE_NAMES = {"loss": "training loss (nats)", "error": "dev error rate"}


@for_pages
def surface_grid(
    surfaces: Mapping[str, Mapping[str, Surface]],
    *,
    value: str = "loss",
    log: bool | None = None,
    share: str = "heading",
    trajectories: Mapping[str, Mapping[str, Trajectory | Mapping[str, Trajectory]]] | None = None,
    window: float | None = None,
    columns: int = 4,
    points: bool = False,
    width: float = WIDTH,
) -> PageFigure:
    """Surfaces (Figures 1, 3, 6, 7): surfaces[heading][name].

    Where the names are the two trainings, and there are several headings, the layout is the paper's: a column for each
    heading, from scratch above, fine-tuned below, at most `columns` side by side. Otherwise each heading is a row. As
    wide as a phone, no figure has more than two maps side by side.

    `value`: "loss" or "error". `share`: one colour scale for each "heading", or one for "all". `trajectories`, in the
    same mapping, are drawn on top; several on one surface under their names. `window`: show only so far around the
    middle between the marks, on a colour scale of its own. `points`: a dot at each computed point.
    """
    first = next(iter(surfaces.values()))
    upright = len(surfaces) > 1 and set(first) <= set(HOW_NAMES)
    if width == PHONE:
        upright, columns = upright or len(first) > 2, 2
    figure, axes = _panels_of_maps(len(surfaces), len(first), columns, upright, width)
    seen = {h: {n: neighbourhood(s, window) for n, s in of.items()} for h, of in surfaces.items()}
    scales = [colour_scale(list(of.values()), value, log) for of in seen.values()]
    if share == "all":
        scales = [colour_scale(leaves(seen), value, log)] * len(seen)
    named: set[str] = set()  # each mark's name stands where it comes first
    for panels, scale, (heading, by_name) in zip(axes, scales, surfaces.items(), strict=True):
        for axis, (name, surface) in zip(panels, by_name.items(), strict=True):
            draw_surface(axis, surface, scale, value, window, named, points)
            named |= surface.marks.keys()
            shown = axis.axis()
            if trajectories:
                _draw_paths(axis, trajectories[heading][name])
            if window:
                axis.axis(shown)
            axis.label_outer()
        _name_panels(panels, heading, list(by_name), upright)
        if share != "all":
            colour_bar(figure, panels, scale, value, below=upright)
    first_panel = axes[0, 0]
    if share == "all":
        colour_bar(figure, axes.ravel().tolist(), scales[0], value)
    first_panel.set_ylabel(f"{first_panel.get_ylabel()}\nβ")
    (axes[0, -1] if upright else axes[-1, 0]).set_xlabel("α")
    if first_panel.get_legend_handles_labels()[1]:  # within the maps of a phone it would take all their room
        legend_above(figure, first_panel)
    note(figure, scan_note(seen, value))
    fit_height(figure)
    for axis in axes.flat:
        label_lines(axis, value)
    return figure


def _panels_of_maps(
    headings: int, names: int, columns: int, upright: bool, width: float
) -> tuple[PageFigure, np.ndarray]:
    """A figure, higher than its panels need, and these, (headings, names)."""
    across = min(columns, headings) if upright else names
    rows = -(-headings // across) * names if upright else headings
    side = min((width - 1.0) / across, 5.0)  # inches
    figure = PageFigure(across * side + 1.0, rows * (side + 0.8) + 1.2, layout="compressed")
    grid = figure.subplots(rows, across, squeeze=False)
    if upright:  # blocks of rows, one for each name
        grid = grid.reshape(-1, names, across).swapaxes(1, 2).reshape(-1, names)
    for axis in grid[headings:].flat:
        axis.remove()
    return figure, grid[:headings]


def _name_panels(panels: Sequence[Axes], heading: str, names: Sequence[str], upright: bool) -> None:
    """The heading above its column, or beside its row, and the names along the other side."""
    panels[0].set(**({"title": fill(heading, COLUMN)} if upright else {"ylabel": heading}))
    for axis, name in zip(panels, names, strict=True):
        spec: Any = axis.get_subplotspec()
        if spec.is_first_col() if upright else spec.is_first_row():
            axis.set(**{"ylabel" if upright else "title": how_name(name)})


def _draw_paths(axis: Axes, paths: Trajectory | Mapping[str, Trajectory]) -> None:
    if isinstance(paths, Trajectory):
        draw_trajectory(axis, paths)
    else:
        for name, path in paths.items():
            draw_trajectory(axis, path, colour=lines_of(paths)[name]["color"], name=how_name(name))


def colour_bar(figure: Figure, axes: Sequence[Axes], scale: Scale, value: str, below: bool = False) -> None:
    """A bar for these panels, on their right or below them; its ticks are the labelled lines."""
    mappable = ScalarMappable(scale.norm, COLOUR_MAPS[value])
    side = "bottom" if below else "right"
    bar = figure.colorbar(mappable, ax=axes, aspect=24, pad=0.015, location=side, label=VALUE_NAMES[value])
    ticks = scale.lines.tolist() or [float(scale.levels.mean())]
    if below:  # narrow: letters side by side need room
        ticks = ticks[:: -(-len(ticks) // 4)]
    bar.set_ticks(ticks, labels=[percent(tick) if value == "error" else f"{tick:g}" for tick in ticks])
    bar.minorticks_off()
