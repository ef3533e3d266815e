"""Results for other programs: netCDF for xarray, and CSV."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from ..errors import UserError
from ..names import GROUPS, SPLITS
from .files import disk_errors, write_atomically
from .result_file import Result, part_of, sound_result

if TYPE_CHECKING:  # imported where it is used: it takes half a second, and only an export needs it
    from xarray import DataArray, Dataset

AXES = ("alpha", "beta")
# The dimensions of arrays that do not lie on a grid over alpha and beta.
DIMENSIONS = {
    "mark": ("mark",),
    "marks": ("mark", "value"),
    "draws": ("draw", "measure", "point"),  # the points of the grid, row by row, and then the marks
    "groups": ("group", "estimate"),
    "layers": ("group", "end"),
    "moved": ("group",),
    "fine_tuned": ("estimate",),
    "accuracy": GROUPS,
    "labels": ("label",),
    "leg": ("epoch_of_leg",),
    "quarter": ("quantity",),
    "size": ("at",),
    "group_size": ("group",),
    "radius": ("radius",),
    "random_sets": ("random_set", "layer"),
    **dict.fromkeys(("step", "loss", "epoch_of_step"), ("step",)),
    **dict.fromkeys((*AXES, "norm", "cosine", "in_plane", "dev_loss", "dev_accuracy"), ("epoch",)),
}
# Other ones, where an array that only some kinds of result have is there and the number of dimensions is theirs.
BESIDE: dict[str, dict[str, tuple[str, ...]]] = {
    "radius": {"loss": ("direction", "radius"), "draws": ("draw", "point")},
    "random_sets": dict.fromkeys(("loss", "correct"), ("rolled_back", "example")),
    "accuracy": {"accuracy": ("words",)},
}
COORDINATES = {
    "value": (*AXES, "loss", "error", "loss_stderr", "error_stderr"),
    "estimate": ("accuracy", "stderr"),
    "end": ("first", "last"),
    "measure": ("loss", "error"),
    "group": GROUPS,
    "quantity": ("norm", "cosine"),
    "at": ("theta_0", "theta_1"),
    "words": ("known", "unseen", "test"),
}
COLUMNS = {"value", "estimate", "end"}  # dimensions that are columns of a table


def export(path: Path, out: Path) -> Result:
    """Write a result, which is returned, as `.csv` (a table) or `.nc` (netCDF, for xarray)."""
    writers = {".csv": csv_bytes, ".nc": netcdf_bytes}
    if out.suffix not in writers:
        raise UserError(f"cannot export to {out}: the name must end in .csv or .nc")
    result = sound_result(path)
    data = writers[out.suffix](result)
    with (
        disk_errors(f"write {out}", "make room or give another name"),
        TemporaryDirectory(prefix=".", dir=out.parent) as own,
    ):
        write_atomically(Path(own, out.name), data)  # beside the user's files no name is ours
        os.replace(Path(own, out.name), out)
    return result


def dataset(result: Result) -> Dataset:
    """A result's arrays with named dimensions and their coordinates; recipe and meta as JSON, as attributes.

    "train.loss" and "dev.loss" are one variable, "loss", along "split". Two curves of one result, "path.loss" and
    "ray.loss", lie each along its own "alpha", "path.alpha" and "ray.alpha". Epochs and draws are counted from 0.
    """
    import xarray

    data = _part({name: array for name, array in result.arrays.items() if "." not in name}, result.recipe)
    prefixes = dict.fromkeys(name.partition(".")[0] for name in result.arrays if "." in name)
    parts = {prefix: _part(part_of(result.arrays, prefix), result.recipe) for prefix in prefixes}
    if scans := {split: parts.pop(split) for split in SPLITS if split in parts}:
        along = xarray.Variable("split", list(scans))
        both = xarray.concat(scans.values(), along, "all", coords="minimal", compat="equals", join="exact")
        data = data.merge(both)
    for prefix, part in parts.items():
        own = {*part.variables, *part.dims} - COORDINATES.keys()
        data = data.merge(part.rename({name: f"{prefix}.{name}" for name in own}))
    return data.assign_attrs(recipe=json.dumps(result.recipe), meta=json.dumps(result.meta))


def _part(arrays: Mapping[str, np.ndarray], recipe: Mapping[str, Any]) -> Dataset:
    """The arrays of one split, or of a result without splits."""
    import xarray

    axes = tuple(axis for axis in AXES if axis in arrays)
    grid = tuple(len(arrays[axis]) for axis in axes)
    if not any(array.shape == grid for name, array in arrays.items() if name not in axes):
        axes = grid = ()  # alpha and beta of a trajectory are not those of a grid
    variables = {}
    for stored, array in arrays.items():
        name = "mark" if stored == "mark_names" else stored  # as its dimension, so that it has coordinates
        if name in axes or array.shape == grid:
            variables[name] = ((name,) if name in axes else axes), array
            continue
        beside = [dims[name] for other, dims in BESIDE.items() if other in arrays and name in dims]
        without = tuple(f"{name}_{i}" for i in range(array.ndim))
        possible = (*beside, DIMENSIONS.get(name, ()), without)
        variables[name] = next(dims for dims in possible if len(dims) == array.ndim), array
    data = xarray.Dataset(variables)
    unnamed = {str(dim): size for dim, size in data.sizes.items() if dim not in data.coords}
    known: dict[str, Sequence] = {**COORDINATES, **dict.fromkeys(GROUPS, recipe.get("axis", ()))}
    random_sets = range(1, unnamed.get("rolled_back", 0) - len(GROUPS))
    known["rolled_back"] = ("nothing", *GROUPS, *(f"random set {i}" for i in random_sets))
    return data.assign_coords({dim: list(known.get(dim) or range(size)) for dim, size in unnamed.items()})


def netcdf_bytes(result: Result) -> bytes:
    """Everything, as a netCDF 3 file."""
    with ExitStack() as stack:
        if find_spec("dask"):  # xarray asks it how to write, and it would ask a cluster that is gone in vain
            import dask

            stack.enter_context(dask.config.set(scheduler="synchronous"))
        return bytes(dataset(result).to_netcdf(engine="scipy"))


def csv_bytes(result: Result) -> bytes:
    """A line for each point, mark, epoch, step, ..., whose numbers read back to the same bits; draws are left out."""
    import pandas
    import xarray

    data = dataset(result).expand_dims("row")  # pandas needs an index, also of single numbers
    constant: list[DataArray] = []
    tables = defaultdict[tuple, list](list)  # dimensions -> what lies along them
    draws = [name for name in data if str(name).rpartition(".")[2] == "draws"]
    for name, variable in data.drop_vars(draws).items():
        columns = COLUMNS.intersection(variable.dims)
        if not columns and {*variable.dims} <= {"row", "split"}:
            constant.append(variable)
            continue
        table = tables[*(dim for dim in variable.dims if dim not in columns)]
        if columns:
            prefix, dot, _ = str(name).rpartition(".")
            wide = variable.to_dataset(columns.pop())
            table.append(wide.rename({column: f"{prefix}{dot}{column}" for column in wide}))
        else:
            table.append(variable)
    frames = [xarray.merge([*table, *constant]).to_dataframe() for table in tables.values() or [[]]]
    tidy = pandas.concat([frame.reset_index().drop(columns="row") for frame in frames])
    return tidy.to_csv(index=False, lineterminator="\n").encode()
