"""Lines, planes and what is seen along them: f(alpha) and f(alpha, beta) of Eq. 1 and 2 (Hao et al. 2019, section 3).

f(alpha)       = J(theta_0 + alpha delta_1)                       Eq. 1: a Curve, scanned over a Line
f(alpha, beta) = J(theta_0 + alpha delta_1 + beta delta_2)        Eq. 2: a Surface, scanned over a Plane
"""

import itertools
import math
import zlib
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ..engine.cluster import Client, spread
from ..engine.forward import attempt
from ..engine.losses import whole_number
from ..engine.objective import Measurement, Objective
from ..engine.precision import Journal, probe, probe_points
from ..engine.space import Line, ParameterSpace, Plane
from ..engine.walker import Walk, coarse_first
from ..errors import UserError
from ..progress import bar
from .adaptive import Refinement

Places = Mapping[str, Sequence[float]]  # name -> coordinates
MARKS = {"start": (0.0, 0.0), "end": (1.0, 0.0)}


class Mark(NamedTuple):
    """A point of interest, evaluated at its own place and not at the nearest point of the grid.

    >>> mark = study.curve("rte").marks["end"]
    >>> mark.alpha, mark.beta
    (1.0, 0.0)
    """

    alpha: float
    beta: float
    loss: float
    error: float
    loss_stderr: float
    error_stderr: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Curve:
    """An objective scanned over a line. Arrays are float64, (A,) along alpha.

    Attributes:
        loss, error: mean loss, and the share of examples classified wrongly.
        loss_stderr, error_stderr: their standard errors over the examples, s_(n-1) / sqrt(n).
        marks: points evaluated on their own: "start" (alpha 0) and "end" (alpha 1) unless others were asked for.
        examples: n.
        norm: |delta_1|, the parameter distance of one unit of alpha.
        precision, precision_error: what it was computed in, and the largest difference of the loss from float32 that a
            probe of cells showed (0 for float32).
        learned: False if the training that led to the end stayed at the majority class; a bare scan does not know.
        draws: (draws, 2, points) float32, mean loss and error of bootstrap draws of the examples, if they were asked
            for: at the grid's points, row by row, and then at the marks.
        computed: bool, of the shape of `loss`: which points were computed; the others are interpolated, see `adaptive`.
        loss_bound: the stated error of the loss in nats, of the shape of `loss`: 0 where it was computed, infinite
            where a loss that is not finite was inferred from the points around.

    >>> study.curve("rte").loss.shape
    (41,)
    """

    alpha: np.ndarray
    loss: np.ndarray
    error: np.ndarray
    loss_stderr: np.ndarray
    error_stderr: np.ndarray
    marks: dict[str, Mark]
    examples: int
    norm: float
    precision: str
    precision_error: float
    learned: bool = True
    draws: np.ndarray = field(default_factory=lambda: np.zeros((0, 2, 0), np.float32))
    computed: np.ndarray = field(default=None)  # type: ignore[arg-type]  # all of them
    loss_bound: np.ndarray = field(default=None)  # type: ignore[arg-type]  # 0

    def __post_init__(self) -> None:
        if self.computed is None:
            object.__setattr__(self, "computed", np.ones(self.loss.shape, bool))
        if self.loss_bound is None:
            object.__setattr__(self, "loss_bound", np.zeros(self.loss.shape))

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything as arrays without Python objects, for a file."""
        plain = {f.name: np.asarray(getattr(self, f.name)) for f in fields(self) if f.name != "marks"}
        names = np.array(list(self.marks), dtype=np.str_)
        return plain | {"marks": np.array(list(self.marks.values())), "mark_names": names}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]):
        """The inverse of `arrays`; of a file that does not say which points were computed, all were."""
        names = {f.name for f in fields(cls)} & arrays.keys() - {"marks"}
        values: dict[str, Any] = {n: arrays[n] if arrays[n].ndim else arrays[n].item() for n in names}
        marks = map(Mark._make, arrays["marks"].tolist())
        return cls(**values, marks=dict(zip(arrays["mark_names"].tolist(), marks, strict=True)))


@dataclass(frozen=True, eq=False, kw_only=True)
class Surface(Curve):
    """An objective scanned over a plane: as a Curve, with arrays of shape (A, B); axis 0 is alpha, axis 1 is beta.

    >>> surface = study.surface("rte")
    >>> surface.loss.shape == (len(surface.alpha), len(surface.beta))
    True
    """

    beta: np.ndarray
    cosine: float  # of the angle between the two directions


def scan(
    objective: Objective | Sequence[Objective],
    region: Line | Plane,
    alpha: ArrayLike,
    beta: ArrayLike | None = None,
    *,
    marks: Places | None = None,
    precision: str = "float32",
    draws: int = 0,
    tolerance: float | str | None = None,
    journal: Journal | None = None,
    client: Client | None = None,
    device: str | None = None,
    what: str = "scan",
) -> Any:
    """Evaluate an objective on a grid over a line (Eq. 1) or a plane (Eq. 2).

    Several objectives on the same model (training loss and dev error, say) share each visit of a point. The model is
    left exactly as it was found, also after an exception.

    Args:
        objective: one, or a sequence of them.
        region: a Line, which takes `alpha` alone, or a Plane, which takes `alpha` and `beta`.
        alpha, beta: coordinates of the grid's points, in any order.
        marks: name -> coordinates of points to evaluate beside the grid; default: start (0, 0) and end (1, 0).
        precision: "float32", "float16", "bfloat16" or "tf32" (CUDA); of the last three the largest difference from
            float32 is measured on a probe of cells.
        draws: how many bootstrap draws of the examples to take at every point, for intervals.
        tolerance: None: every point is computed. A number, in nats for the loss and as a share for the error rate, or
            "stderr", the standard errors at the point: where the error is judged to be within it for all objectives,
            points are interpolated, and the result says which, with a bound of their loss, which may be larger than
            the tolerance. One point in twenty may be off by more than either, and a feature narrower than the coarsest
            lattice may be missed: see `adaptive`.
        journal: point index -> row of results. Points that it holds are not computed again; each new one is put there.
        client: of `dask.distributed`: its workers visit the points, this side alone fills the journal.
        device: where the workers compute, for example "cuda" where this side has no GPU; default: as the model here.
        what: the progress bar's label.

    Returns:
        A Curve or a Surface; a tuple of them, in order, if a sequence of objectives was given.

    Raises:
        UserError: an empty grid, coordinates that are not finite, vectors that do not fit the model, a precision that
            device, model or journal does not support, a tolerance that is no positive number.

    >>> plane = lu.Plane(theta_0, theta_1 - theta_0, theta_0)
    >>> surface = lu.scan(lu.Objective(model, examples), plane, alpha=np.linspace(-1, 2, 4), beta=[-1.0, 0.0, 1.0])
    >>> surface.loss.shape, list(surface.marks)
    ((4, 3), ['start', 'end'])
    """
    objectives = check_objectives(objective)
    axes = check_axes(region, alpha, beta)
    ParameterSpace(objectives[0].model).check(region.origin, "origin")
    number = isinstance(tolerance, int | float) and 0 < tolerance < math.inf
    if not (tolerance is None or tolerance == "stderr" or number):
        raise UserError(f'tolerance must be a positive number of nats or "stderr"; got {tolerance!r:.60}')
    count = whole_number(draws)
    if count is None or count < 0:
        raise UserError(f"draws must be a whole number, 0 or more; got {draws!r:.60}")
    places = check_places(MARKS if marks is None else marks, len(axes))
    points = [*itertools.product(*(axis.tolist() for axis in axes)), *places.values()]
    marked = range(len(points) - len(places), len(points))
    rows: Journal = {} if journal is None else journal
    shape = len(objectives), len(Measurement._fields) + 2 * draws  # of a row

    walk = Walk(objectives, region.origin, region.directions, draws)
    visits = walk.visits if client is None else partial(spread, client, walk, device)
    of = zlib.crc32(np.array(points).tobytes())
    off = probe(visits, probe_points(axes, places), precision, rows, shape, of)
    rounds: Iterable[Sequence[int]] = [[*marked, *coarse_first([len(axis) for axis in axes])]]
    refinement = None
    if tolerance is not None:
        refinement = Refinement(axes, places.values())
        rounds = itertools.chain([marked], refinement.rounds(rows, [o.size for o in objectives], tolerance))
    missing = ([(i, points[i]) for i in indices if i not in rows] for indices in rounds)
    total = None if refinement else sum(i not in rows for i in range(len(points)))
    visited = visits(missing, precision)
    with bar(total=total, what=what, unit="point") as progress, closing(visited):
        for i, row in visited:
            rows[i] = row
            progress.update()

    unknown = np.full(math.prod(shape), np.nan)
    values = np.array([rows.get(i, unknown) for i in range(len(points))])
    results = []
    for k, of_one in enumerate(np.split(values, len(objectives), axis=1)):
        told: dict[str, Any] = {"precision": precision, "precision_error": off}
        if refinement:
            of_one = refinement.completed(of_one)
            told |= {"computed": refinement.computed, "loss_bound": refinement.bound[2 * k]}
        results.append(assemble(region, axes, places, of_one, examples=objectives[k].size, **told))
    return results[0] if isinstance(objective, Objective) else tuple(results)


def assemble(
    region: Line | Plane, axes: Sequence[np.ndarray], places: Places, values: np.ndarray, **told: Any
) -> Any:
    """One objective's curve or surface from values (points, 4 + 2 draws), the grid's, then the marks', and the rest."""
    shape = tuple(map(len, axes))
    grid, at_marks = np.split(values, [math.prod(shape)])
    told |= {name: grid[:, i].reshape(shape) for i, name in enumerate(Measurement._fields)}
    measured = zip(places.items(), at_marks[:, :4].tolist(), strict=True)
    marks = {name: Mark(*(*at, 0.0)[:2], *row) for (name, at), row in measured}
    draws = values[:, 4:].T.reshape(2, -1, len(values)).swapaxes(0, 1).astype(np.float32)
    told |= {"alpha": axes[0], "marks": marks, "draws": draws, "norm": region.norm}
    if isinstance(region, Plane):
        return Surface(beta=axes[1], cosine=region.cosine, **told)
    return Curve(**told)


def passable(direction: Tensor, axis: np.ndarray) -> tuple[Tensor, np.ndarray]:
    """The direction, (P,), and coordinates along it; of one that is zero, as of weights that did not move, any other
    direction, and the coordinate 0 as often."""
    return (direction, axis) if direction.any() else (torch.ones_like(direction), 0 * axis)


def check_axes(region: Line | Plane, alpha: ArrayLike, beta: ArrayLike | None) -> list[np.ndarray]:
    """The grid's axes as float64 arrays; refused if they do not fit the region."""
    if not isinstance(region, Line):  # as a Plane is
        raise UserError(f"region must be a Line or a Plane; got {type(region).__name__}")
    given = {"alpha": alpha} if beta is None else {"alpha": alpha, "beta": beta}
    if len(given) != len(region.directions):
        takes = "alpha alone; beta is given" if len(given) > 1 else "alpha and beta; beta is missing"
        raise UserError(f"a {type(region).__name__} takes {takes}")
    must_be = "must be a sequence of one or more finite numbers"
    return [finite(axis, f"{name} {must_be}") for name, axis in given.items()]


def check_places(marks: Places, dimensions: int) -> dict[str, tuple[float, ...]]:
    """The coordinates of marks; refused if they are too few."""
    if not isinstance(marks, Mapping):
        raise UserError(f"marks must map names to coordinates; got {type(marks).__name__}")
    must_be = f"must be at {dimensions} finite coordinates"
    found = {name: finite(at, f"mark {name!r} {must_be}", dimensions) for name, at in marks.items()}
    for name, at in found.items():
        if at[dimensions:].any():
            raise UserError(f"mark {name!r} {must_be}; got {marks[name]!r:.60}")
    return {name: tuple(at[:dimensions].tolist()) for name, at in found.items()}


def finite(given: Any, rule: str, least: int = 1) -> np.ndarray:
    """(n,) float64, n >= `least`, finite in float32 too, which weights are computed in; or else refused by the rule."""
    values = attempt(np.asarray, given, dtype=np.float64)
    listed = isinstance(values, np.ndarray) and values.ndim == 1 and len(values) >= least
    if not listed or not (np.abs(values) <= np.finfo(np.float32).max).all():
        raise UserError(f"{rule}; got {given!r:.60}")
    return values


def check_objectives(given: Any) -> list[Objective]:
    """One objective or several as a list; refused if they share no model."""
    objectives = list(given) if isinstance(given, Sequence) else [given]
    if not objectives or not all(isinstance(one, Objective) for one in objectives):
        raise UserError(f"scan needs an Objective or a sequence of them; got {given!r:.60}")
    if len({id(one.model) for one in objectives}) != 1:
        raise UserError("objectives scanned together must be on the same model object; scan them one by one")
    return objectives
