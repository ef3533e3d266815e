"""The notebooks: what lies in the repository, and what papermill makes of it under a tiny profile."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import nbformat
import papermill
import pytest
from own_case import PAPERMILL, save_training, write_examples

from landscape_utils.book.executing import check_executed
from landscape_utils.environment import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
DECLARED = {
    "profile": "str",
    "tasks": "str",
    "seed": "int",
    "resolution": "int",
    "span": "float",
    "examples": "int",
    "data_dir": "str",
    "results_dir": "str",
    "device": "str",
}
OWN = dict.fromkeys(
    ("checkpoints", "other", "scratch", "scratch_other", "train", "dev", "text", "label", "directions"), "str"
) | {"max_length": "int"}
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def read(path: Path) -> nbformat.NotebookNode:
    return nbformat.read(path, as_version=4)


def papermill_run(notebook: Path, out: Path, *options: str, cwd: Path = ROOT) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", PAPERMILL, str(notebook), str(out), "--no-progress-bar", *options]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True)


@each_notebook
def test_sources_hold_no_outputs(path):
    notebook = read(path)
    nbformat.validate(notebook)
    assert "papermill" not in notebook.metadata
    assert "widgets" not in notebook.metadata
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
            assert max(map(len, cell.source.splitlines())) <= 88, "code fits the column of a page"


@each_notebook
def test_chapters_are_numbered_and_their_setup_is_hidden_behind_a_title(path):
    title, parameters, study = read(path).cells[:3]
    assert title.source.startswith(f"# {int(path.stem[:2])} ")
    for cell in (parameters, study):
        assert "hide-input" in cell.metadata.tags
        assert cell.metadata.mystnb.code_prompt_show


@each_notebook
def test_no_label_would_stand_twice(path):
    """A notebook is rendered for both parts of the book: a label in it would be defined twice."""
    defined = r"^\([\w-]+\)=|^\$\$ *\([\w-]+\)|:(label|name):|\\label\{"
    for cell in read(path).cells:
        assert not re.search(defined, cell.source, re.M), cell.source


@each_notebook
def test_every_notebook_takes_the_same_parameters(path):
    declared = papermill.inspect_notebook(path)
    more = OWN if path.stem == "08_your_model" else {}
    assert {name: entry["inferred_type_name"] for name, entry in declared.items()} == DECLARED | more
    first = papermill.inspect_notebook(NOTEBOOKS[0])
    assert {name: declared[name]["default"] for name in DECLARED} == {
        n: e["default"] for n, e in first.items()
    }
    assert all(entry["help"] for entry in declared.values())


@pytest.mark.slow
@each_notebook
def test_executed_its_figures_are_described(path, site):
    executed = site.parent / "executed" / "tiny" / path.name
    check_executed(executed)
    drawn = [
        cell
        for cell in read(executed).cells
        if cell.cell_type == "code"
        and any(kind.startswith("image/") for output in cell.outputs for kind in output.get("data", {}))
    ]
    assert drawn or path not in NOTEBOOKS[:6]
    for cell in drawn:
        assert len(cell.metadata.get("mystnb", {}).get("image", {}).get("alt", "").split()) >= 5


@pytest.mark.slow
def test_a_notebook_runs_alone_from_its_own_folder(tiny_profile, tmp_path):
    """Its results land in the folder that is named, and only those of the task that is asked for."""
    out, results = tmp_path / "out.ipynb", tmp_path / "results"
    options = f"-p profile {tiny_profile} -p tasks mrpc -p resolution 4 -p results_dir {results}"
    done = papermill_run(NOTEBOOKS[1], out, *options.split(), cwd=ROOT / "notebooks")
    assert done.returncode == 0, done.stderr
    check_executed(out)
    assert {path.name.split("-")[0] for path in (results / "tiny" / "curves").glob("*.npz")} == {"mrpc"}


@pytest.mark.slow
def test_a_users_checkpoints_need_no_other_task_and_no_layer_groups(tiny_profile, tmp_path):
    """Two checkpoints of an ALBERT and two files, from the folder that they lie in."""
    save_training(tmp_path, "albert", checkpoints=2)
    write_examples(tmp_path)
    out, results = tmp_path / "out.ipynb", tmp_path / "results"
    options = (
        f"-p profile {tiny_profile} -p results_dir {results} -p checkpoints checkpoint-* -p resolution 4"
    )
    options += " -p train reviews-train.csv -p dev reviews-dev.csv -p text text -p label tone"
    done = papermill_run(ROOT / "notebooks" / "08_your_model.ipynb", out, *options.split(), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    check_executed(out)
    kinds = {path.parent.name for path in (results / "own").glob("*/reviews-*.npz")}
    assert kinds == {"runs", "curves", "surfaces", "trajectories"}
    assert not (results / "own" / "models").exists(), "no small case was made"
