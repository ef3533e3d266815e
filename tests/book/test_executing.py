"""Notebooks executed by papermill, of a few cells that take seconds."""

import nbformat
import pytest
from book_cases import LACKS, write_notebook

from landscape_utils.book.executing import Execution, check_executed, check_parameters, execute
from landscape_utils.errors import Lacking, UserError


@pytest.fixture
def run(tmp_path):
    """Executes a notebook of these cells, with an int where it declares a float; what was lacking."""

    def executed(*sources, **options):
        notebook = write_notebook(tmp_path / "01_one.ipynb", *sources)
        given = {"span": 2}
        check_parameters(notebook, given)
        return execute([Execution(notebook, tmp_path / "out" / "01_one.ipynb", given, **options)])

    return executed


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("raise ValueError('first\\nsecond')", r", cell \d: ValueError: first second \(in full: "),
        ("import os; os._exit(1)", " was not executed to its end: .*Kernel died"),
    ],
)
def test_a_notebook_that_fails_or_dies_is_refused(run, source, named):
    with pytest.raises(UserError, match=f"01_one.ipynb{named}") as caught:
        run(source, "print('after')")
    assert "\n" not in str(caught.value)


def test_a_notebook_that_papermill_did_not_run_to_its_end_is_refused(tmp_path):
    path = write_notebook(tmp_path / "01_one.ipynb", "1", "2")
    with pytest.raises(UserError, match="not executed by papermill"):
        check_executed(path)
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata["papermill"] = {"exception": None}
    for cell, status in zip(notebook.cells[1:], ("completed", "completed", "pending"), strict=True):
        cell.metadata["papermill"] = {"status": status, "duration": 0.1}
    nbformat.write(notebook, path)
    with pytest.raises(UserError, match="cell 3 was not run"):
        check_executed(path)


def test_what_is_lacking_leaves_out_a_notebook_that_only_reads_and_stops_any_other(run):
    assert list(run(LACKS, only_reads=True).values()) == ["no surface of mrpc"]
    with pytest.raises(Lacking, match=r"^no surface of mrpc$"):
        run(LACKS)
