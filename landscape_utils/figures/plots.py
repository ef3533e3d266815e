"""The figures: loss histories, curves, surfaces with trajectories, overfitting, rollback.

Each function takes data objects (runs, curves, surfaces, ...) in mappings whose keys become the headings, and
returns a matplotlib `Figure` as wide as a page's column. None of them knows of a study or a task.
"""

from collections.abc import Collection, Mapping, Sequence
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ..claims.flatness import along
from ..landscape.rollback import FINE_TUNED, Rollback
from ..landscape.scan import Curve, Surface
from ..landscape.trajectory import Trajectory
from ..training.finetune import Run
from ..training.history import smoothed
from .drawing import MARKERS, OTHER_MARKER, colour_scale, draw_surface, draw_trajectory, label_lines
from .maps import VALUE_NAMES, colour_bar, surface_grid
from .notes import either, leaves, percent, sample_note, scan_note, stayed
from .page import PageFigure, for_pages, legend_above, note
from .style import CHALK, GROUP_COLOURS, INK, MUTED, PAPER, PHONE, WIDTH, halo, how_name, lines_of

__all__ = ["curves", "loss_histories", "overfitting", "rollback_bars", "surface_grid"]

AFTER = "#ffb000"  # amber: the epochs after the first training
PERCENT = FuncFormatter(lambda share, _: percent(share))


@for_pages
def loss_histories(runs: Mapping[str, Mapping[str, Sequence[Run]]], *, width: float = WIDTH) -> PageFigure:
    """Training loss against epochs (Figure 2): runs[heading][how] are the runs of several seeds.

    Faint: the loss of each optimiser step. Bold: centred moving mean over half an epoch, then over the seeds.
    """
    figure, axes = _in_pairs(runs, "epoch", width)
    looks = lines_of(how for by_how in runs.values() for how in by_how)
    for axis, by_how in zip(axes, runs.values(), strict=True):
        for how, seeds in by_how.items():
            faint = {"color": looks[how]["color"], "lw": 0.5, "alpha": 0.2, "rasterized": True}
            for run in seeds:
                axis.plot(run.epoch_of_step, run.loss, **faint)
            axis.plot(*smoothed(seeds), **looks[how], label=how_name(how), path_effects=halo(width=2.6))
        axis.set(xlim=(0, None), ylim=(0, None))
        axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    legend_above(figure, axes[0])
    seeds_each = either(map(len, leaves(runs)))
    said = f"Bold: moving mean over half an epoch. Faint: each step. Seeds: {seeds_each}."
    note(figure, said + stayed(runs))
    return figure


@for_pages
def curves(
    by_heading: Mapping[str, Mapping[str, Curve]],
    *,
    against: str = "alpha",
    top: float | None = None,
    width: float = WIDTH,
) -> PageFigure:
    """One-dimensional loss curves (Figure 5): by_heading[heading][how], or a user's own names for the trainings.

    `against="alpha"`: in steps of each run's own |delta_1|, as the paper. `"distance"`: in distance between
    weights, (alpha - 1) |delta_1|, both end points at 0; all of the shorter curve and as much of the longer.
    `top` cuts the loss axis. Bands: two standard errors each way.
    """
    x_name = "α" if against == "alpha" else "distance from the end, (α − 1) |δ₁|"
    figure, axes = _in_pairs(by_heading, x_name, width)
    looks = lines_of(how for by_how in by_heading.values() for how in by_how)
    for axis, by_how in zip(axes, by_heading.values(), strict=True):
        reach = []
        for how, curve in by_how.items():
            colour = looks[how]["color"]
            scale, origin = (1.0, 0.0) if against == "alpha" else (curve.norm, 1.0)
            alpha, (loss, *_) = along(curve)
            _, (stderr,) = along(curve, "loss_stderr")
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
        axis.set(ylim=(0, top), xlim=(max(lows), min(highs)))
        axis.set_ylim(bottom=-0.04 * axis.get_ylim()[1])  # room for a star at zero
    legend_above(figure, axes[0])
    note(figure, "Dot: start. Star: end. Bands: two standard errors. " + scan_note(by_heading))
    return figure


@for_pages
def overfitting(
    surface: Surface, trajectory: Trajectory, first: Run, further: Run, *, width: float = WIDTH
) -> PageFigure:
    """Figure 4: dev-error surface with the epochs of a run and of its continuation; dev error and loss by epoch."""
    figure = PageFigure(width, 6.6)
    grid = figure.subplot_mosaic([["whole", "close"], ["error", "loss"]], height_ratios=[3, 2])
    scale = colour_scale([surface], "error")
    window = 0.2 + max(1, *np.abs(trajectory.alpha - 0.5), *np.abs(trajectory.beta))
    maps = grid["whole"], grid["close"]
    draw_surface(maps[0], surface, scale, "error")
    draw_surface(maps[1], surface, scale, "error", window, surface.marks, points=True)
    for axis in maps:
        draw_trajectory(axis, trajectory, slice(first.epochs, None), AFTER)
        draw_trajectory(axis, trajectory, slice(first.epochs + 1))
    grid["whole"].set(xlabel="α", ylabel="β")
    colour_bar(figure, maps, scale, "error", below=width == PHONE)
    histories = [(1 - run.dev_accuracy, run.dev_loss) for run in (first, further)]
    for name, before, after in zip(("error", "loss"), *histories, strict=True):
        axis = grid[name]
        axis.plot(before, "o-", color=INK, mfc=CHALK, mec="black", ms=4)
        axis.plot(first.epochs + np.arange(len(after)), after, "o-", color=INK, mfc=AFTER, mec="black", ms=4)
        axis.set(xlabel="epoch", ylim=(0, None))
    grid["error"].set_ylabel("dev error rate")
    grid["error"].yaxis.set_major_formatter(PERCENT)
    grid["loss"].set_ylabel("dev loss (nats)")
    for letter, axis in zip("abcd", grid.values(), strict=True):
        axis.set_title(f"({letter})", loc="left", fontsize=9, color=MUTED)
    phases = f"The first {first.epochs} epochs are white, the {further.epochs} further ones amber. "
    note(figure, f"{phases}The curves are of the whole dev set. The maps: {sample_note([surface], 'error')}")
    figure.draw_without_rendering()
    for axis in maps:
        label_lines(axis, "error")
    return figure


@for_pages
def rollback_bars(
    rollbacks: Mapping[str, Rollback],
    paper: Mapping[str, Mapping[str, float]] | None = None,
    *,
    width: float = WIDTH,
) -> PageFigure:
    """Table 1 as bars: dev accuracy fine-tuned and with each layer group set back to its pre-trained values.

    Whiskers: two standard errors. `paper[heading][group]`, in percent, are drawn as diamonds.
    """
    theirs = paper or {}
    figure = PageFigure(width, 3.7)
    axis = figure.subplots()
    accuracy = [{FINE_TUNED: of.fine_tuned} | of.groups for of in rollbacks.values()]
    stderr = [{FINE_TUNED: of.fine_tuned_stderr} | of.stderr for of in rollbacks.values()]
    bars = list(accuracy[0])
    share = 1 / (len(bars) + 1)  # of the room from one task to the next
    for i, (bar, colour) in enumerate(zip(bars, GROUP_COLOURS, strict=True)):
        at = np.arange(len(rollbacks)) + (i - (len(bars) - 1) / 2) * share
        axis.bar(
            at,
            [of[bar] for of in accuracy],
            width=0.9 * share,
            yerr=[2 * of[bar] for of in stderr],
            label=bar,
            color=colour,
            edgecolor=INK,
            linewidth=0.5,
            error_kw={"lw": 0.8, "ecolor": INK},
        )
        known = {x: theirs[task][bar] / 100 for x, task in zip(at, rollbacks, strict=True) if task in theirs}
        axis.plot(list(known), list(known.values()), "D", ms=4, mfc=PAPER, mec=INK, mew=0.9, zorder=5)
    axis.set_xticks(range(len(rollbacks)), list(rollbacks))
    axis.set(ylabel="dev accuracy", ylim=(0, 1))
    axis.yaxis.set_major_formatter(PERCENT)
    legend_above(figure, axis)
    whiskers = "Low, middle and high: with these layers rolled back. Whiskers: two standard errors."
    note(figure, whiskers + (" Diamonds: the paper, BERT-large." if paper else ""))
    return figure


def _in_pairs(headings: Collection[str], x: str, width: float) -> tuple[PageFigure, list[Axes]]:
    """A panel of the training loss for each heading, two by two; labels at the left and below."""
    rows, columns = -(-len(headings) // 2), min(len(headings), 2)
    figure = PageFigure(width, 2.7 * rows + 0.5)
    axes = [figure.add_subplot(rows, columns, k + 1) for k in range(len(headings))]
    for axis, heading in zip(axes, headings, strict=True):
        axis.set_title(fill(heading, round(4.5 * width)))
    for axis in axes[::2]:
        axis.set_ylabel(VALUE_NAMES["loss"])
    for axis in axes[-2:]:
        axis.set_xlabel(fill(x, round(6 * width)))
    return figure, axes
