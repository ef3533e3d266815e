"""The book's making, on a book of one page and one or two notebooks that take seconds."""

import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from book_cases import LACKS, as_executed, write_contents, write_notebook
from bs4 import BeautifulSoup
from matplotlib.figure import Figure

from landscape_utils.book import build as book
from landscape_utils.book.staging import REFERENCE, YOURS, Part
from landscape_utils.errors import Lacking, UserError
from landscape_utils.profiles import BUILTIN

NAMES = ("01_one", "02_two")


@pytest.fixture
def root(tmp_path) -> Path:
    """The root of a small book with the project's own configuration."""
    root = tmp_path / "root"
    shared = shutil.ignore_patterns("*.md", "examples")
    shutil.copytree(book.ROOT / "book", root / "book", ignore=shared)
    shutil.copy(book.ROOT / "_config.yml", root)
    write_contents(root / "book", {REFERENCE: NAMES, YOURS: NAMES})
    write_page(root, "")
    return root


def write_page(root: Path, text: str) -> None:
    (root / "book" / "index.md").write_text(f"# Front\n\n{text}\n")


def test_notebooks_are_found_in_the_order_of_their_numbers(tmp_path):
    with pytest.raises(UserError, match="clone"):
        book.find_notebooks(tmp_path)
    for name in ("02_b", "01_a", "10_c", "draft"):
        write_notebook(tmp_path / "notebooks" / f"{name}.ipynb")
    assert [path.stem for path in book.find_notebooks(tmp_path)] == ["01_a", "02_b", "10_c"]


def test_a_warning_of_sphinx_is_an_error(root):
    write_page(root, "[](nowhere.md)")
    notebooks = [as_executed(root / "out" / f"{name}.ipynb") for name in NAMES]
    with pytest.raises(UserError, match="book was not made"):
        book.render(root, [Part(YOURS, "your run", "", notebooks)])


def test_an_unfinished_notebook_is_refused_before_rendering(root):
    unfinished = write_notebook(root / "01_one.ipynb", "1")
    with pytest.raises(UserError, match="not executed by papermill"):
        book.render(root, [Part(YOURS, "your run", "", [unfinished])])
    assert not (root / "_build" / "html").exists()


def fake_study(profile: str, results_dir: Path | str = "results", **parameters: str) -> SimpleNamespace:
    """A study of a book whose notebooks ask for none."""
    states = [SimpleNamespace(state=state) for state in ("sound", "earlier", "unfinished")]
    found = [SimpleNamespace(outcome=outcome) for outcome in ("holds", "holds", "not judged")]
    return SimpleNamespace(
        profile=SimpleNamespace(name=profile, tasks={}),
        store=SimpleNamespace(folder=Path(results_dir) / profile, verify=lambda current: states),
        tasks=(),
        compute=lambda: None,
        claims=lambda: [SimpleNamespace(primary=primary) for primary in found],
    )


def test_both_parts_are_made_and_what_the_reference_run_lacks_is_left_out(root, monkeypatch, caplog):
    drawn = []

    def draw(study, path):
        drawn.append(study.profile.name)
        if study.profile.name == "minilm":
            raise Lacking("no surfaces")
        Figure(figsize=(1, 1)).savefig(path)
        path.with_suffix(".md").touch()

    monkeypatch.setattr(book, "Study", fake_study)
    monkeypatch.setattr(book, "draw_front", draw)
    front = "```{include} tally.md\n```\n\n![what it shows](front.svg) $x^2$ {cite:t}`hao2019`"
    write_page(root, f"[](reference_run/02_two.ipynb)\n\n{front}\n\n```{{bibliography}}\n```")
    stale = root / "_build" / "html" / "_static" / "stale.js"
    stale.parent.mkdir(parents=True)
    stale.touch()
    write_notebook(root / "notebooks" / "01_one.ipynb", "print(profile)")
    write_notebook(root / "notebooks" / "02_two.ipynb", f"if device == 'none': {LACKS}")
    (root / "results" / "minilm").mkdir(parents=True)
    html = book.build("demo", root=root).parent
    assert caplog.messages == ["left out of the reference run: 02_two; no surface of mrpc"]
    assert drawn == ["minilm", "demo"], "what the reference run cannot draw is the reader's"
    assert not stale.exists()
    assert not (html / REFERENCE / "02_two.html").exists()
    front, mine, theirs = (
        BeautifulSoup((html / f"{page}.html").read_text(), "html.parser").article
        for page in ("index", "notebooks/01_one", "reference_run/01_one")
    )
    assert front.img["src"].endswith("front.svg")
    assert "The reference run (minilm): of 3 sentences, 2 hold and 1 could not be judged." in front.text
    assert "demo" in mine.select_one(".cell_output").text
    assert "minilm" in theirs.select_one(".cell_output").text
    assert "1 was computed by an earlier version" in mine.select_one(".run").text


def test_only_named_chapters_are_read_and_only_if_there_are_results(root, caplog):
    for name in (*NAMES, "03_mine"):
        write_notebook(root / "notebooks" / f"{name}.ipynb")
    study = fake_study("minilm", root / "results")
    assert book.readings(root, "minilm", study) == []
    assert caplog.messages == [f"the book has no reference run: there is no {study.store.folder}"]
    study.store.folder.mkdir(parents=True)
    found = book.readings(root, "minilm", study)
    assert [(one.notebook.stem, one.only_reads) for one in found] == [("01_one", True), ("02_two", True)]
    given = {"profile": "minilm", "device": "none", "results_dir": str(root / "results")}
    assert found[0].parameters == given


def test_notebooks_are_asked_for_a_seed_of_the_profile(tmp_path):
    text = (BUILTIN / "demo.toml").read_text("utf-8")
    for seeds, asked in (("[2, 0]", {}), ("[2, 1]", {"seed": 2})):
        path = tmp_path / "mine.toml"
        path.write_text(re.sub(r"(?m)^seeds = .*", f"seeds = {seeds}", text), "utf-8")
        assert book.asked_of(str(path)) == {"profile": str(path)} | asked
