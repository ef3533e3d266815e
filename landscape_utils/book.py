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
from pathlib import Path
from typing import TYPE_CHECKING

import nbformat
import papermill

from . import plots
from .errors import UserError
from .models import HOWS
from .profiles import display_name
from .progress import SWITCH, bar

if TYPE_CHECKING:
    from .study import Study

ROOT = Path(__file__).resolve().parents[1]
SIDE_BY_SIDE = 2  # kernels at a time: each holds its own torch


def build(profile: str = "demo", *, root: Path = ROOT, **parameters: object) -> Path:
    """Compute what the notebooks need, execute them all, render the book; returns the path of its front page.

    `parameters` are those of the notebooks (`tasks`, `seed`, `resolution`, ...). Raises `UserError` for a
    parameter that some notebook does not take or cannot use, for a notebook that fails, and for a page that
    Sphinx warns about.
    """
    from .study import Study

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
    plots.surface_grid({name: surfaces}, trajectories={name: paths}).savefig(path, dpi=200)
    return path


def find_notebooks(root: Path = ROOT) -> list[Path]:
    """The chapters' notebooks in their order; `UserError` where there are none, as in an installed wheel."""
    notebooks = sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    if not notebooks:
        raise UserError(f"no notebooks in {root / 'notebooks'}: the book is made from a clone of the repository")
    return notebooks


def check_parameters(notebook: Path, parameters: Mapping[str, object]) -> None:
    """`UserError` for a name that the notebook does not declare or a value of another type than declared.

    papermill itself only warns of the first and passes the second on.
    """
    declared = {name: entry["inferred_type_name"] for name, entry in papermill.inspect_notebook(notebook).items()}
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
        runs = pool.map(lambda pair: _papermill(*pair, parameters), zip(notebooks, outputs, strict=True))
        for _, output in bar(zip(runs, outputs, strict=True), total=len(outputs), what="notebooks"):
            check_executed(output)
    return outputs


def _papermill(notebook: Path, output: Path, parameters: Mapping[str, object]) -> None:
    """One notebook in its own process; whether it went well is read from what it wrote."""
    output.unlink(missing_ok=True)
    command = [sys.executable, "-m", "papermill", notebook, output, "--no-progress-bar", "-k", "python3"]
    quiet = os.environ | {SWITCH: "off", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    done = subprocess.run([*command, "-y", json.dumps(parameters)], env=quiet, capture_output=True, text=True)
    if not output.exists():
        raise UserError(f"papermill could not run {notebook.name}: {_last_line(done.stderr)}")


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
                raise UserError(f"{path.name}, cell {number}: {output.ename}: {output.evalue} (in full: {path})")
        if cell.metadata.get("papermill", {}).get("status") != "completed":
            raise UserError(f"{path} is not finished: cell {number} was not run")


def render(root: Path, executed: Iterable[Path], front: Path) -> Path:
    """Lay executed notebooks and the front picture beside the pages of `root/book`; HTML of them, warnings being errors.

    Returns the front page, `root/_build/html/index.html`.
    """
    stage, html = root / "_build" / "stage", root / "_build" / "html"
    for stale in (stage, html, root / "_build" / ".doctrees"):
        shutil.rmtree(stale, ignore_errors=True)
    shutil.copytree(root / "book", stage)
    shutil.copy(front, stage)
    (stage / "notebooks").mkdir()
    for notebook in executed:
        check_executed(notebook)
        shutil.copy(notebook, stage / "notebooks")
    layout = ["--config", root / "_config.yml", "--toc", stage / "_toc.yml", "--path-output", root]
    program = Path(sys.executable).with_name("jupyter-book")
    failed = subprocess.run([program, "build", stage, *layout, "-n", "-W", "--keep-going"]).returncode
    if failed or not (html / "index.html").exists():
        raise UserError("the book was not made: mend what jupyter-book warns of above")
    return html / "index.html"


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1]
