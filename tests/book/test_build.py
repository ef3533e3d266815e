"""The book's making, on a book of one page and one or two notebooks that take seconds."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from book_cases import LACKS, as_executed, write_notebook
from bs4 import BeautifulSoup
from matplotlib.figure import Figure

from landscape_utils.book import build as book
from landscape_utils.book.staging import REFERENCE, YOURS, Part
from landscape_utils.errors import Lacking, UserError

TOC = """\
format: jb-book
root: index
parts:
  - chapters:
      - file: reference_run/01_one
      - file: reference_run/02_two
  - chapters:
      - file: notebooks/01_one
      - file: notebooks/02_two
"""


def write_root(root: Path, page: str, contents: str = TOC) -> Path:
    """The root of a small book with the project's own configuration."""
    (root / "book").mkdir(parents=True)
    shutil.copy(book.ROOT / "_config.yml", root)
    for shared in ("_ext", "_static"):
        shutil.copytree(book.ROOT / "book" / shared, root / "book" / shared)
    shutil.copy(book.ROOT / "book" / "references.bib", root / "book")
    (root / "book" / "_toc.yml").write_text(contents)
    (root / "book" / "index.md").write_text(page)
    Figure(figsize=(1, 1)).savefig(root / "front.svg")
    return root


@pytest.fixture
def yours():
    """(root, *sources) -> a part of the notebooks that the table of contents names."""

    def part(root: Path, *sources: str) -> Part:
        notebooks = [as_executed(root / "out" / f"{name}.ipynb", *sources) for name in ("01_one", "02_two")]
        return Part(YOURS, "your run", "Under the profile `demo`.", notebooks)

    return part


def test_notebooks_are_found_in_the_order_of_their_numbers(tmp_path):
    with pytest.raises(UserError, match="clone"):
        book.find_notebooks(tmp_path)
    for name in ("02_b", "01_a", "10_c", "draft"):
        write_notebook(tmp_path / "notebooks" / f"{name}.ipynb")
    assert [path.stem for path in book.find_notebooks(tmp_path)] == ["01_a", "02_b", "10_c"]


def test_a_warning_of_sphinx_is_an_error(tmp_path, yours):
    root = write_root(tmp_path / "root", "# Front\n\n[](nowhere.md)\n")
    with pytest.raises(UserError, match="book was not made"):
        book.render(root, [yours(root)], root / "front.svg")


def test_an_unfinished_notebook_is_refused_before_rendering(tmp_path):
    root = write_root(tmp_path / "root", "# Front\n")
    unfinished = write_notebook(tmp_path / "01_one.ipynb", "1")
    with pytest.raises(UserError, match="not executed by papermill"):
        book.render(root, [Part(YOURS, "your run", "", [unfinished])], root / "front.svg")
    assert not (root / "_build" / "html").exists()


class FakeStudy:
    """A study of a book whose notebooks ask for none."""

    def __init__(self, profile: str, results_dir: Path | str = "results", **parameters: str):
        self.profile = SimpleNamespace(name=profile, tasks={})
        states = [SimpleNamespace(state=state) for state in ("sound", "earlier", "unfinished")]
        folder = Path(results_dir) / profile
        self.store = SimpleNamespace(folder=folder, verify=lambda current: states)
        self.tasks = ()

    def compute(self) -> None:
        pass

    def claims(self) -> list:
        outcomes = ("holds", "holds", "not measured")
        return [SimpleNamespace(primary=SimpleNamespace(outcome=outcome)) for outcome in outcomes]


def draw(study: FakeStudy, path: Path) -> Path:
    Figure(figsize=(1, 1)).savefig(path)
    path.with_suffix(".md").touch()
    return path


def test_both_parts_are_made_and_what_the_reference_run_lacks_is_left_out(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(book, "Study", FakeStudy)
    monkeypatch.setattr(book, "draw_front", draw)
    root = write_root(
        tmp_path / "root",
        "# Front\n\n[](reference_run/01_one.ipynb) [](reference_run/02_two.ipynb)\n\n```{include} tally.md\n```\n\n"
        "![what it shows](front.svg) $x^2$ {cite:t}`hao2019`\n\n```{bibliography}\n```\n",
    )
    stale = root / "_build" / "html" / "_static" / "stale.js"
    stale.parent.mkdir(parents=True)
    stale.touch()
    write_notebook(root / "notebooks" / "01_one.ipynb", "print(profile)")
    write_notebook(root / "notebooks" / "02_two.ipynb", f"if device == 'none': {LACKS}")
    (root / "results" / "minilm").mkdir(parents=True)
    with caplog.at_level(logging.WARNING):
        html = book.build("demo", root=root).parent
    assert [r.getMessage() for r in caplog.records] == [
        "left out of the reference run: 02_two; no surface of mrpc"
    ]
    pages = {
        name: BeautifulSoup((html / f"{name}.html").read_text(), "html.parser").article
        for name in ("index", "notebooks/01_one", "notebooks/02_two", "reference_run/01_one")
    }
    assert not stale.exists()
    assert pages["index"].img["src"].endswith("front.svg")
    assert not (html / REFERENCE / "02_two.html").exists()
    assert "minilm" in pages["reference_run/01_one"].select_one(".cell_output").text
    assert "demo" in pages["notebooks/01_one"].select_one(".cell_output").text
    assert "1 were computed by an earlier version" in pages["notebooks/01_one"].select_one(".run").text
    tally = "The reference run (minilm): of 3 sentences, 2 hold and 1 could not be measured."
    assert tally in pages["index"].text
    links = {
        name: [a["href"] for a in page.select("p a[href*='one.html'], p a[href*='two.html']")]
        for name, page in pages.items()
    }
    assert links == {
        "index": ["reference_run/01_one.html", "notebooks/02_two.html"],
        "notebooks/01_one": ["../reference_run/01_one.html"],
        "notebooks/02_two": [],
        "reference_run/01_one": ["../notebooks/01_one.html"],
    }


def test_only_named_chapters_are_read_and_only_if_there_are_results(tmp_path, caplog):
    root = write_root(tmp_path / "root", "# Front\n")
    for name in ("01_one", "02_two", "03_mine"):
        write_notebook(root / "notebooks" / f"{name}.ipynb")
    study = FakeStudy("minilm", root / "results")
    assert book.readings(root, "minilm", study) == []
    with caplog.at_level(logging.WARNING):
        book.tell_lacking([], {}, study)
    assert [r.getMessage() for r in caplog.records] == [
        f"the book has no reference run: there is no {study.store.folder}"
    ]
    study.store.folder.mkdir(parents=True)
    found = book.readings(root, "minilm", study)
    assert [(one.notebook.stem, one.only_reads) for one in found] == [("01_one", True), ("02_two", True)]
    results = str(root / "results")
    assert found[0].parameters == {"profile": "minilm", "device": "none", "results_dir": results}


def test_the_front_picture_is_the_reference_runs_or_else_the_readers(tmp_path, monkeypatch):
    drawn = []

    def drawing(study, path):
        drawn.append(study)
        if study == "lacks":
            raise Lacking("no surfaces")
        return path

    monkeypatch.setattr(book, "draw_front", drawing)
    assert book.front_picture("reads", "mine", tmp_path) == tmp_path
    assert book.front_picture("lacks", "mine", tmp_path) == tmp_path
    assert drawn == ["reads", "lacks", "mine"]
