"""The figures: loss histories, curves, surfaces with trajectories, overfitting, rollback.

Each function takes data objects (runs, curves, surfaces, ...) in mappings whose keys become the headings, and
returns a matplotlib `Figure` for a text column or two. None of them knows of a study or a task.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from ..landscape.flatness import along
from ..landscape.rollback import FINE_TUNED
from ..training.history import smoothed
from .drawing import (
    MARKERS,
    OTHER_MARKER,
    Scale,
    close_up,
    colour_scale,
    draw_surface,
    draw_trajectory,
    either,
    percent,
    sample_note,
)
from .style import (
    COLOUR_MAPS,
    GROUP_COLOURS,
    HOW_LINES,
    HOW_NAMES,
    INK,
    WIDTH,
    halo,
    label_panels,
    legend_above,
    note,
    panels,
    style,
)

if TYPE_CHECKING:
    from ..landscape.rollback import Rollback
    from ..landscape.scan import Curve, Surface
    from ..landscape.trajectory import Trajectory
    from ..training.finetune import Run

VALUE_NAMES = {"loss": "training loss (nats)", "error": "dev error rate"}
AFTER = "#ffb000"  # amber: the epochs after the first training
PERCENT = FuncFormatter(lambda share, _: percent(share))


@style
def loss_histories(runs: Mapping[str, Mapping[str, Sequence[Run]]]) -> Figure:
    """Training loss against epochs (Figure 2): runs[heading][how] are the runs of several seeds.

    Faint: the loss of each optimiser step. Bold: centred moving mean over half an epoch, then over the seeds.
    """
    figure, axes = _in_pairs(len(runs))
    for axis, (heading, by_how) in zip(axes, runs.items(), strict=True):
        for how, seeds in by_how.items():
            for run in seeds:
                axis.plot(
                    run.epoch_of_step,
                    run.loss,
                    color=HOW_LINES[how]["color"],
                    lw=0.5,
                    alpha=0.2,
                    rasterized=True,
                )
            axis.plot(*smoothed(seeds), **HOW_LINES[how], label=HOW_NAMES[how], path_effects=halo(width=2.6))
        axis.set_title(heading, parse_math=False)
        failed = _failed(by_how)
        highest = max(run.loss.max() for seeds in by_how.values() for run in seeds)
        room = 0.03 + 0.1 * len(failed)  # of the panel's height, above all lines
        axis.set(xlim=(0, None), ylim=(0, highest / (1 - room)))
        axis.text(0.98, 0.98, "\n".join(failed), transform=axis.transAxes, ha="right", va="top", fontsize=8)
    legend_above(figure, axes[0])
    _outer_labels(axes, "epoch", VALUE_NAMES["loss"])
    seeds_each = either({len(seeds) for by_how in runs.values() for seeds in by_how.values()})
    note(
        figure, f"Bold: moving mean over half an epoch, {seeds_each} seed(s). Faint: each step of each seed."
    )
    return figure


@style
def curves(
    by_heading: Mapping[str, Mapping[str, Curve]], *, against: str = "alpha", top: float | None = None
) -> Figure:
    """One-dimensional loss curves (Figure 5), by_heading[heading][how]: solid is fine-tuned, dashed from scratch.

    `against="alpha"`: in steps of each run's own |delta_1|, as the paper. `"distance"`: in distance between
    weights, (alpha - 1) |delta_1|, both end points at 0; all of the shorter curve and as much of the longer.
    `top` cuts the loss axis. Bands: two standard errors each way.
    """
    figure, axes = _in_pairs(len(by_heading))
    for axis, (heading, by_how) in zip(axes, by_heading.items(), strict=True):
        reach = []
        for how, curve in by_how.items():
            colour = HOW_LINES[how]["color"]
            scale, origin = (1.0, 0.0) if against == "alpha" else (curve.norm, 1.0)
            alpha, loss, stderr = along(curve)
            x = scale * (alpha - origin)
            reach.append((x[0], x[-1]))
            axis.plot(x, loss, **HOW_LINES[how], label=HOW_NAMES[how])
            around = loss + np.multiply.outer([-2, 2], stderr)  # (2, A)
            axis.fill_between(x, *around, color=colour, alpha=0.15, lw=0)
            for name, mark in curve.marks.items():
                marker, size = MARKERS.get(name, OTHER_MARKER)
                at = scale * (mark.alpha - origin)
                axis.plot(at, mark.loss, marker, ms=size, color=colour, mec="white", mew=0.8)
        lows, highs = zip(*reach, strict=True)
        axis.set_title(heading, parse_math=False)
        axis.set(ylim=(0, top), xlim=(max(lows), min(highs)))
        axis.set_ylim(bottom=-0.04 * axis.get_ylim()[1])  # room for a star at zero
    legend_above(figure, axes[0])
    distance = "distance from the end, (α − 1) |δ₁|"
    _outer_labels(axes, "α" if against == "alpha" else distance, VALUE_NAMES["loss"])
    failed = [f"{task} {how}" for task, of in by_heading.items() for how, c in of.items() if not c.learned]
    stayed = f" At the majority class on the dev set: {', '.join(failed)}." if failed else ""
    note(
        figure,
        "Dot: start. Star: end. Bands: two standard errors. " + sample_note(_leaves(by_heading)) + stayed,
    )
    return figure


@style
def surface_grid(
    surfaces: Mapping[str, Mapping[str, Surface]],
    *,
    value: str = "loss",
    log: bool | None = None,
    share: str = "row",
    trajectories: Mapping[str, Mapping[str, Trajectory]] | None = None,
    window: float | None = None,
) -> Figure:
    """Surfaces in rows and columns (Figures 1, 3, 6, 7): surfaces[row][column]; the keys are the headings.

    `value`: "loss" or "error". `share`: one colour scale for each "row", or one for "all". `trajectories`, in
    the same mapping, are drawn on top. `window`: show only so far around the middle between start and end.
    """
    columns = list(next(iter(surfaces.values())))
    side = min(1.95, 4.5 / len(columns))  # inches
    figure, axes = panels(len(surfaces), len(columns), height=side, width=len(columns) * side + 1.1)
    scales = [colour_scale(list(row.values()), value, log) for row in surfaces.values()]
    if share == "all":
        scales = [colour_scale(_leaves(surfaces), value, log)] * len(surfaces)
    for row, scale, (heading, by_column) in zip(axes, scales, surfaces.items(), strict=True):
        for axis, (name, surface) in zip(row, by_column.items(), strict=True):
            draw_surface(axis, surface, scale, value)
            if trajectories:
                draw_trajectory(axis, trajectories[heading][name])
            if window:
                close_up(axis, surface, window)
            if not surface.learned:
                axis.text(
                    0.97,
                    0.04,
                    "majority class on dev",
                    transform=axis.transAxes,
                    ha="right",
                    fontsize=8,
                    path_effects=halo(),
                )
            axis.set(xlabel="α", ylabel="β")
            axis.label_outer()
        row[0].set_ylabel(f"{heading}\nβ", parse_math=False)
    for axis, name in zip(axes[0], columns, strict=True):
        axis.set_title(HOW_NAMES.get(name, name), parse_math=False)
    for row, scale in zip([axes] if share == "all" else axes, scales, strict=False):
        _colour_bar(figure, row, scale, value, aspect=22 * len(np.atleast_2d(row)))
    label_panels(axes.flat, inside=True)
    note(figure, sample_note(_leaves(surfaces), value))
    return figure


@style
def overfitting(surface: Surface, trajectory: Trajectory, first: Run, further: Run) -> Figure:
    """Figure 4: dev-error surface with the epochs of a run and of its continuation; dev error and loss by epoch."""
    figure = Figure(figsize=(WIDTH, 4.9), layout="constrained")
    grid = figure.subplot_mosaic([["whole", "close"], ["error", "loss"]], height_ratios=[3, 2])
    scale = colour_scale([surface], "error")
    for axis in (grid["whole"], grid["close"]):
        draw_surface(axis, surface, scale, "error")
        draw_trajectory(axis, trajectory, slice(first.epochs, None), AFTER)
        draw_trajectory(axis, trajectory, slice(first.epochs + 1))
        axis.set(xlabel="α", ylabel="β")
    window = 0.2 + max(1, *np.abs(trajectory.alpha - 0.5), *np.abs(trajectory.beta))
    close_up(grid["close"], surface, window)
    _colour_bar(figure, [grid["whole"], grid["close"]], scale, "error")
    label_panels([grid["whole"], grid["close"]], inside=True)
    for name, before, after in (
        ("error", 1 - first.dev_accuracy, 1 - further.dev_accuracy),
        ("loss", first.dev_loss, further.dev_loss),
    ):
        axis = grid[name]
        axis.plot(before, "o-", color=INK, mfc="white", ms=4)
        axis.plot(first.epochs + np.arange(len(after)), after, "o-", color=INK, mfc=AFTER, ms=4)
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
    figure, ((axis,),) = panels(1, 1, height=2.6)
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
            error_kw={"lw": 0.8},
            label=bar,
        )
        known = {x: theirs[task][bar] / 100 for x, task in zip(at, rollbacks, strict=True) if task in theirs}
        axis.plot(known.keys(), known.values(), "D", ms=4, mfc="white", mec=INK, mew=0.9, zorder=5)
    axis.set_xticks(range(len(rollbacks)), list(rollbacks), parse_math=False)
    axis.set(ylabel="dev accuracy", ylim=(0, 1))
    axis.yaxis.set_major_formatter(PERCENT)
    legend_above(figure, axis)
    whiskers = "Low, middle, high: with these layers rolled back. Whiskers: two standard errors."
    note(figure, whiskers + (" Diamonds: the paper, BERT-large." if paper else ""))
    return figure


def _leaves(nested: Mapping[str, Mapping[str, Any]]) -> list[Any]:
    return [leaf for row in nested.values() for leaf in row.values()]


def _failed(by_how: Mapping[str, Sequence[Run]]) -> list[str]:
    """A line for each way of training of which some runs do no better on dev than its largest class."""
    failed = {how: sum(not run.learned for run in runs) for how, runs in by_how.items()}
    return [f"{how}: {n} of {len(by_how[how])} at the majority class" for how, n in failed.items() if n]


def _in_pairs(count: int) -> tuple[Figure, list[Axes]]:
    """Panels two by two; an odd one out leaves its place empty."""
    figure, grid = panels(-(-count // 2), min(count, 2), height=2.2)
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


def _colour_bar(figure: Figure, axes: Any, scale: Scale, value: str, aspect: float = 22) -> None:
    mappable = ScalarMappable(scale.norm, COLOUR_MAPS[value])
    bar = figure.colorbar(mappable, ax=axes, aspect=aspect, pad=0.015, label=VALUE_NAMES[value])
    ticks = scale.lines.tolist() or [float(scale.levels.mean())]
    bar.set_ticks(ticks, labels=[percent(tick) if value == "error" else f"{tick:g}" for tick in ticks])
    bar.minorticks_off()
    bar.ax.tick_params(labelsize=7.5)
    bar.ax.yaxis.label.set_fontsize(8.5)
