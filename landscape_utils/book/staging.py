"""The pages of the book laid out for Sphinx: those of `book/`, and beside them the executed notebooks of each part.

The pages and their table of contents name all chapters of both parts. Of the reference run some may lack their
results: those are left out, and links to them lead to the reader's own run.
"""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import yaml

from ..figures.page import ON_PHONE
from .executing import check_executed

YOURS, REFERENCE = "notebooks", "reference_run"  # of like depth: a notebook's links hold in both

GIVEN = "Parameters that were set for this run"


@dataclass(frozen=True)
class Part:
    """A rendering of the chapters, from executed notebooks."""

    folder: str  # of its pages, YOURS or REFERENCE
    title: str  # what the text calls it
    about: str  # sentences on what it was computed from, in Markdown
    notebooks: Sequence[Path]


def chapters(contents: dict[str, Any], folder: str) -> list[str]:
    """The pages of a folder that a table of contents names, without the folder."""
    named = [chapter["file"] for part in contents["parts"] for chapter in part["chapters"]]
    return [page.removeprefix(f"{folder}/") for page in named if page.startswith(f"{folder}/")]


def read_contents(pages: Path) -> dict[str, Any]:
    """The table of contents in a folder of pages."""
    return yaml.safe_load((pages / "_toc.yml").read_text("utf-8"))


def stage(pages: Path, folder: Path, parts: Sequence[Part]) -> None:
    """Copy the book's pages and the notebooks of its parts into `folder`, a new one.

    Raises:
        UserError: a notebook that was not executed to its end.
    """
    shutil.copytree(pages, folder)
    there = {f"{part.folder}/{notebook.stem}" for part in parts for notebook in part.notebooks}
    for part in parts:
        (folder / part.folder).mkdir()
        for notebook in part.notebooks:
            others = [p for p in parts if p is not part and f"{p.folder}/{notebook.stem}" in there]
            mark = f" ({part.title})" if part.folder == YOURS and others else ""
            stage_notebook(notebook, folder / part.folder, banner(part, notebook.stem, others), mark, there)
    contents = read_contents(folder)
    (folder / "_toc.yml").write_text(yaml.safe_dump(without(contents, there), sort_keys=False), "utf-8")
    for page in folder.glob("*.md"):
        page.write_text(redirected(page.read_text("utf-8"), there), "utf-8")


def banner(part: Part, chapter: str, twins: Sequence[Part]) -> str:
    """The box that says which run a chapter shows, and leads to the same chapter of the other run."""
    links = [f" [The same chapter of {twin.title}](../{twin.folder}/{chapter}.ipynb)." for twin in twins]
    title = part.title.removeprefix("the ").capitalize()
    return f":::{{admonition}} {title}\n:class: run\n{part.about}{''.join(links)}\n:::"


def stage_notebook(notebook: Path, folder: Path, line: str, after_title: str, there: set[str]) -> None:
    """A copy with a mark after its title and a line below it, and without the state of widgets.

    A page has no kernel for widgets, and their outputs hold all that it shows. Links to chapters that are not `there`
    lead to the reader's run.
    """
    check_executed(notebook)
    content = nbformat.read(notebook, as_version=4)
    content.metadata.pop("widgets", None)
    for cell in content.cells:
        if cell.cell_type == "markdown":
            cell.source = redirected(cell.source, there, folder.name)
        if "injected-parameters" in cell.metadata.get("tags", ()):
            cell.metadata.tags.append("hide-input")
            cell.metadata["mystnb"] = {"code_prompt_show": GIVEN, "code_prompt_hide": GIVEN}
        for output in cell.get("outputs", ()):
            if text := output.get("data", {}).get("text/markdown"):
                output.data["text/markdown"] = redirected(text, there, folder.name)
            if narrow := output.get("data", {}).pop(ON_PHONE, None):
                output.data["image/svg+xml"] = in_one_file(output.data["image/svg+xml"], narrow)
    number_figures(content, folder.name)
    title, _, text = content.cells[0].source.partition("\n")
    content.cells[0].source = "\n\n".join((f"{title}{after_title}", line, text.strip()))
    nbformat.write(content, folder / notebook.name)


def in_one_file(wide: str, narrow: str) -> str:
    """Both drawings of a figure: Sphinx copies one file, of which `book/_ext/light_pages.py` makes two."""
    return wide + narrow


def number_figures(content: nbformat.NotebookNode, part: str) -> None:
    """Figures get names of their part, for a chapter exists twice, and "Figure 3.1" in its text leads to its own.

    Captions hold the numbers: Sphinx would count through both parts.
    """
    titled = [cell.metadata.mystnb for cell in content.cells if "mystnb" in cell.metadata]
    named = [title.figure for title in titled if "figure" in title]
    names = {figure.name for figure in named}
    for figure in named:
        figure.name = f"{part}-{figure.name}"

    def link(found: re.Match[str]) -> str:
        name = f"figure-{found[1]}-{found[2]}"
        return f"[{found[0]}](#{part}-{name})" if name in names else found[0]

    for cell in content.cells:
        if cell.cell_type == "markdown":
            cell.source = re.sub(r"\bFigure (\d)\.(\d)\b", link, cell.source)


def without(contents: dict[str, Any], there: set[str]) -> dict[str, Any]:
    """A table of contents without the reference run's chapters that are not there, and without a part that is empty."""
    parts = []
    for part in contents["parts"]:
        named = [chapter for chapter in part["chapters"] if chapter["file"].startswith(f"{REFERENCE}/")]
        kept = [c for c in part["chapters"] if c not in named or c["file"] in there]
        parts += [part | {"chapters": kept}] if kept else []
    return contents | {"parts": parts}


def redirected(text: str, there: set[str], part: str = "") -> str:
    """A text whose links to chapters that are not there lead to the reader's run: in a page those to chapters of the
    reference run, in a chapter of `part` those to its siblings."""
    folder, up = (f"{REFERENCE}/", "") if not part else ("", "../")

    def link(found: re.Match[str]) -> str:
        chapter = found["chapter"]
        return found[0] if f"{part or REFERENCE}/{chapter}" in there else f"]({up}{YOURS}/{chapter}.ipynb)"

    return re.sub(rf"\]\({folder}(?P<chapter>\d\d_\w+)\.ipynb\)", link, text)
