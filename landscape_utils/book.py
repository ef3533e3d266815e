"""The book: notebooks executed by papermill, checked, laid beside the pages and rendered.

Sphinx stays content with a notebook that holds a traceback or was never run, so every executed notebook is
checked here before it is rendered. Nothing is executed while rendering: what a page shows is what papermill left.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import nbformat
import papermill

from . import plots
from .errors import UserError
from .models import HOWS
from .places import ROOT
from .profiles import display_name
from .progress import SWITCH, bar
from .study import Study

SIDE_BY_SIDE = 2  # kernels at a time: each holds its own torch


def build(profile: str = "demo", *, root: Path = ROOT, **parameters: Any) -> Path:
    """Compute what the notebooks need, execute them all, render the book; returns the path of its front page.

    `parameters` are those of the notebooks (`tasks`, `seed`, `resolution`, ...). Raises `UserError` for a
    parameter that some notebook does not take or cannot use, for a notebook that fails, and for a page that
    Sphinx warns about.
    """
    given = {"profile": profile, **parameters}
    sources = find_notebooks(root)
    for notebook in sources:
        check_parameters(notebook, given)
    study = Study(**given)
    study.compute()
    folder = root / "_build" / "executed" / study.profile.name
    executed = execute(sources, folder, given)
    return render(root, executed, front_picture(study, folder / "front.png"))


def front_picture(study: Study, path: Path) -> Path:
    """What the book is about in one picture: one task's surfaces and paths, from scratch and fine-tuned."""
    task = "mrpc" if "mrpc" in study.tasks else study.tasks[0]
    surfaces = {how: study.surface(task, how) for how in HOWS[::-1]}
    paths = {how: study.trajectory(task, how) for how in surfaces}
    name = display_name(task)
    plots.surface_grid({name: surfaces}, trajectories={name: paths}).savefig(
        path, dpi=200, bbox_inches="tight"
    )
    return path


def find_notebooks(root: Path = ROOT) -> list[Path]:
    """The chapters' notebooks in their order; `UserError` where there are none, as in an installed wheel."""
    notebooks = sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    if not notebooks:
        raise UserError(
            f"no notebooks in {root / 'notebooks'}: the book is made from a clone of the repository"
        )
    return notebooks


def check_parameters(notebook: Path, parameters: Mapping[str, object]) -> None:
    """`UserError` for a name that the notebook does not declare or a value of another type than declared.

    papermill itself only warns of the first and passes the second on.
    """
    declared = {
        name: entry["inferred_type_name"] for name, entry in papermill.inspect_notebook(notebook).items()
    }
    for name, value in parameters.items():
        if name not in declared:
            raise UserError(f"{notebook.name} has no parameter {name!r}; it has {', '.join(declared)}")
        taken = {declared[name], "int"} if declared[name] == "float" else {declared[name]}
        if type(value).__name__ not in taken:
            raise UserError(f"parameter {name} of {notebook.name} must be {declared[name]}, not {value!r}")


def execute(notebooks: Sequence[Path], folder: Path, parameters: Mapping[str, object]) -> list[Path]:
    """Execute notebooks into `folder`, a few side by side; the executed copies, each checked."""
    folder.mkdir(parents=True, exist_ok=True)
    outputs = [folder / notebook.name for notebook in notebooks]
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        runs = pool.map(partial(_papermill, parameters), notebooks, outputs)
        for _ in bar(runs, total=len(outputs), what="notebooks"):
            pass
    return outputs


def _papermill(parameters: Mapping[str, object], notebook: Path, output: Path) -> None:
    """One notebook in a process of its own; `UserError` where it did not get to its end without an error."""
    output.unlink(missing_ok=True)
    options = ["--no-progress-bar", "--kernel", "python3", "--parameters_yaml", json.dumps(parameters)]
    done = subprocess.run(
        [sys.executable, "-m", "papermill", notebook, output, *options],
        env=os.environ | {SWITCH: "off"},
        capture_output=True,
        text=True,
    )
    if output.exists():
        check_executed(output)
    if done.returncode:  # a kernel that died leaves no error in the notebook
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise UserError(f"{notebook.name} was not executed to its end: {last}")


def check_executed(path: Path) -> None:
    """`UserError` unless papermill ran every cell of the notebook to its end without an error."""
    notebook = nbformat.read(path, as_version=4)
    if "papermill" not in notebook.metadata:
        raise UserError(f"{path} was not executed by papermill")
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type != "code":
            continue
        for output in cell.outputs:
            if output.output_type == "error":
                reason = " ".join(f"{output.ename}: {output.evalue}".split())
                raise UserError(f"{path.name}, cell {number}: {reason} (in full: {path})")
        run = cell.metadata.get("papermill", {})
        if run.get("status") != "completed" or run.get("duration") is None:
            raise UserError(f"{path} is not finished: cell {number} was not run")


def render(root: Path, executed: Iterable[Path], front: Path) -> Path:
    """Lay executed notebooks and the front picture beside the pages of `root/book` and make HTML of them.

    A warning of Sphinx is an error. Returns the front page, `root/_build/html/index.html`.
    """
    stage, html = root / "_build" / "stage", root / "_build" / "html"
    for stale in (stage, html, root / "_build" / ".doctrees"):
        shutil.rmtree(stale, ignore_errors=True)
    shutil.copytree(root / "book", stage)
    shutil.copy(front, stage)
    (stage / "notebooks").mkdir()
    for notebook in executed:
        check_executed(notebook)
        stage_notebook(notebook, stage / "notebooks")
    layout: list[str | Path] = [
        "--config",
        root / "_config.yml",
        "--toc",
        stage / "_toc.yml",
        "--path-output",
        root,
    ]
    program = Path(sys.executable).with_name("jupyter-book")
    failed = subprocess.run([program, "build", stage, *layout, "-n", "-W", "--keep-going"]).returncode
    if failed or not (html / "index.html").exists():
        raise UserError("the book was not made: mend what jupyter-book warns of above")
    return html / "index.html"


def stage_notebook(notebook: Path, folder: Path) -> None:
    """A copy without the state of widgets: a page has no kernel for them, and their outputs hold all that it shows."""
    content = nbformat.read(notebook, as_version=4)
    content.metadata.pop("widgets", None)
    nbformat.write(content, folder / notebook.name)
