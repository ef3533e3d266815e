"""The pages laid out: twins lead to one another, and what is not there is named nowhere."""

import nbformat
import pytest
from book_cases import as_executed, write_contents

from landscape_utils.book.staging import REFERENCE, YOURS, Part, chapters, read_contents, stage

NAMES = ("01_one", "02_two", "03_three")
PAGE = "[]({}/01_one.ipynb) [two]({}/02_two.ipynb) [](page.md) [](notebooks/03_three.ipynb)\n"
MINE = "# One{}\n\n:::{{admonition}} Your run\n:class: run\nUnder `demo`.{}\n:::\n\nText."
THEIRS = (
    "# One\n\n:::{{admonition}} Reference run\n:class: run\nUnder `minilm`. "
    "[The same chapter of your run](../notebooks/{}.ipynb).\n:::\n\nText."
)


@pytest.mark.parametrize("named", [(), ("02_two",), ("01_one",), ("01_one", "02_two")])
def test_twins_lead_to_one_another_and_contents_and_links_are_of_what_is_there(tmp_path, named):
    """The reference run has the chapters that are named, yours has all; its banners name twins where there are some."""
    pages, folder = tmp_path / "book", tmp_path / "stage"
    pages.mkdir()
    write_contents(pages, {REFERENCE: NAMES[:2], YOURS: NAMES, "further": ["page"]})
    (pages / "index.md").write_text(PAGE.format(REFERENCE, REFERENCE))
    mine = [as_executed(tmp_path / "mine" / f"{name}.ipynb") for name in NAMES]
    theirs = [as_executed(tmp_path / "theirs" / f"{name}.ipynb", "[two](02_two.ipynb)") for name in named]
    both = [Part(YOURS, "your run", "Under `demo`.", mine)]
    both += [Part(REFERENCE, "the reference run", "Under `minilm`.", theirs)] if named else []
    stage(pages, folder, both)

    def read(part: str, name: str) -> list[nbformat.NotebookNode]:
        return nbformat.read(folder / part / f"{name}.ipynb", as_version=4).cells

    contents = read_contents(folder)
    assert chapters(contents, REFERENCE) == list(named)
    assert chapters(contents, YOURS) == list(NAMES)
    assert [part["caption"] for part in contents["parts"]] == [REFERENCE] * bool(named) + [YOURS, "further"]
    there = (REFERENCE if name in named else YOURS for name in NAMES[:2])
    assert (folder / "index.md").read_text() == PAGE.format(*there)
    for name in NAMES:
        link = f" [The same chapter of the reference run](../reference_run/{name}.ipynb)."
        wanted = MINE.format(" (your run)", link) if name in named else MINE.format("", "")
        assert read(YOURS, name)[0].source == wanted
    for name in named:
        title, text, code = read(REFERENCE, name)
        link = "[two](02_two.ipynb)" if "02_two" in named else "[two](../notebooks/02_two.ipynb)"
        assert text.source == code.outputs[0].data["text/markdown"] == link
        assert title.source == THEIRS.format(name)
