"""Precision as a measured choice: what a lower precision changes is found on a probe of cells, not assumed.

A weight rounded to bfloat16 keeps 8 bits, to float16 or TF32 11. Along a direction much shorter than theta_0 that
rounds the step away, so the loss of a landscape can change visibly while that of the trained model does not.
"""

import itertools
import logging
import math
from collections.abc import Callable, Iterable, Mapping, MutableMapping, Sequence
from functools import cache

import numpy as np
import torch

from ..errors import UserError

logger = logging.getLogger(__name__)
# A new one goes to the end, for journals hold its place here, and into `Profile.precision`.
PRECISIONS = ("float32", "tf32", "float16", "bfloat16")
DTYPES = {name: getattr(torch, name.replace("tf", "float")) for name in PRECISIONS}
PROBED = -1  # the place of the probe's finding in a journal of points
RANDOM_CELLS = 4

Point = tuple[float, ...]
Rounds = Iterable[Iterable[tuple[int, Point]]]  # (index, point), of each round
Journal = MutableMapping[int, np.ndarray]  # index of a point -> its row
Visits = Callable[[Rounds, str], Iterable[tuple[int, np.ndarray]]]


def probe(
    visits: Visits, points: Sequence[Point], precision: str, journal: Journal, shape: tuple[int, int], of: int
) -> float:
    """The largest difference of a loss from float32 that `precision` makes on `points`; a journal of rows of `shape`,
    (objectives, numbers of each), keeps it with a checksum `of` the places that it is about, and is refused if it was
    begun in another precision or for something else."""

    def losses(name: str) -> np.ndarray:  # (points, objectives)
        rows = dict(visits([enumerate(points)], name))
        return np.array([rows[i].reshape(shape)[:, 0] for i in range(len(points))])

    if PROBED not in journal:
        off = 0.0 if precision == "float32" else largest_difference(losses(precision), losses("float32"))
        row = np.full(math.prod(shape), math.nan)
        row[:3] = PRECISIONS.index(precision), off, of
        journal[PROBED] = row
    kept = journal[PROBED]
    begun, about = PRECISIONS[int(kept[0])], float(kept[2])
    if begun != precision:
        raise UserError(f"the journal's points are in {begun}, not in {precision}; use another journal")
    if len(kept) != math.prod(shape) or not (math.isnan(about) or about == of):
        raise UserError(
            "the journal's rows are of other objectives, draws, points or marks; use another journal"
        )
    return float(kept[1])


def largest_difference(exact: np.ndarray, rounded: np.ndarray) -> float:
    """The largest absolute difference; infinite where one is finite or not a number and the other is not."""
    equal = (exact == rounded) | (np.isnan(exact) & np.isnan(rounded))
    with np.errstate(invalid="ignore"):
        difference = np.where(equal, 0.0, np.abs(exact - rounded))
    return float(np.nan_to_num(difference, nan=math.inf, posinf=math.inf).max())


def probe_points(axes: Sequence[np.ndarray], places: Mapping[str, Point]) -> list[Point]:
    """The cells a precision is checked on: the grid's corners, the marks, and a few at random (always the same)."""
    corners = itertools.product(*((axis.min(), axis.max()) for axis in axes))
    generator = np.random.default_rng(0)
    cells = zip(*(generator.choice(axis, RANDOM_CELLS) for axis in axes), strict=True)
    return list(dict.fromkeys(tuple(map(float, point)) for point in (*corners, *places.values(), *cells)))


def check_precision(precision: str, device: str) -> None:
    """Refuse a precision that there is not, or that the device has not; warn of one that the CPU is slow in."""
    if precision not in PRECISIONS:
        raise UserError(f"unknown precision {precision!r}; allowed are {', '.join(PRECISIONS)}")
    if precision == "tf32" and not (device == "cuda" and torch.cuda.get_device_capability() >= (8, 0)):
        raise UserError(f"precision 'tf32' needs an NVIDIA GPU, Ampere or later; the model is on {device}")
    if device == "cpu" and precision in ("bfloat16", "float16"):
        cpu_computes_in(precision)


@cache  # asked once a process, and told once
def cpu_computes_in(precision: str) -> bool:
    """Whether the CPU has instructions for "bfloat16" or "float16"; a warning says that it is slow without them."""
    asked = {"bfloat16": "_is_mkldnn_bf16_supported", "float16": "_is_mkldnn_fp16_supported"}[precision]
    found = torch.backends.mkldnn.is_available() and getattr(torch.ops.mkldnn, asked)()
    if not found:
        logger.warning("this CPU only imitates %s and is far slower in it; use float32", precision)
    return found
