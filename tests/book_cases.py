"""Notebooks of a few cells, the cells of tables, and what the rendered book holds, for the tests of the book."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
import yaml

from landscape_utils.errors import Lacking

v4 = nbformat.v4
KERNEL = {
    "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}
PARAMETERS = """\
profile: str = "demo"  # which
resolution: int = 0  # points
span: float = 0.0  # how far
device: str = "auto"  # on what
results_dir: str = ""  # where"""
# The book that the tests render is of two tasks, with as many chapters of the reference run.
TASKS, TWINS = "mnli,mrpc", ("01_fine_tuning", "06_layer_rollback")
LACKS = "raise type('Lacking', (Exception,), {})('no surface\\nof mrpc')"


def write_notebook(path: Path, *sources: str) -> Path:
    """A notebook with the parameters' cell and a code cell for each source."""
    parameters = v4.new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]})
    return written(path, [v4.new_markdown_cell("# One"), parameters, *map(v4.new_code_cell, sources)], {})


def as_executed(path: Path, *texts: str) -> Path:
    """A notebook as papermill leaves it, without a kernel's work: each text is a cell and what the next one shows."""
    done = {"papermill": {"status": "completed", "duration": 0.1}}
    cells = [v4.new_markdown_cell("# One\n\nText.")]
    for text in texts:
        shown = v4.new_output("display_data", {"text/markdown": text})
        cells += [v4.new_markdown_cell(text), v4.new_code_cell(outputs=[shown], metadata=done)]
    return written(path, cells, {"papermill": {}})


def written(path: Path, cells: list, metadata: dict) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(v4.new_notebook(cells=cells, metadata=KERNEL | metadata), path)
    return path


def write_contents(pages: Path, chapters: Mapping[str, Sequence[str]]) -> None:
    """The table of contents of a book with a part for each folder of chapters."""
    parts = [
        {"caption": folder, "chapters": [{"file": f"{folder}/{name}"} for name in names]}
        for folder, names in chapters.items()
    ]
    contents = {"format": "jb-book", "root": "index", "parts": parts}
    (pages / "_toc.yml").write_text(yaml.safe_dump(contents))


def cells(markdown: str) -> list[list[str]]:
    """The rows of the table in a text, its head first."""
    rows = [line for line in markdown.splitlines() if line.startswith("|") and "| ---" not in line]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def stored(found: Mapping[Any, Any]) -> Callable[..., Any]:
    """What a study is asked for a task, or for a task and how it was trained: it is there, or `Lacking`."""

    def get(*of: str) -> Any:
        key = of if len(of) > 1 else of[0]
        if key not in found:
            raise Lacking(f"no {key}")
        return found[key]

    return get
