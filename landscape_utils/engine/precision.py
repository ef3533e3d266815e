"""Precision as a measured choice: what a lower precision changes is found on a probe of cells, not assumed.

A weight rounded to bfloat16 keeps 8 bits, to float16 or TF32 11. Along a direction much shorter than theta_0 that
rounds the step away, so the loss of a landscape can change visibly while that of the trained model does not.
"""

from __future__ import annotations

import itertools
import math
import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch

from ..errors import UserError
from ..interrupts import until_interrupted
from .walker import Walker

PRECISIONS = ("float32", "tf32", "float16", "bfloat16")
CANDIDATES = {
    "cpu": ("bfloat16",),
    "cuda": ("tf32", "float16", "bfloat16"),
}  # what may be faster than float32
PROBED = -1  # the place of the probe's finding in a journal of points
RANDOM_CELLS = 4
STOPPED = "stopped while a lower precision was tried: no point is computed yet, and the same call begins anew"

Point = tuple[float, ...]


def probe(walk: Callable[..., Walker], points: Sequence[Point], precision: str, bound: float) -> np.ndarray:
    """The precision to scan in, and the largest difference of the loss from float32 found on `points`.

    Args:
        walk: makes a Walker of a given precision.
        precision: one of PRECISIONS, or "auto": the fastest whose difference is at most `bound`.

    Returns:
        A row for a journal, of the walker's width, float64, that `probed` reads.

    Raises:
        UserError: an unknown precision, or one that the device does not have or the model does not compute in.
    """
    walker = walk(precision="float32")
    device = walker.space.device.type
    check_precision(precision, device)
    row = np.full(walker.width, math.nan)
    row[:2] = PRECISIONS.index("float32"), 0.0
    offered = CANDIDATES.get(device, ()) if precision == "auto" else (precision,)
    if not offered or precision == "float32":
        return row
    exact, fastest = losses(walker, points)
    for name in offered:
        try:
            rounded, seconds = losses(walk(precision=name), points)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:  # as FNet's Fourier transform, and what OpenAI-GPT keeps in float32
            if precision == "auto":
                continue
            model, reason = type(walker.model).__name__, str(error).splitlines()[0]
            raise UserError(
                f"{model} does not compute in {precision} ({reason}); use float32 or auto"
            ) from None
        difference = largest_difference(exact, rounded)
        if precision == name or (difference <= bound and seconds < fastest):
            row[:2] = PRECISIONS.index(name), difference
            fastest = seconds
    return row


def probed(row: np.ndarray) -> tuple[str, float]:
    """Precision and largest difference of the loss from a row made by `probe`."""
    return PRECISIONS[int(row[0])], float(row[1])


def losses(walker: Walker, points: Sequence[Point]) -> tuple[np.ndarray, float]:
    """Every objective's loss at every point, (points, objectives), and the median seconds of a point."""
    values, seconds = [], []
    with walker, until_interrupted(points, STOPPED) as todo:
        for point in todo:
            start = time.perf_counter()
            values.append(walker(point)[:, 0].numpy())
            seconds.append(time.perf_counter() - start)
    return np.array(values), float(np.median(seconds))


def largest_difference(exact: np.ndarray, rounded: np.ndarray) -> float:
    """The largest absolute difference; infinite where one is finite or not a number and the other is not."""
    same = (exact == rounded) | (np.isnan(exact) & np.isnan(rounded))
    with np.errstate(invalid="ignore"):
        difference = np.where(same, 0.0, np.abs(exact - rounded))
    return float(np.nan_to_num(difference, nan=math.inf, posinf=math.inf).max())


def probe_points(axes: Sequence[np.ndarray], places: Mapping[str, Point]) -> list[Point]:
    """The cells a precision is checked on: the grid's corners, the marks, and a few at random (always the same)."""
    corners = itertools.product(*((axis.min(), axis.max()) for axis in axes))
    generator = np.random.default_rng(0)
    cells = zip(*(generator.choice(axis, RANDOM_CELLS) for axis in axes), strict=True)
    return list(dict.fromkeys(tuple(map(float, point)) for point in (*corners, *places.values(), *cells)))


def check_precision(precision: str, device: str) -> None:
    if precision not in (*PRECISIONS, "auto"):
        raise UserError(f"unknown precision {precision!r}; allowed are {', '.join(PRECISIONS)} and auto")
    if precision == "tf32" and not (device == "cuda" and torch.cuda.get_device_capability() >= (8, 0)):
        raise UserError(
            f"precision 'tf32' needs an NVIDIA GPU of the Ampere generation or later; the model is on {device}"
        )
