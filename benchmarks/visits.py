"""How many points of a surface `scan(..., tolerance=...)` computes, and how far the others are off.

The scan is replayed: it goes on from a journal that holds every point of a finished surface, and computes none.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from landscape_utils.engine.objective import Objective
from landscape_utils.engine.space import Plane
from landscape_utils.landscape.scan import scan

STDERR = 0.02  # of planted surfaces: losses of order 1 on some thousand examples
ERRORS = ("95 % error", "largest error", "largest bound", "within bound", "within t", "if said")
# name, axis, (4, A, A) loss, error and their standard errors at every point, and (4,) at the start
Finished = tuple[str, np.ndarray, np.ndarray, np.ndarray]


def stored(folder: Path) -> Iterator[Finished]:
    """The surfaces of the training loss in a folder of results."""
    for path in sorted(folder.glob("*.npz")):
        with np.load(path, allow_pickle=False) as file:
            values = [file[f"train.{name}"] for name in ("loss", "error", "loss_stderr", "error_stderr")]
            axis, start = file["train.alpha"], file["train.marks"][0, 2:]
        yield path.stem.rpartition("-")[0], axis, np.stack(values), start


def planted(points: int) -> Iterator[Finished]:
    """A wall, two basins, noise, and a region that is not finite, on [-4, 4] x [-4, 4]."""
    axis = np.linspace(-4, 4, points)
    x, y = np.meshgrid(axis, axis, indexing="ij")
    basins = 1.5 - np.exp(-(x**2) - y**2) - np.exp(-((x - 2.5) ** 2) - (y + 1) ** 2)
    surfaces = {
        "wall": 0.1 * x**2 + 3 / (1 + np.exp(-12 * (x + 0.6 * y - 1.2))),
        "two basins": basins,
        "noise": basins + STDERR * np.random.default_rng(0).standard_normal(basins.shape),
        "region of NaN": np.where((x - 3) ** 2 + (y - 2) ** 2 < 3, np.nan, basins),
    }
    for name, loss in surfaces.items():
        values = np.stack([loss, *(np.full_like(loss, value) for value in (0.3, STDERR, STDERR))])
        yield f"planted, {points} × {points}: {name}", axis, values, np.array([0.5, 0.3, STDERR, STDERR])


def visits(finished: Finished, objective: Objective, plane: Plane, tolerance: float | str) -> dict[str, Any]:
    """A line of the table; what is said of errors is of the loss, at the points that are not computed.

    The objective is asked for nothing but its size, and the plane for nothing.
    """
    name, axis, values, start = finished
    loss, stderr, marks = values[0], values[2], {"start": (0.0, 0.0)}
    journal = dict(enumerate([*values.reshape(4, -1).T, start]))
    surface = scan(objective, plane, axis, axis, marks=marks, journal=journal, tolerance=tolerance)
    others = ~surface.computed
    wrong = np.isnan(surface.loss) != np.isnan(loss)  # a number in the place of none, or none of one
    error = np.where(wrong, np.inf, np.nan_to_num(np.abs(surface.loss - loss)))[others]
    bound = surface.loss_bound[others]
    allowed = stderr[others] if tolerance == "stderr" else np.full_like(error, float(tolerance))
    line = {"surface": name, "points": loss.size, "computed": int(surface.computed.sum())}
    if not len(error):
        return line | dict.fromkeys(ERRORS, "–")
    said, within = bound <= allowed, error <= allowed
    shares = np.mean(error <= bound), np.mean(within), np.mean(within[said]) if said.any() else np.nan
    finite = bound[np.isfinite(bound)]
    found = (np.quantile(error, 0.95, method="higher"), error.max(), finite.max(initial=0.0), *shares)
    return line | dict(zip(ERRORS, map(float, found), strict=True))
