"""The claims in one picture: what each task says to each claim, and the verdict."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from ..claims.evidence import Claim
from .style import INK, MUTED, WIDTH, note, panels, style

WORDS = {  # of a task: marker, fill, what it means
    "for": ("o", "#0072b2", "speaks for the claim"),
    "against": ("X", "#d55e00", "speaks against it"),
    "open": ("o", "white", "neither way"),
}
ROW = 0.21  # inches


@style
def verdicts(by_run: Mapping[str, Mapping[str, Claim]]) -> Figure:
    """A row for each claim of the first run, a column for each task, beside it the verdict; by_run[heading][name].

    Where a task was left out of a claim there is no mark, where a run has no results for a claim the row is empty.
    """
    first = next(iter(by_run.values()))
    ids, titles = list(first), [claim.title for claim in first.values()]
    tasks = list(
        dict.fromkeys(
            e.task for claims in by_run.values() for claim in claims.values() for e in claim.evidence
        )
    )
    figure, (axes,) = panels(1, len(by_run), height=ROW * (len(ids) + 3), width=WIDTH)
    for axis, (heading, claims) in zip(axes, by_run.items(), strict=True):
        rows = [(row, claims[name]) for row, name in enumerate(ids) if name in claims]
        for word, (marker, fill, label) in WORDS.items():
            places = [
                (tasks.index(e.task), row) for row, claim in rows for e in claim.evidence if e.word == word
            ]
            x, y = np.reshape(places, (-1, 2)).T
            axis.plot(x, y, marker, mfc=fill, mec=INK, mew=0.7, ms=6, ls="", label=label)
        for row, claim in rows:
            weight = "normal" if claim.verdict == "undecided" else "bold"
            axis.text(len(tasks) - 0.3, row, claim.verdict, va="center", fontsize=8, fontweight=weight)
        axis.set_title(heading, parse_math=False)
        axis.set(xlim=(-0.6, len(tasks) + 2.0), ylim=(len(ids) - 0.4, -0.6))
        axis.set_xticks(range(len(tasks)), tasks, rotation=90, parse_math=False, fontsize=8)
        axis.set_yticks(range(len(ids)), titles, fontsize=8)
        axis.grid(axis="y", color=MUTED, alpha=0.25, lw=0.6)
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
        axis.label_outer()
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=len(labels))
    note(figure, "No mark: the task is left out, or the claim is about one task alone.")
    return figure
