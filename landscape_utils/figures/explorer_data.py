"""What the explorer shows, packed for the browser: small, exact to float32, and safe to embed in a page."""

import base64
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
from matplotlib.colors import to_hex

from ..errors import UserError
from ..landscape.scan import Curve, Mark, Surface
from ..landscape.trajectory import Trajectory
from .drawing import MARKERS, finite_values, spans_decades
from .style import COLOUR_MAPS, DIVERGING

STOPS = 32  # of a colour map; the browser interpolates
FOCUS = ("end", "fine-tuned")  # marks around which an optimum's width and area are taken
KINDS = ("loss", "error")
SPLITS = {"training": "train", "dev": "dev"}  # as readers call them
PAPERS = ("training loss", "dev error")  # what the paper draws
COLOURS = {**COLOUR_MAPS, "rank": DIVERGING}
NO_COUNT = 65535


@dataclass(frozen=True)
class View:
    """One line or plane in weight space and what was measured on it.

    Attributes:
        surfaces, curves: by a name that is put before "loss" and "error" ("training", "dev"; "" for none). All
            surfaces of a view have the same axes, and so have all its curves.
        trajectories: of the run whose end is the mark "end", one for each method of projection.
        task, how, layers: what tells views apart, as the reader is to see it; "" where it does not matter.
        history: what the training recorded after each epoch of its trajectory, by the names of quantities.
        turn: the epoch after which the trajectory is that of further training; None for all of one piece.
        quantities: the names to show, such as "training loss"; all that there are where this is empty.
        axis: what the curves run along; of all views shown together the same.
    """

    surfaces: Mapping[str, Surface] = field(default_factory=dict)
    curves: Mapping[str, Curve] = field(default_factory=dict)
    trajectories: Sequence[Trajectory] = ()
    task: str = ""
    how: str = ""
    layers: str = ""
    history: Mapping[str, np.ndarray] = field(default_factory=dict)
    turn: int | None = None
    quantities: Sequence[str] = ()
    axis: str = "α"

    def packed(self) -> dict[str, Any]:
        """The view as the browser takes it; UserError if its parts do not fit together."""
        surfaces, curves = [*self.surfaces.values()], [*self.curves.values()]
        if not surfaces + curves:
            raise UserError(f"the view {self.task!r} {self.how!r} holds neither a surface nor a curve")
        check_axes(surfaces, ("alpha", "beta"))
        check_axes(curves, ("alpha",))
        first, named = [*surfaces, *curves][0], self.surfaces or self.curves
        marks = [name for name in first.marks if all(name in scan.marks for scan in named.values())]
        packed = {name: getattr(self, name) for name in ("task", "how", "layers", "axis", "turn")}
        packed |= dict.fromkeys(("alpha", "beta", "curve", "cosine", "trajectories"))
        packed |= {
            "fields": pack_fields(self.surfaces, self.quantities),
            "marks": [
                pack_mark(name, {prefix: scan.marks[name] for prefix, scan in named.items()}, self.quantities)
                for name in marks
            ],
            "focus": next((marks.index(name) for name in FOCUS if name in marks), -1),
            "norm": finite(first.norm),
            "history": {name: listed(values) for name, values in self.history.items()},
        }
        if surfaces:
            packed |= {name: getattr(surfaces[0], name).tolist() for name in ("alpha", "beta")}
            packed["cosine"] = finite(surfaces[0].cosine)
        if curves:
            fields = pack_fields(self.curves, self.quantities)
            packed["curve"] = {"alpha": curves[0].alpha.tolist(), "fields": fields}
        if self.trajectories:
            packed["trajectories"] = {
                path.method: {name: listed(getattr(path, name)) for name in ("alpha", "beta", "in_plane")}
                for path in self.trajectories
            }
        return packed


@dataclass(frozen=True)
class Cube:
    """Dev accuracy over the rollback of three layer groups at once; `accuracy` (n, n, n), `axis` (n,) from -1 to 0."""

    task: str
    groups: Sequence[str]
    axis: np.ndarray
    accuracy: np.ndarray
    examples: int

    def packed(self) -> dict[str, Any]:
        packed = {"groups": list(self.groups), "axis": self.axis.tolist(), "accuracy": floats(self.accuracy)}
        return packed | {"task": self.task, "examples": self.examples}


def payload(views: Sequence[View], cubes: Sequence[Cube] = ()) -> dict[str, Any]:
    """All that the browser is told. Raises UserError where there is nothing to show, or a view that cannot be drawn."""
    if not views:
        raise UserError("nothing to explore: give one surface or curve at least")
    packed = [view.packed() for view in views]
    return {
        "views": packed,
        "cubes": [cube.packed() for cube in cubes],
        "quantities": quantities(views),
        "colours": {kind: [to_hex(c(x)) for x in np.linspace(0, 1, STOPS)] for kind, c in COLOURS.items()},
    }


def embedded(data: Mapping[str, Any]) -> str:
    """JSON that can stand in a script element of a page, whatever its strings hold."""
    return json.dumps(data, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")


def quantities(views: Iterable[View]) -> dict[str, dict[str, Any]]:
    """Of each quantity: what kind it is, and whether its scale starts out logarithmic, as in the static figures."""
    found: dict[tuple[str, str], list[np.ndarray]] = {}
    for view in views:
        for scans in (view.surfaces, view.curves):
            for name, kind, scan in shown(scans, view.quantities):
                found.setdefault((name, kind), []).append(getattr(scan, kind))
    return {
        name: {"kind": kind, "log": kind == "loss" and spans_decades(finite_values(values))}
        for (name, kind), values in found.items()
    }


def shown(measured: Mapping[str, Any], only: Sequence[str]) -> Iterable[tuple[str, str, Any]]:
    """(name, kind, scan or mark) of each quantity to show."""
    for (prefix, scan), kind in product(measured.items(), KINDS):
        name = f"{prefix} {kind}".strip()
        if not only or name in only:
            yield name, kind, scan


def pack_fields(scans: Mapping[str, Curve], only: Sequence[str]) -> list[dict[str, Any]]:
    """The standard error of an error rate is left out: it follows from the rate and the number of examples."""
    return [
        {
            "name": name,
            **(counts(scan.error, scan.examples) if kind == "error" else {"values": floats(scan.loss)}),
            "stderr": floats(scan.loss_stderr) if kind == "loss" else None,
            "examples": scan.examples,
            "bound": floats(scan.loss_bound) if kind == "loss" and scan.loss_bound.any() else None,
        }
        for name, kind, scan in shown(scans, only)
    ]


def pack_mark(name: str, marks: Mapping[str, Mark], only: Sequence[str]) -> dict[str, Any]:
    first = next(iter(marks.values()))
    return {
        "name": name,
        "shape": "star" if MARKERS.get(name, ("o",))[0] == "*" else "dot",
        "alpha": first.alpha,
        "beta": first.beta,
        "values": {
            label: [finite(getattr(mark, kind)), finite(getattr(mark, f"{kind}_stderr"))]
            for label, kind, mark in shown(marks, only)
        },
    }


def check_axes(scans: Sequence[Curve], names: Sequence[str]) -> None:
    """UserError unless scans share ascending axes: the browser draws and measures along them."""
    for scan, name in product(scans, names):
        axis = getattr(scan, name)
        if not (np.diff(axis) > 0).all():
            given = f"{axis.tolist()!r:.60}"
            raise UserError(f"the explorer needs {name} in ascending order, each value once; got {given}")
        if not np.array_equal(axis, getattr(scans[0], name)):
            raise UserError(f"the scans of one view must have the same {name}; make a view of each")


def counts(error: np.ndarray, examples: int) -> dict[str, str]:
    """Error rates as the numbers of errors that they are, uint16 and NO_COUNT for NaN, or else as floats."""
    wrong = np.where(np.isnan(error), NO_COUNT, np.rint(error * examples))
    if not (examples < NO_COUNT and np.all((np.abs(wrong - error * examples) < 1e-3) | np.isnan(error))):
        return {"values": floats(error)}
    return {"counts": base64ed(wrong, "<u2")}


def floats(values: np.ndarray) -> str:
    """Little-endian float32 in base64: NaN and infinities included, which JSON lacks."""
    with np.errstate(over="ignore"):
        return base64ed(values, "<f4")


def base64ed(values: np.ndarray, kind: str) -> str:
    return base64.b64encode(values.astype(kind).tobytes()).decode()


def listed(values: np.ndarray) -> list[float | None]:
    return [finite(value) for value in np.asarray(values, dtype=float).tolist()]


def finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
