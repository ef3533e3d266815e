"""The pages laid out: twins lead to one another, and what is not there is named nowhere."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
import yaml
from book_cases import as_executed

from landscape_utils.book.staging import REFERENCE, YOURS, Part, chapters, read_contents, stage

NAMES = ("01_one", "02_two", "03_three")
CONTENTS = {
    "format": "jb-book",
    "root": "index",
    "parts": [
        {"caption": "The reference run", "chapters": [{"file": f"{REFERENCE}/{name}"} for name in NAMES[:2]]},
        {"caption": "Your run", "chapters": [{"file": f"{YOURS}/{name}"} for name in NAMES]},
        {"caption": "Further", "chapters": [{"file": "page"}]},
    ],
}
PAGE = "[]({}/01_one.ipynb) [two]({}/02_two.ipynb) [](page.md) [](notebooks/03_three.ipynb)\n"


@pytest.fixture
def staged(tmp_path):
    """Stages a book of which the reference run has the chapters that are named; the folder."""
    pages = tmp_path / "book"
    pages.mkdir()
    (pages / "_toc.yml").write_text(yaml.safe_dump(CONTENTS))
    (pages / "index.md").write_text(PAGE.format(REFERENCE, REFERENCE))

    def make(*named: str) -> Path:
        mine = [as_executed(tmp_path / "mine" / f"{name}.ipynb", "1") for name in NAMES]
        notebook = nbformat.read(mine[0], as_version=4)
        notebook.metadata["widgets"] = {"state": "of a kernel that is gone"}
        nbformat.write(notebook, mine[0])
        theirs = [as_executed(tmp_path / "theirs" / f"{name}.ipynb", "2") for name in named]
        parts = [
            Part(YOURS, "your run", "Under `demo`.", mine),
            *([Part(REFERENCE, "the reference run", "Under `minilm`.", theirs)] if named else []),
        ]
        stage(pages, tmp_path / "stage", parts)
        return tmp_path / "stage"

    return make


def first_cell(path: Path) -> str:
    return nbformat.read(path, as_version=4).cells[0].source


def test_a_chapter_and_its_twin_are_told_apart_and_lead_to_one_another(staged):
    folder = staged("01_one")
    assert first_cell(folder / YOURS / "01_one.ipynb") == (
        "# One (your run)\n\n:::{admonition} Your run\n:class: run\nUnder `demo`. "
        "[The same chapter of the reference run](../reference_run/01_one.ipynb).\n:::\n\nText."
    )
    assert first_cell(folder / REFERENCE / "01_one.ipynb") == (
        "# One\n\n:::{admonition} Reference run\n:class: run\nUnder `minilm`. "
        "[The same chapter of your run](../notebooks/01_one.ipynb).\n:::\n\nText."
    )
    assert first_cell(folder / YOURS / "02_two.ipynb").startswith("# One\n\n:::{admonition} Your run")
    assert "same chapter" not in first_cell(folder / YOURS / "02_two.ipynb")
    assert "widgets" not in nbformat.read(folder / YOURS / "01_one.ipynb", as_version=4).metadata


@pytest.mark.parametrize("named", [(), ("02_two",), ("01_one", "02_two")])
def test_contents_and_links_are_of_what_is_there(staged, named):
    folder = staged(*named)
    contents = read_contents(folder)
    assert chapters(contents, REFERENCE) == list(named)
    assert chapters(contents, YOURS) == list(NAMES)
    assert [part["caption"] for part in contents["parts"]] == (
        ["The reference run"] * bool(named) + ["Your run", "Further"]
    )
    there = (REFERENCE if name in named else YOURS for name in ("01_one", "02_two"))
    assert (folder / "index.md").read_text() == PAGE.format(*there)
