"""The claims along the ladder of models: what each run's tasks say to each claim, and the verdict."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ..claims.evidence import EVERY, NOT_JUDGED, Claim, Measured
from .page import PageFigure, note
from .style import INK, MUTED, WIDTH, style

WORDS = {  # of a task: marker, fill, size, and what it means
    "for": ("o", "#0072b2", 8, "speaks for the claim"),
    "against": ("X", "#d55e00", 9, "against"),
    "open": ("o", "white", 8, "open"),
    "does not count": ("_", MUTED, 7, "does not count"),
}
VERDICTS = {"holds": "#00588a", "does not hold": "#a34700", "undecided": MUTED, NOT_JUDGED: MUTED}
PAPER = "the paper's numbers"
LETTERS = 12  # points: large, for a phone shows the figure at half its size
ROW, STEP = 0.5, 0.19  # inches: a claim's two lines, from task to task
# inches: of a run's heading, and of a letter of a task's name, which stands upright
HEADING, LETTER = 0.55, 0.075


@style
def ladder(by_run: Mapping[str, Sequence[Claim]]) -> Figure:
    """A row for each claim, its title in words; below it, for each run, a mark for each task and the verdict.

    Args:
        by_run: heading -> claims, in the order of the models' size. What the paper's own printed numbers say is put
            beside them where a claim has them.
    """
    every = [claim for claims in by_run.values() for claim in claims]
    titles = {claim.name: claim.title for claim in every}
    columns = {head: {claim.name: claim.primary for claim in claims} for head, claims in by_run.items()}
    if printed := {claim.name: claim.printed for claim in every if claim.printed}:
        columns[PAPER] = printed
    names = [
        e.task for of in columns.values() for found in of.values() for e in found.evidence if e.task != EVERY
    ]
    head = HEADING + LETTER * max(map(len, names), default=4)
    height = head + ROW * len(titles)
    figure = PageFigure(WIDTH, height + 0.8)
    axis = figure.subplots()
    axis.set(xlim=(0, WIDTH), ylim=(height, 0))  # inches
    axis.set_axis_off()
    for row, title in enumerate(titles.values()):
        axis.text(0, head + ROW * row, title, va="center", fontsize=LETTERS)
        axis.axhline(head + ROW * (row - 0.27), color=MUTED, alpha=0.3, lw=0.6)
    for column, (heading, measured) in enumerate(columns.items()):
        _draw_run(axis, WIDTH * column / len(columns) + 0.12, head, heading, measured, list(titles))
    for word, (*_, meaning) in WORDS.items():
        _draw_word(axis, [], [], word, label=meaning)
    known = axis.get_legend_handles_labels()
    figure.legend(
        *known, loc="outside upper left", ncols=4, fontsize=LETTERS, columnspacing=1, handletextpad=0.2
    )
    note(figure, "Where a mark is missing, the run has no result, or the claim is not about the task.")
    return figure


def _draw_run(
    axis: Axes, left: float, head: float, heading: str, measured: Mapping[str, Measured], names: list[str]
) -> None:
    """One run's marks and verdicts, its headings above them."""
    spoken = dict.fromkeys(e.task for of in measured.values() for e in of.evidence if e.task != EVERY)
    tasks = list(spoken) or [""]
    axis.text(left - 0.08, 0, heading, va="center", fontsize=LETTERS - 1, fontweight="bold")
    for k, task in enumerate(tasks):
        axis.text(left + k * STEP, head - 0.2, task, rotation=90, ha="center", va="bottom", fontsize=9)
    for name, found in measured.items():
        y = head + ROW * names.index(name) + 0.46 * ROW
        for e in found.evidence:
            x = left + STEP * (tasks.index(e.task) if e.task in tasks else (len(tasks) - 1) / 2)
            _draw_word(axis, x, y, e.word)
        colour = VERDICTS[found.outcome]
        axis.text(left + STEP * len(tasks), y, found.outcome, va="center", fontsize=LETTERS - 2, color=colour)


def _draw_word(axis: Axes, x: Any, y: Any, word: str, **more: Any) -> None:
    marker, fill, size, _ = WORDS[word]
    axis.plot(x, y, marker, mfc=fill, mec=INK, mew=0.8, ms=size, ls="", **more)
