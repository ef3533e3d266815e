"""Notebooks executed by papermill, a few side by side, and checked: each ran to its end, without an error.

Sphinx stays content with a notebook that holds a traceback or was never run, so every executed notebook is
checked here before it is rendered.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import nbformat
import papermill

from ..errors import Lacking, UserError
from ..progress import SWITCH, bar

SIDE_BY_SIDE = 2  # kernels at a time: each holds its own torch
MARK = "made_from"  # in the metadata of an executed notebook that may be kept


@dataclass(frozen=True)
class Execution:
    """A notebook to be executed into `output`.

    Attributes:
        made_from: of a notebook that only reads, the fingerprint of all that it shows. Its output is kept as long as
            that stays; it may find results lacking, and is then left out. "" for one that is executed every time.
    """

    notebook: Path
    output: Path
    parameters: Mapping[str, object]
    made_from: str = ""


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


def execute(executions: Sequence[Execution]) -> dict[Path, str]:
    """Execute notebooks, a few side by side, and check them.

    Returns:
        The outputs of those that only read and found results lacking, each with what is lacking.
    """
    with ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
        reasons = bar(pool.map(_executed, executions), total=len(executions), what="notebooks")
        return {one.output: reason for one, reason in zip(executions, reasons, strict=True) if reason}


def _executed(one: Execution) -> str:
    """What a notebook that only reads lacks, executed now or kept; "" where nothing is."""
    kept = bool(one.made_from) and _mark(one.output) == one.made_from
    lacking = ""
    try:
        if kept:
            check_executed(one.output)
        else:
            _papermill(one)
    except Lacking as found:
        if not one.made_from:
            raise
        lacking = str(found)
    if one.made_from and not kept:
        _set_mark(one.output, one.made_from)
    return lacking


def _papermill(one: Execution) -> None:
    """One notebook in a process of its own; `UserError` where it did not get to its end without an error."""
    one.output.parent.mkdir(parents=True, exist_ok=True)
    one.output.unlink(missing_ok=True)
    options = ["--no-progress-bar", "--kernel", "python3", "--parameters_yaml", json.dumps(one.parameters)]
    done = subprocess.run(
        [sys.executable, "-m", "papermill", one.notebook, one.output, *options],
        env=os.environ | {SWITCH: "off"},
        capture_output=True,
        text=True,
    )
    if one.output.exists():
        check_executed(one.output)
    if done.returncode:  # a kernel that died leaves no error in the notebook
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise UserError(f"{one.notebook.name} was not executed to its end: {last}")


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


def surroundings(parameters: Mapping[str, object], results: Iterable[Path]) -> str:
    """A fingerprint of what notebooks that only read show, but for their own sources: parameters, this package and all
    that are installed, the results in the given folders.
    """
    installed = sorted(f"{found.name} {found.version}" for found in importlib.metadata.distributions())
    digest = hashlib.sha256(json.dumps([sys.version, installed, parameters], sort_keys=True).encode())
    source = [
        path
        for path in Path(__file__).parents[1].rglob("*")
        if path.suffix in (".py", ".toml", ".js", ".css")
    ]
    for path in sorted(source) + sorted(path for folder in results for path in folder.glob("*/*.npz")):
        digest.update(f"{path.parent.name}/{path.name}\n".encode() + _digest(path))
    return digest.hexdigest()


def fingerprint(notebook: Path, around: str) -> str:
    """Of a notebook and its surroundings."""
    return hashlib.sha256(around.encode() + _digest(notebook)).hexdigest()


def _digest(path: Path) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()


def _mark(output: Path) -> str:
    """What an executed notebook was made from; "" for one that is not there, or that says nothing of it."""
    return nbformat.read(output, as_version=4).metadata.get(MARK, "") if output.exists() else ""


def _set_mark(output: Path, made_from: str) -> None:
    notebook = nbformat.read(output, as_version=4)
    notebook.metadata[MARK] = made_from
    nbformat.write(notebook, output)
