"""Notebooks executed by papermill, of a few cells that take seconds."""

from __future__ import annotations

import nbformat
import pytest
from book_cases import LACKS, write_notebook

from landscape_utils.book.executing import Execution, check_executed, check_parameters, execute
from landscape_utils.errors import Lacking, UserError


def test_parameters_of_the_declared_types_pass(tmp_path):
    notebook = write_notebook(tmp_path / "01_one.ipynb")
    check_parameters(notebook, {"profile": "minilm", "resolution": 7, "span": 2.5})
    check_parameters(notebook, {"span": 2})  # an int where a float is declared


def test_notebooks_are_executed_with_the_parameters(tmp_path):
    code = ("print(resolution * 6)", "import os; os.environ['LANDSCAPE_PROGRESS']")
    sources = [write_notebook(tmp_path / f"0{i}_n.ipynb", *code) for i in (1, 2, 3)]
    outputs = [tmp_path / "out" / source.name for source in sources]
    ones = [Execution(s, o, {"resolution": 7}) for s, o in zip(sources, outputs, strict=True)]
    assert execute(ones) == {}
    for path in outputs:
        printed, switch = nbformat.read(path, as_version=4).cells[-2:]
        assert printed.outputs[0].text == "42\n"
        assert switch.outputs[0].data["text/plain"] == "'off'"
    assert not nbformat.read(sources[0], as_version=4).cells[-1].outputs


@pytest.mark.parametrize(
    ("source", "named"),
    [
        (
            "raise ValueError('first line\\nsecond')",
            r"01_one.ipynb, cell \d: ValueError: first line second \(in full: ",
        ),
        ("import os; os._exit(1)", r"01_one.ipynb was not executed to its end: .*Kernel died"),
    ],
)
def test_a_notebook_that_fails_or_dies_is_refused(tmp_path, source, named):
    notebook = write_notebook(tmp_path / "01_one.ipynb", source, "print('after')")
    with pytest.raises(UserError, match=named) as caught:
        execute([Execution(notebook, tmp_path / "out" / notebook.name, {})])
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


def test_what_is_lacking_leaves_out_a_notebook_that_only_reads_and_stops_any_other(tmp_path):
    notebook, output = write_notebook(tmp_path / "01_one.ipynb", LACKS), tmp_path / "out.ipynb"
    assert execute([Execution(notebook, output, {}, only_reads=True)]) == {output: "no surface of mrpc"}
    with pytest.raises(Lacking, match=r"^no surface of mrpc$"):
        execute([Execution(notebook, output, {})])
    write_notebook(notebook, "1 / 0")
    with pytest.raises(UserError, match="ZeroDivisionError"):
        execute([Execution(notebook, output, {}, only_reads=True)])
