"""The notebooks: what lies in the repository, and what papermill makes of it under a tiny profile."""

import re
from pathlib import Path

import nbformat
import papermill
import pytest
from book_cases import TWINS
from own_case import run_notebook, save_training, write_examples

from landscape_utils.book.executing import check_executed
from landscape_utils.environment import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
DECLARED = dict.fromkeys(("profile", "tasks", "data_dir", "results_dir", "device"), "str")
DECLARED |= dict.fromkeys(("seed", "resolution", "examples"), "int") | {"span": "float"}
OF_ONES_OWN = "checkpoints other scratch scratch_other train dev text label directions"
OWN = dict.fromkeys(OF_ONES_OWN.split(), "str") | {"max_length": "int"}
# A notebook is rendered for both parts of the book: a label in it would be defined twice.
LABEL = r"^\([\w-]+\)=|^\$\$ *\([\w-]+\)|:(label|name):|\\label\{"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_source_has_a_number_hides_its_setup_holds_no_outputs_or_labels_and_takes_the_parameters(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert not {"papermill", "widgets"} & set(notebook.metadata)
    title, *setup = notebook.cells[:3]
    assert title.source.startswith(f"# {int(path.stem[:2])} ")
    assert all("hide-input" in cell.metadata.tags and cell.metadata.mystnb.code_prompt_show for cell in setup)
    for cell in notebook.cells:
        assert not re.search(LABEL, cell.source, re.M), cell.source
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
            assert max(map(len, cell.source.splitlines())) <= 88, "code fits the column of a page"
    declared, first = papermill.inspect_notebook(path), papermill.inspect_notebook(NOTEBOOKS[0])
    more = OWN if path.stem == "08_your_model" else {}
    assert {name: entry["inferred_type_name"] for name, entry in declared.items()} == DECLARED | more
    assert all(declared[name]["default"] == first[name]["default"] for name in DECLARED)
    assert all(entry["help"] for entry in declared.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", [path.stem for path in NOTEBOOKS[:7] if path.stem not in TWINS])
def test_a_chapter_that_is_no_twin_here_makes_the_reference_run_of_results_alone(name, site, tiny_profile):
    """Its cells, without a kernel: nothing is trained, fetched or written."""
    given = {"profile": str(tiny_profile.with_name("reference.toml")), "device": "none"}
    names: dict = {}
    for cell in nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4).cells:
        if cell.cell_type == "code":
            exec(re.sub("^%.*", "", cell.source, flags=re.M), names)
        if "parameters" in cell.metadata.get("tags", ()):
            names |= given | {"results_dir": str(site.parents[1] / "results")}
    assert names["study"].store.read_only


def results_alone(chapter: str, folder: Path, place: Path, options: str) -> Path:
    """The results of a notebook that is run in a folder; they lie in another, a new one in `place`."""
    (results := place / "results").mkdir()
    options += f" -p resolution 4 -p results_dir {results}"
    done = run_notebook(chapter, results / "out.ipynb", options, cwd=folder)
    assert done.returncode == 0, done.stderr
    check_executed(results / "out.ipynb")
    return results


@pytest.mark.slow
def test_a_notebook_runs_alone_from_its_own_folder(tiny_profile, tmp_path):
    """Its results land in the folder that is named, and only those of the task that is asked for."""
    profile = tiny_profile.with_name("alone.toml")  # other processes would be started for two trainings
    profile.write_text(tiny_profile.read_text().replace("side_by_side = true", "side_by_side = false"))
    options = f"-p profile {profile} -p tasks mrpc"
    results = results_alone(NOTEBOOKS[1].stem, ROOT / "notebooks", tmp_path, options)
    assert {path.name.split("-")[0] for path in (results / "tiny" / "curves").glob("*.npz")} == {"mrpc"}


@pytest.mark.slow
def test_a_users_checkpoints_need_no_other_task_and_no_layer_groups(tiny_profile, tmp_path):
    """Two checkpoints of an ALBERT and two files, from the folder that they lie in."""
    save_training(tmp_path, "albert", checkpoints=2)
    write_examples(tmp_path)
    options = f"-p profile {tiny_profile} -p checkpoints checkpoint-* -p text text -p label tone"
    options += " -p train reviews-train.csv -p dev reviews-dev.csv"
    results = results_alone("08_your_model", tmp_path, tmp_path, options)
    kinds = {path.parent.name for path in (results / "own").glob("*/reviews-*.npz")}
    assert kinds == {"runs", "curves", "surfaces", "trajectories"}
    assert not (results / "own" / "models").exists(), "no small case was made"
