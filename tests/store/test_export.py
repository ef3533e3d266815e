"""Exports: pandas and xarray read what was saved, to the bit, of every kind of result that comes with the project."""

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from landscape_utils.names import GROUPS, SPLITS
from landscape_utils.store.export import csv_bytes, netcdf_bytes
from landscape_utils.store.result_file import Result, read_result
from landscape_utils.store.store import Store

KEPT = [Path(__file__).parents[2] / "results" / name for name in ("minilm", "mpnet")]
# one of each kind: its main array, its dimensions, and what a line of its table is found by
KINDS = {
    "curves/mrpc-pretrained": "loss split alpha",
    "surfaces/mrpc-scratch": "loss split alpha beta",
    "layers/mnli-low": "loss split alpha beta",
    "cubes/mrpc": "accuracy low middle high",
    "rollbacks/mnli": "moved group",
    "runs/rte-pretrained-0": "dev_loss epoch",
    "similarities/rte": "accuracy",
    "trajectories/sst2-scratch-paper": "beta epoch",
    "tasks/mnli": "labels label",
    "walks/rte-pretrained-0": "norm epoch",
    "paths/mrpc-scratch-0": "loss alpha",
    "obstacles/mrpc-pretrained-0": "ray.loss ray.alpha",
    "barriers/mrpc-pretrained-0": "loss split alpha",
    "random_directions/sst2-scratch-0": "loss direction radius",
}


def opened(result):
    data = xr.open_dataset(io.BytesIO(netcdf_bytes(result)), engine="scipy")
    return data, pd.read_csv(io.BytesIO(csv_bytes(result)))


def test_every_kind_is_here_and_every_file_that_is_kept_with_the_project_is_sound():
    kinds = {path.name for folder in KEPT for path in folder.iterdir()}
    assert kinds == {kind.partition("/")[0] for kind in KINDS}
    states = [entry.state for folder in KEPT for entry in Store(folder).entries()]
    assert set(states) == {"sound"}
    assert len(states) > 80


@pytest.mark.parametrize("kind", KINDS)
def test_xarray_and_pandas_read_every_kind(kind):
    result = kept(kind)
    data, table = opened(result)
    assert json.loads(data.recipe) == result.recipe
    assert json.loads(data.meta) == result.meta
    assert set(data.dims) == set(data.coords), "each dimension has coordinates"
    assert not [dim for dim in data.dims if dim[-2:] in ("_0", "_1", "_2")], "and a name that says what it is"
    assert all(data[dim].values.tolist() == result.recipe["axis"] for dim in GROUPS if dim in data.dims)
    for stored, array in result.arrays.items():
        name = stored.replace("mark_names", "mark")
        split, _, of_split = name.rpartition(".")
        variable = data[of_split if split in SPLITS else name]
        found = (variable.sel(split=split) if "split" in variable.dims else variable).values
        assert found.shape == array.shape, stored
        assert found.tolist() == array.tolist() or found.tobytes() == array.tobytes(), stored
    name, *dims = KINDS[kind].split()
    assert data[name].dims == tuple(dims)
    if not dims:
        assert table[name].tolist() == [data[name].item()]
        return
    lines = table.dropna(subset=[dims[-1], *([] if name == "beta" else [name])])
    lines = lines[lines.filter(regex="mark$").isna().all(axis=1)]
    assert lines.set_index(dims)[name].to_dict() == data[name].to_series().to_dict()


def kept(name):
    return read_result(next(path for folder in KEPT for path in folder.glob(f"{name}-*.npz")))


def test_the_marks_of_a_surface_and_the_groups_of_a_rollback_are_lines_of_their_tables():
    result = kept("surfaces/mrpc-pretrained")
    table = opened(result)[1]
    end = table[(table["split"] == "dev") & (table["mark"] == "end")].iloc[0]
    columns = ["alpha", "beta", "loss", "error", "loss_stderr", "error_stderr"]
    assert end[columns].tolist() == result.arrays["dev.marks"][1].tolist()
    assert (len(table), set(table["examples"])) == (2 * (21 * 21 + 2), {128})
    result = kept("rollbacks/mrpc")
    table = opened(result)[1].set_index("group")
    for columns, stored in (("accuracy stderr", "groups"), ("first last", "layers")):
        found = table.loc[["low", "middle", "high"], columns.split()]
        assert found.values.tolist() == result.arrays[stored].tolist()
    assert table[table.index.isna()]["accuracy"].dropna().item() == result.arrays["fine_tuned"][0]


def test_random_directions_have_a_line_for_each_direction_and_radius():
    radius, draws = np.array([0.1, 0.2, 0.4]), np.zeros((4, 7))  # of the end, and of each line
    arrays = {"radius": radius, "loss": np.arange(6.0).reshape(2, 3), "end": np.array(0.5), "draws": draws}
    data, table = opened(Result(Path("x.npz"), {}, {}, arrays))
    assert (data.draws.dims, data.draws.shape) == (("draw", "point"), (4, 7))
    assert table.set_index(["direction", "radius"])["loss"].to_dict() == data.loss.to_series().to_dict()
    assert (data.loss.dims, table["end"].tolist()) == (("direction", "radius"), [0.5] * 6)


def test_what_no_table_knows():
    unknown = {"flag": np.array([True, False]), "square": np.ones((2, 3)), "word": np.array("é")}
    split = {"train.alpha": np.arange(2.0), "train.loss": np.ones(2), "shares": np.array([0.75, 0.25])}
    lost = {"lost": np.array([np.inf, np.nan, -0.0])}
    data, table = opened(Result(Path("x.npz"), {}, {}, unknown | split | lost))
    for name, array in (unknown | lost).items():
        assert np.array_equal(data[name].values, array, equal_nan=array.dtype.kind == "f"), name
    assert (data.square.dims, table["square"].count()) == (("square_0", "square_1"), 6)
    assert data.loss.dims == ("split", "alpha")  # not all of a map is of a split
    assert data.shares.values.tolist() == table["shares"].dropna().tolist() == [0.75, 0.25]
