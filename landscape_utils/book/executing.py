"""Notebooks executed by papermill, a few side by side, and checked: each ran to its end, without an error.

Sphinx stays content with a notebook that holds a traceback or was never run, so every executed notebook is
checked here before it is rendered.
"""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import nbformat
import papermill
import yaml

from ..errors import Lacking, UserError
from ..progress import SWITCH, bar

SIDE_BY_SIDE = 2  # kernels at a time: each holds its own torch


@dataclass(frozen=True)
class Execution:
    """A notebook to be executed into `output`; one that only reads may find results lacking, and is then left out."""

    notebook: Path
    output: Path
    parameters: Mapping[str, object]
    only_reads: bool = False


def check_parameters(notebook: Path, parameters: Mapping[str, object]) -> None:
    """`UserError` for a name that the notebook does not declare or a value of another type than declared.

    papermill itself only warns of the first and passes the second on.
    """
    found = papermill.inspect_notebook(notebook)
    declared = {name: entry["inferred_type_name"] for name, entry in found.items()}
    for name, value in parameters.items():
        if name not in declared:
            raise UserError(f"{notebook.name} has no parameter {name!r}; it has {', '.join(declared)}")
        taken = {declared[name], "int"} if declared[name] == "float" else {declared[name]}
        if type(value).__name__ not in taken:
            raise UserError(f"parameter {name} of {notebook.name} must be {declared[name]}, not {value!r}")


def execute(executions: Sequence[Execution]) -> dict[Path, str]:
    """Execute notebooks, a few side by side; the outputs of those that only read, and what they found lacking."""
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        reasons = bar(pool.map(_executed, executions), total=len(executions), what="notebooks")
        return {one.output: reason for one, reason in zip(executions, reasons, strict=True) if reason}


def _executed(one: Execution) -> str:
    """Run one notebook in a process of its own and check it; what results it lacks, if it only reads, else ""."""
    one.output.parent.mkdir(parents=True, exist_ok=True)
    one.output.unlink(missing_ok=True)
    parameters = yaml.safe_dump(dict(one.parameters))
    options = ["--no-progress-bar", "--kernel", "python3", "--parameters_yaml", parameters]
    done = subprocess.run(
        [sys.executable, "-m", f"{__package__}.papermill", one.notebook, one.output, *options],
        env=os.environ | {SWITCH: "off"},
        capture_output=True,
        text=True,
    )
    if done.returncode and "Exception encountered at" not in done.stderr:  # no cell failed, so none says why
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise UserError(f"{one.notebook.name} was not executed to its end: {last}")
    try:
        check_executed(one.output)
    except Lacking as found:
        if not one.only_reads:
            raise
        return str(found)
    return ""


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
                if output.ename == Lacking.__name__:
                    raise Lacking(" ".join(output.evalue.split()))
                reason = " ".join(f"{output.ename}: {output.evalue}".split())
                raise UserError(f"{path.name}, cell {number}: {reason} (in full: {path})")
        run = cell.metadata.get("papermill", {})
        if run.get("status") != "completed" or run.get("duration") is None:
            raise UserError(f"{path} is not finished: cell {number} was not run")
