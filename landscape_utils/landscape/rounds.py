"""The rows of a scan: what a `Refinement` takes of them, and all of them from those that were computed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from .adaptive import STRAIGHT, Refinement

# (objectives * (4 + 2 draws),): loss, error, their standard errors, draws of both
Rows = Mapping[int, np.ndarray]


def refined(
    refinement: Refinement, rows: Rows, marked: range, sizes: Sequence[int], tolerance: float | str
) -> Iterator[Sequence[int]]:
    """The points of each round; whoever asks for the next has put the rows of the last one into `rows`.

    Args:
        marked: the points of the marks, which come first.
        sizes: examples of each objective; the standard error of an error rate of 0 or 1 counts as one example.
        tolerance: a number, or "stderr".
    """
    yield marked
    least = np.array([(0.0, 1 / size) for size in sizes])
    while len(todo := refinement.todo):
        yield todo.tolist()
        found = np.array([rows[i] for i in todo.tolist()]).reshape(len(todo), len(sizes), -1)
        values, stderrs = found[..., :2], found[..., 2:4]
        allowed = np.maximum(stderrs, least) if tolerance == "stderr" else np.full_like(values, tolerance)
        refinement.take(values.reshape(len(todo), -1).T, allowed.reshape(len(todo), -1).T)


def interpolated(refinement: Refinement | None, rows: Rows, marked: range, objectives: int) -> np.ndarray:
    """The rows of all points, the grid's and then the marks', (points, width).

    Standard errors are interpolated along straight lines, draws with the weights of what they are drawn of.
    """
    if refinement is None:
        return np.array([rows[i] for i in range(marked.stop)])
    computed = refinement.computed
    known = [*np.flatnonzero(computed).tolist(), *marked]
    values = np.full((marked.stop, len(rows[known[0]])), np.nan)
    values[known] = [rows[i] for i in known]
    width = values.shape[1] // objectives
    like = np.array([0, 1, STRAIGHT, STRAIGHT, *np.repeat([0, 1], width // 2 - 2)])
    guide = np.concatenate([np.where(like < 0, STRAIGHT, like + k * width) for k in range(objectives)])
    grid = refinement.fill(values[: computed.size].T.reshape(-1, *computed.shape), guide)
    largest = np.tile(np.where(like == 1, 1.0, np.inf), objectives)  # an error rate
    within = np.clip(grid.reshape(len(grid), -1).T, 0.0, largest)
    values[: computed.size][~computed.ravel()] = within[~computed.ravel()]
    return values
