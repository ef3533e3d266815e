"""Results for other programs: CSV in long format, and netCDF as xarray reads it."""

from __future__ import annotations

import csv
import io
import json
import re

import numpy as np
from scipy.io import netcdf_file

from ..errors import UserError
from .result_file import Result

AXES = ("alpha", "beta")
_NETCDF_TYPES = (np.int8, np.int16, np.int32, np.float32, np.float64)


def _axes(arrays: dict[str, np.ndarray]) -> tuple[str, ...]:
    """The axes of the grid that arrays lie on: alpha, or alpha and beta; () if there is none."""
    axes = tuple(name for name in AXES if name in arrays and arrays[name].ndim == 1)
    shape = tuple(len(arrays[name]) for name in axes)
    on_grid = any(array.shape == shape for name, array in arrays.items() if name not in axes)
    return axes if on_grid and axes else ()


def csv_bytes(result: Result) -> bytes:
    """One line for each point: alpha, beta and a column for each array on the grid.

    Without a grid (a trajectory), a column for each one-dimensional array. Numbers are written so that they
    read back to the same bits. What lies on no grid (marks, single numbers) is left out: the netCDF file
    has all. Raises `UserError` if the arrays make no table.
    """
    arrays = result.arrays
    if axes := _axes(arrays):
        grid = np.meshgrid(*(arrays[name] for name in axes), indexing="ij")  # each (A,) or (A, B)
        columns = dict(zip(axes, grid, strict=True))
        columns |= {n: a for n, a in arrays.items() if n not in axes and a.shape == grid[0].shape}
    else:
        columns = {name: array for name, array in arrays.items() if array.ndim == 1}
    if not columns or len({len(column) for column in columns.values()}) > 1:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise UserError(f"{result.path} makes no table ({shapes}): export it to a .nc file instead")
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(column.ravel().tolist() for column in columns.values()), strict=True))
    return text.getvalue().encode()


def netcdf_bytes(result: Result) -> bytes:
    """All arrays as a netCDF 3 file, grids over alpha and beta, with recipe and meta as attributes.

    netCDF 3 has no booleans, which become int8, and few other types: 64-bit integers (exact up to 2^53), unsigned
    ones and float16 become float64.
    """
    buffer = io.BytesIO()
    file = netcdf_file(buffer, "w", mmap=False)
    axes = _axes(result.arrays)
    shape = tuple(len(result.arrays[name]) for name in axes)
    file.recipe, file.meta = json.dumps(result.recipe), json.dumps(result.meta)
    for axis, length in zip(axes, shape, strict=True):
        file.createDimension(axis, length)
    for name, array in result.arrays.items():
        label = re.sub(r"[^A-Za-z0-9_]", "_", name)
        values = _storable(array)
        if name in axes:
            dimensions: tuple[str, ...] = (name,)
        elif array.shape == shape and axes:
            dimensions = axes
        else:
            dimensions = tuple(f"{label}_{i}" for i in range(values.ndim))
            for dimension, length in zip(dimensions, values.shape, strict=True):
                file.createDimension(dimension, length)
        variable = file.createVariable(label, values.dtype, dimensions)
        if values.dtype == "S1":
            variable._Encoding = "utf-8"
        variable[...] = values
    file.flush()
    return buffer.getvalue()


def _storable(array: np.ndarray) -> np.ndarray:
    """The array in a type of netCDF 3; strings become characters along one more axis."""
    if array.dtype.kind == "U":
        encoded = np.char.encode(array, "utf-8")
        width = max(encoded.dtype.itemsize, 1)
        return np.frombuffer(encoded.astype(f"S{width}").tobytes(), "S1").reshape(*array.shape, width)
    if array.dtype.kind == "b":
        return array.astype(np.int8)
    return array if array.dtype in _NETCDF_TYPES else array.astype(np.float64)
