"""The figures: loss histories, curves, surfaces with trajectories, overfitting, rollback.

Each function takes data objects (runs, curves, surfaces, ...) in mappings whose keys become the headings, and
returns a matplotlib `Figure` for a text column or two. None of them knows of a study or a task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ..landscape.flatness import along
from ..landscape.rollback import FINE_TUNED, Rollback
from ..landscape.scan import Curve, Surface
from ..landscape.trajectory import Trajectory
from ..training.finetune import Run
from ..training.history import smoothed
from .drawing import (
    MARKERS,
    OTHER_MARKER,
    Scale,
    colour_scale,
    draw_points,
    draw_surface,
    draw_trajectory,
    either,
    neighbourhood,
    percent,
    sample_note,
)
from .page import PageFigure, label_panels, legend_above, note, panels
from .style import (
    CHALK,
    COLOUR_MAPS,
    GROUP_COLOURS,
    HOW_NAMES,
    INK,
    PAPER,
    WIDTH,
    halo,
    how_name,
    lines_of,
    style,
)

VALUE_NAMES = {"loss": "training loss (nats)", "error": "dev error rate"}
AFTER = "#ffb000"  # amber: the epochs after the first training
PERCENT = FuncFormatter(lambda share, _: percent(share))


@style
def loss_histories(runs: Mapping[str, Mapping[str, Sequence[Run]]]) -> Figure:
    """Training loss against epochs (Figure 2): runs[heading][how] are the runs of several seeds.

    Faint: the loss of each optimiser step. Bold: centred moving mean over half an epoch, then over the seeds.
    """
    figure, axes = _in_pairs(len(runs))
    looks = lines_of(how for by_how in runs.values() for how in by_how)
    for axis, (heading, by_how) in zip(axes, runs.items(), strict=True):
        for how, seeds in by_how.items():
            for run in seeds:
                axis.plot(
                    run.epoch_of_step,
                    run.loss,
                    color=looks[how]["color"],
                    lw=0.5,
                    alpha=0.2,
                    rasterized=True,
                )
            axis.plot(*smoothed(seeds), **looks[how], label=how_name(how), path_effects=halo(width=2.6))
        axis.set_title(heading, parse_math=False)
        axis.set(xlim=(0, None), ylim=(0, None))
        axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    legend_above(figure, axes[0])
    _outer_labels(axes, "epoch", VALUE_NAMES["loss"])
    seeds_each = either({len(seeds) for by_how in runs.values() for seeds in by_how.values()})
    failed = [
        f"{heading} {how_name(how)} ({n} of {len(seeds)})"
        for heading, by_how in runs.items()
        for how, seeds in by_how.items()
        if (n := sum(not run.learned for run in seeds))
    ]
    said = f"Bold: moving mean over half an epoch, {seeds_each} seed(s). Faint: each step of each seed."
    note(figure, said + _stayed(failed))
    return figure


@style
def curves(
    by_heading: Mapping[str, Mapping[str, Curve]], *, against: str = "alpha", top: float | None = None
) -> Figure:
    """One-dimensional loss curves (Figure 5): by_heading[heading][how], or a user's own names for the trainings.

    `against="alpha"`: in steps of each run's own |delta_1|, as the paper. `"distance"`: in distance between
    weights, (alpha - 1) |delta_1|, both end points at 0; all of the shorter curve and as much of the longer.
    `top` cuts the loss axis. Bands: two standard errors each way.
    """
    figure, axes = _in_pairs(len(by_heading))
    looks = lines_of(how for by_how in by_heading.values() for how in by_how)
    for axis, (heading, by_how) in zip(axes, by_heading.items(), strict=True):
        reach = []
        for how, curve in by_how.items():
            colour = looks[how]["color"]
            scale, origin = (1.0, 0.0) if against == "alpha" else (curve.norm, 1.0)
            alpha, loss, stderr = along(curve)
            x = scale * (alpha - origin)
            reach.append((x[0], x[-1]))
            axis.plot(x, loss, **looks[how], label=how_name(how))
            around = loss + np.multiply.outer([-2, 2], stderr)  # (2, A)
            axis.fill_between(x, *around, color=colour, alpha=0.15, lw=0)
            for name, mark in curve.marks.items():
                marker, size = MARKERS.get(name, OTHER_MARKER)
                at = scale * (mark.alpha - origin)
                axis.plot(at, mark.loss, marker, ms=size, color=colour, mec=PAPER, mew=0.8)
        lows, highs = zip(*reach, strict=True)
        axis.set_title(heading, parse_math=False)
        axis.set(ylim=(0, top), xlim=(max(lows), min(highs)))
        axis.set_ylim(bottom=-0.04 * axis.get_ylim()[1])  # room for a star at zero
    legend_above(figure, axes[0])
    distance = "distance from the end, (α − 1) |δ₁|"
    _outer_labels(axes, "α" if against == "alpha" else distance, VALUE_NAMES["loss"])
    said = "Dot: start. Star: end. Bands: two standard errors. " + sample_note(_leaves(by_heading))
    note(figure, said + _stayed(_failed(by_heading)))
    return figure


@style
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
) -> Figure:
    """Surfaces (Figures 1, 3, 6, 7): surfaces[heading][name].

    Where the names are the two trainings, and there are several headings, the layout is the paper's: a column for each
    heading, from scratch above, fine-tuned below, at most `columns` side by side. Otherwise each heading is a row.

    `value`: "loss" or "error". `share`: one colour scale for each "heading", or one for "all". `trajectories`, in the
    same mapping, are drawn on top; several on one surface under their names. `window`: show only so far around the
    middle between the marks, on a colour scale of its own. `points`: a dot at each computed point.
    """
    whole, first = _leaves(surfaces), next(iter(surfaces.values()))
    if window:
        surfaces = {h: {n: neighbourhood(s, window) for n, s in of.items()} for h, of in surfaces.items()}
    upright = len(surfaces) > 1 and set(first) <= set(HOW_NAMES)
    across = min(columns, len(surfaces)) if upright else len(first)
    side = min((WIDTH - 1.0) / across, 5.0)  # inches
    figure, axes = _panels_of_maps(len(surfaces), len(first), across, side, upright)
    scales = [colour_scale(list(of.values()), value, log) for of in surfaces.values()]
    if share == "all":
        scales = [colour_scale(_leaves(surfaces), value, log)] * len(surfaces)
    for column, scale, (heading, by_name) in zip(axes, scales, surfaces.items(), strict=True):
        for axis, (name, surface) in zip(column, by_name.items(), strict=True):
            draw_surface(axis, surface, scale, value, side, window)
            shown = axis.axis()
            if trajectories:
                _draw_paths(axis, trajectories[heading][name])
            if window:
                axis.axis(shown)
            elif points:
                draw_points(axis, surface)
            axis.label_outer()
        _name_panels(column, heading, list(by_name), upright)
    _finish_maps(figure, axes, scales, value, share == "all", upright)
    note(figure, sample_note(whole, value) + _stayed(_failed(surfaces)))
    return figure


def _panels_of_maps(
    headings: int, names: int, across: int, side: float, upright: bool
) -> tuple[Figure, list[list[Axes]]]:
    """A figure and its panels, axes[heading][name]."""
    rows = -(-headings // across) * names if upright else headings
    others = 1.2 * rows / names + 0.8 if upright else 1.2  # inches, for what is written around the panels
    figure = PageFigure(across * side + 1.0, rows * side + others, layout="compressed")
    grid = figure.subplots(rows, across, squeeze=False)
    if not upright:
        return figure, [list(row) for row in grid]
    blocks = [
        [grid[i // across * names + j, i % across] for j in range(names)]
        for i in range(rows // names * across)
    ]
    for axis in np.ravel(np.array(blocks[headings:], dtype=object)):
        axis.remove()
    return figure, blocks[:headings]


def _name_panels(panels: Sequence[Axes], heading: str, names: Sequence[str], upright: bool) -> None:
    """The heading above its column, or beside its row, and the names along the other side."""
    panels[0].set(**{"title" if upright else "ylabel": heading})
    for axis, name in zip(panels, names, strict=True):
        spec: Any = axis.get_subplotspec()
        if spec.is_first_col() if upright else spec.is_first_row():
            axis.set(**{"ylabel" if upright else "title": how_name(name)})
        for text in (axis.title, axis.yaxis.label):
            text.set_parse_math(False)


def _finish_maps(
    figure: Figure, axes: list[list[Axes]], scales: list[Scale], value: str, one: bool, upright: bool
) -> None:
    """Letters, the names of the axes at the first panel, colour bars."""
    first = axes[0][0]
    first.set_ylabel(f"{first.get_ylabel()}\nβ")
    (axes[0][-1] if upright else axes[-1][0]).set_xlabel("α")
    every = list(chain.from_iterable(axes))
    if one:
        _colour_bar(figure, every, scales[0], value, location="right")
    else:
        for panels, scale in zip(axes, scales, strict=True):
            _colour_bar(figure, panels, scale, value, location="bottom" if upright else "right")
    label_panels(every, inside=True)


def _draw_paths(axis: Axes, paths: Trajectory | Mapping[str, Trajectory]) -> None:
    if isinstance(paths, Trajectory):
        return draw_trajectory(axis, paths)
    looks = lines_of(paths)
    for name, path in paths.items():
        draw_trajectory(axis, path, colour=looks[name]["color"], name=how_name(name))
    axis.legend(loc="lower right", fontsize=9, frameon=True)
    return None


@style
def overfitting(surface: Surface, trajectory: Trajectory, first: Run, further: Run) -> Figure:
    """Figure 4: dev-error surface with the epochs of a run and of its continuation; dev error and loss by epoch."""
    figure = PageFigure(WIDTH, 6.6)
    grid = figure.subplot_mosaic([["whole", "close"], ["error", "loss"]], height_ratios=[3, 2])
    scale = colour_scale([surface], "error")
    window = 0.2 + max(1, *np.abs(trajectory.alpha - 0.5), *np.abs(trajectory.beta))
    draw_surface(grid["whole"], surface, scale, "error", side=3.2)
    draw_surface(grid["close"], neighbourhood(surface, window), scale, "error", 3.2, window)
    for axis in (grid["whole"], grid["close"]):
        draw_trajectory(axis, trajectory, slice(first.epochs, None), AFTER)
        draw_trajectory(axis, trajectory, slice(first.epochs + 1))
    grid["whole"].set(xlabel="α", ylabel="β")
    _colour_bar(figure, [grid["whole"], grid["close"]], scale, "error")
    label_panels([grid["whole"], grid["close"]], inside=True)
    for name, before, after in (
        ("error", 1 - first.dev_accuracy, 1 - further.dev_accuracy),
        ("loss", first.dev_loss, further.dev_loss),
    ):
        axis = grid[name]
        axis.plot(before, "o-", color=INK, mfc=CHALK, mec="black", ms=4)
        axis.plot(first.epochs + np.arange(len(after)), after, "o-", color=INK, mfc=AFTER, mec="black", ms=4)
        axis.set(xlabel="epoch", ylim=(0, None))
    grid["error"].set_ylabel("dev error rate")
    grid["error"].yaxis.set_major_formatter(PERCENT)
    grid["loss"].set_ylabel("dev loss (nats)")
    label_panels([grid["error"], grid["loss"]], start=2)
    phases = f"White: the first {first.epochs} epochs. Amber: the {further.epochs} after. Below: the whole dev set. "
    note(figure, phases + "Above: " + sample_note([surface], "error"))
    return figure


@style
def rollback_bars(
    rollbacks: Mapping[str, Rollback], paper: Mapping[str, Mapping[str, float]] | None = None
) -> Figure:
    """Table 1 as bars: dev accuracy fine-tuned and with each layer group set back to its pre-trained values.

    Whiskers: two standard errors. `paper[heading][group]`, in percent, are drawn as diamonds.
    """
    theirs = paper or {}
    figure, ((axis,),) = panels(1, 1, height=3.2)
    bars = (FINE_TUNED, *next(iter(rollbacks.values())).groups)
    for i, (bar, colour) in enumerate(zip(bars, GROUP_COLOURS, strict=True)):
        at = np.arange(len(rollbacks)) + (i - (len(bars) - 1) / 2) / (len(bars) + 1)
        measured = [
            (r.fine_tuned, r.fine_tuned_stderr) if bar == FINE_TUNED else (r.groups[bar], r.stderr[bar])
            for r in rollbacks.values()
        ]
        height, stderr = np.transpose(measured)
        axis.bar(
            at,
            height,
            width=0.9 / (len(bars) + 1),
            yerr=2 * stderr,
            color=colour,
            edgecolor=INK,
            linewidth=0.5,
            error_kw={"lw": 0.8, "ecolor": INK},
            label=bar,
        )
        known = {x: theirs[task][bar] / 100 for x, task in zip(at, rollbacks, strict=True) if task in theirs}
        axis.plot(known.keys(), known.values(), "D", ms=4, mfc=PAPER, mec=INK, mew=0.9, zorder=5)
    axis.set_xticks(range(len(rollbacks)), list(rollbacks), parse_math=False)
    axis.set(ylabel="dev accuracy", ylim=(0, 1))
    axis.yaxis.set_major_formatter(PERCENT)
    legend_above(figure, axis)
    whiskers = "Low, middle, high: with these layers rolled back. Whiskers: two standard errors."
    note(figure, whiskers + (" Diamonds: the paper, BERT-large." if paper else ""))
    return figure


def _leaves(nested: Mapping[str, Mapping[str, Any]]) -> list[Any]:
    return [leaf for row in nested.values() for leaf in row.values()]


def _failed(scans: Mapping[str, Mapping[str, Curve]]) -> list[str]:
    """The scans of trainings that do no better on the dev set than its largest class."""
    return [f"{h} {how_name(n)}" for h, of in scans.items() for n, scan in of.items() if not scan.learned]


def _stayed(failed: Sequence[str]) -> str:
    return f" No better than the largest class on dev: {', '.join(failed)}." if failed else ""


def _in_pairs(count: int) -> tuple[Figure, list[Axes]]:
    """Panels two by two; an odd one out leaves its place empty."""
    figure, grid = panels(-(-count // 2), min(count, 2), height=2.7)
    axes = list(grid.flat)
    for axis in axes[count:]:
        axis.remove()
    label_panels(axes[:count])
    return figure, axes[:count]


def _outer_labels(axes: Sequence[Axes], x: str, y: str) -> None:
    """Axis labels where a row begins and where a column ends, two panels a row."""
    for axis in axes[::2]:
        axis.set_ylabel(y)
    for axis in axes[-2:]:
        axis.set_xlabel(x)


def _colour_bar(figure: Figure, axes: Any, scale: Scale, value: str, location: str = "right") -> None:
    mappable = ScalarMappable(scale.norm, COLOUR_MAPS[value])
    bar = figure.colorbar(
        mappable, ax=axes, aspect=24, pad=0.015, location=location, label=VALUE_NAMES[value]
    )
    ticks = scale.lines.tolist() or [float(scale.levels.mean())]
    if location == "bottom":  # narrow: letters side by side need room
        ticks = ticks[:: -(-len(ticks) // 4)]
    bar.set_ticks(ticks, labels=[percent(tick) if value == "error" else f"{tick:g}" for tick in ticks])
    bar.minorticks_off()
