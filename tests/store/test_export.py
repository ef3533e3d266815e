"""Exports: what other programs read is what was saved, to the bit."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import xarray
from scipy.io import netcdf_file

from landscape_utils.errors import UserError
from landscape_utils.store.export import csv_bytes, netcdf_bytes
from landscape_utils.store.result_file import Result

RANDOM = np.random.default_rng(0)
SURFACE = {
    "alpha": np.linspace(-1, 1, 3),
    "beta": np.linspace(-1, 1, 3) / 3,  # as many as alpha: only the order tells them apart
    "loss": RANDOM.normal(size=(3, 3)),
    "error": np.where(RANDOM.random((3, 3)) < 0.3, np.nan, 1 / 3),
    "marks": RANDOM.normal(size=(2, 6)),
    "mark_names": np.array(["start", "Ende é"]),
    "examples": np.int64(128),
    "precision": np.array("float32"),
}
CURVE = {
    "alpha": np.linspace(-1, 1, 5),
    "loss": RANDOM.normal(size=5).astype(np.float32),
    "examples": np.int64(7),
}
TRAJECTORY = {
    "alpha": np.arange(4.0),
    "beta": -np.arange(4.0),
    "in_plane": np.ones(4),
    "method": np.array("plane"),
}


def result(arrays):
    return Result(
        Path("x.npz"), {"seed": 1, "task": "mrpc"}, {"device": "cpu", "versions": {"numpy": "2"}}, arrays
    )


def table(arrays):
    rows = list(csv.reader(io.StringIO(csv_bytes(result(arrays)).decode())))
    return rows[0], np.array(rows[1:], dtype=float)


def test_a_surface_is_one_line_for_each_point():
    header, rows = table(SURFACE)
    assert header == ["alpha", "beta", "loss", "error"]
    expected = [
        (SURFACE["alpha"][i], SURFACE["beta"][j], SURFACE["loss"][i, j], SURFACE["error"][i, j])
        for i in range(3)
        for j in range(3)
    ]
    assert rows.tobytes() == np.array(expected).tobytes()


def test_a_curve_and_a_trajectory():
    header, rows = table(CURVE)
    assert header == ["alpha", "loss"]
    np.testing.assert_array_equal(rows.T, [CURVE["alpha"], CURVE["loss"]])
    header, rows = table(TRAJECTORY)
    assert header == ["alpha", "beta", "in_plane"]
    np.testing.assert_array_equal(rows.T, [TRAJECTORY[name] for name in header])


@pytest.mark.parametrize("arrays", [{}, {"x": np.zeros(2), "y": np.zeros(3)}, {"x": np.zeros((2, 2))}])
def test_what_makes_no_table_is_refused_in_one_line(arrays):
    with pytest.raises(UserError, match=r"makes no table.*\.nc") as caught:
        csv_bytes(result(arrays))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("arrays", [SURFACE, CURVE, TRAJECTORY], ids=["surface", "curve", "trajectory"])
def test_netcdf_holds_everything(arrays):
    file = netcdf_file(io.BytesIO(netcdf_bytes(result(arrays))), "r", mmap=False)
    assert json.loads(file.recipe) == {"seed": 1, "task": "mrpc"}
    assert json.loads(file.meta)["device"] == "cpu"
    assert set(file.variables) == set(arrays)
    for name, array in arrays.items():
        variable = file.variables[name]
        if array.dtype.kind == "U":
            text = [b"".join(row).rstrip(b"\0").decode() for row in np.atleast_2d(variable[...])]
            assert text == np.atleast_1d(array).tolist()
        else:
            np.testing.assert_array_equal(variable[...], array)
    if arrays is SURFACE:
        assert file.variables["loss"].dimensions == ("alpha", "beta")
        assert file.variables["alpha"].dimensions == ("alpha",)


def test_types_that_netcdf_lacks():
    arrays = {
        "flag": np.array([True, False]),
        "big": np.array([2**40]),
        "a b/é": np.zeros(1),
        "half": np.ones(2, np.float16),
    }
    file = netcdf_file(io.BytesIO(netcdf_bytes(result(arrays))), "r", mmap=False)
    assert file.variables["flag"][...].tolist() == [1, 0]
    assert file.variables["big"][...].tolist() == [2**40]
    assert file.variables["half"][...].tolist() == [1, 1]
    assert "a_b__" in file.variables


def test_xarray_reads_it():
    data = xarray.open_dataset(io.BytesIO(netcdf_bytes(result(SURFACE))), engine="scipy")
    np.testing.assert_array_equal(data.loss.sel(alpha=1.0, beta=0.0), SURFACE["loss"][2, 1])
    assert data.mark_names.values.tolist() == ["start", "Ende é"]
    assert data.precision.item() == "float32"
