"""The book's making, on a book of one page and one or two notebooks that take seconds."""

from __future__ import annotations

import shutil
from pathlib import Path

import nbformat
import pytest
from matplotlib.figure import Figure

from landscape_utils import book
from landscape_utils.errors import UserError

v4 = nbformat.v4
PARAMETERS = 'profile: str = "demo"  # which\nresolution: int = 0  # points\nspan: float = 0.0  # how far'
TOC = "format: jb-book\nroot: index\nchapters:\n  - file: notebooks/01_one\n"


def write_notebook(path: Path, *sources: str) -> Path:
    """A notebook with the parameters' cell and a code cell for each source."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    parameters = v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    cells = [v4.new_markdown_cell("# One"), parameters, *map(v4.new_code_cell, sources)]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(v4.new_notebook(cells=cells, metadata=kernel), path)
    return path


def write_root(root: Path, page: str) -> Path:
    """The root of a small book with the project's own configuration."""
    (root / "book").mkdir(parents=True)
    shutil.copy(book.ROOT / "_config.yml", root)
    for shared in ("_ext", "_static"):
        shutil.copytree(book.ROOT / "book" / shared, root / "book" / shared)
    shutil.copy(book.ROOT / "book" / "references.bib", root / "book")
    (root / "book" / "_toc.yml").write_text(TOC)
    (root / "book" / "index.md").write_text(page)
    Figure(figsize=(1, 1)).savefig(root / "front.png")
    return root


def test_notebooks_are_found_in_the_order_of_their_numbers(tmp_path):
    for name in ("02_b", "01_a", "10_c", "draft"):
        write_notebook(tmp_path / "notebooks" / f"{name}.ipynb")
    assert [path.stem for path in book.find_notebooks(tmp_path)] == ["01_a", "02_b", "10_c"]


def test_a_place_without_notebooks_is_refused(tmp_path):
    with pytest.raises(UserError, match="clone"):
        book.find_notebooks(tmp_path)


def test_parameters_of_the_declared_types_pass(tmp_path):
    notebook = write_notebook(tmp_path / "01_one.ipynb")
    book.check_parameters(notebook, {"profile": "minilm", "resolution": 7, "span": 2.5})
    book.check_parameters(notebook, {"span": 2})  # an int where a float is declared


@pytest.mark.parametrize(
    ("parameters", "named"),
    [
        ({"resoluton": 7}, r"no parameter 'resoluton'; it has profile, resolution, span"),
        ({"resolution": "7"}, r"resolution of 01_one.ipynb must be int, not '7'"),
        ({"resolution": True}, r"must be int, not True"),
        ({"resolution": 7.0}, r"must be int, not 7.0"),
        ({"span": "wide"}, r"must be float, not 'wide'"),
        ({"profile": 3}, r"must be str, not 3"),
    ],
)
def test_parameters_that_papermill_would_let_pass_are_refused(tmp_path, parameters, named):
    with pytest.raises(UserError, match=named) as caught:
        book.check_parameters(write_notebook(tmp_path / "01_one.ipynb"), parameters)
    assert "\n" not in str(caught.value)


def test_notebooks_are_executed_with_the_parameters(tmp_path):
    sources = [
        write_notebook(
            tmp_path / f"0{i}_n.ipynb", "print(resolution * 6)", "import os; os.environ['LANDSCAPE_PROGRESS']"
        )
        for i in (1, 2, 3)
    ]
    outputs = book.execute(sources, tmp_path / "out", {"resolution": 7})
    assert [path.name for path in outputs] == ["01_n.ipynb", "02_n.ipynb", "03_n.ipynb"]
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
        ("import os; os._exit(1)", r"is not finished: cell 3 was not run"),
    ],
)
def test_a_notebook_that_fails_or_dies_is_refused(tmp_path, source, named):
    notebook = write_notebook(tmp_path / "01_one.ipynb", source, "print('after')")
    with pytest.raises(UserError, match=named) as caught:
        book.execute([notebook], tmp_path / "out", {})
    assert "\n" not in str(caught.value)


def test_a_notebook_that_papermill_did_not_run_is_refused(tmp_path):
    with pytest.raises(UserError, match="not executed by papermill"):
        book.check_executed(write_notebook(tmp_path / "01_one.ipynb", "1"))


def test_a_cell_left_pending_is_refused(tmp_path):
    path = write_notebook(tmp_path / "01_one.ipynb", "1", "2")
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata["papermill"] = {"exception": None}
    for cell, status in zip(notebook.cells[1:], ("completed", "completed", "pending"), strict=True):
        cell.metadata["papermill"] = {"status": status, "duration": 0.1}
    nbformat.write(notebook, path)
    with pytest.raises(UserError, match="cell 3 was not run"):
        book.check_executed(path)


def test_pages_and_notebooks_become_html_and_nothing_stale_stays(tmp_path):
    root = write_root(
        tmp_path / "root",
        "# Front\n\n![what it shows](front.png) $x^2$ {cite:t}`hao2019`\n\n```{bibliography}\n```\n",
    )
    stale = root / "_build" / "html" / "_static" / "stale.js"
    stale.parent.mkdir(parents=True)
    stale.touch()
    executed = book.execute([write_notebook(tmp_path / "01_one.ipynb", "print(6 * 7)")], tmp_path / "out", {})
    front_page = book.render(root, executed, root / "front.png")
    assert front_page == root / "_build" / "html" / "index.html"
    assert "front.png" in front_page.read_text()
    assert "42" in (front_page.parent / "notebooks" / "01_one.html").read_text()
    assert not stale.exists()


def test_a_warning_of_sphinx_is_an_error(tmp_path):
    root = write_root(tmp_path / "root", "# Front\n\n[](nowhere.md)\n")
    executed = book.execute([write_notebook(tmp_path / "01_one.ipynb", "1")], tmp_path / "out", {})
    with pytest.raises(UserError, match="book was not made"):
        book.render(root, executed, root / "front.png")


def test_an_unfinished_notebook_is_refused_before_rendering(tmp_path):
    root = write_root(tmp_path / "root", "# Front\n")
    with pytest.raises(UserError, match="not executed by papermill"):
        book.render(root, [write_notebook(tmp_path / "01_one.ipynb", "1")], root / "front.png")
    assert not (root / "_build" / "html").exists()
