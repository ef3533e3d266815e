"""The rendered book, made once from a tiny study: complete without a network, readable, nothing broken."""

import re
import shutil
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urldefrag

import numpy as np
import pytest
import torch
import yaml
from book_cases import TWINS
from bs4 import BeautifulSoup
from networks import make_model
from playwright.sync_api import expect

from landscape_utils.book.build import ROOT
from landscape_utils.book.staging import REFERENCE, YOURS
from landscape_utils.profiles import load_profile
from landscape_utils.study.study import Study
from landscape_utils.training.demo_language import VOCABULARY, make_tokenizer

TOC = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text())
PAGES = [TOC["root"], *(chapter["file"] for part in TOC["parts"] for chapter in part["chapters"])]
PAGES = [page for page in PAGES if REFERENCE not in page or page.endswith(TWINS)]
FIGURES = {"01": 1, "02": 2, "03": 3, "04": 2, "05": 1, "06": 2, "07": 1, "08": 5}  # with a caption
EXAMPLES = ROOT / "book" / "examples"
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1300, "height": 900}

pytestmark = pytest.mark.slow


@cache
def parsed(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text("utf-8"), "html.parser")


@pytest.fixture
def tab(opened, site):
    """Opens pages without a network, on a phone or another screen; no error or warning, nothing asked from outside."""

    def shown(page: str, viewport=PHONE, of_address: str = ""):
        address = (site / f"{page}.html").as_uri() + of_address
        return opened(address, ("error", "warning"), offline=True, viewport=viewport)

    return shown


@pytest.mark.parametrize("page", PAGES)
def test_a_page_needs_no_network_leads_somewhere_describes_its_pictures_and_fits_a_phone(site, tab, page):
    file = site / f"{page}.html"
    found = parsed(file)
    sources = [tag[a] for a in ("src", "data-src", "poster") for tag in found.select(f"[{a}]")]
    sources += [tag["href"] for tag in found.select("link[href]") if "canonical" not in tag.get("rel", [])]
    sources += re.findall(r"url\(['\"]?([^'\")]+)", " ".join(tag.text for tag in found.select("style")))
    assert [source for source in sources if re.match(r"(https?:)?//", source)] == []
    assert re.findall(r"<[\w.]+ object[^>]*>", found.article.text) == [], "an object where text was to be"
    links = [link["href"] for link in found.article.select("a[href]")]
    for link in (link for link in links if not re.match(r"\w+:", link)):
        path, anchor = urldefrag(unquote(link))
        target = file.parent / path if path else file
        assert target.exists(), link
        if anchor and target.suffix == ".html":
            assert parsed(target.resolve()).find(id=anchor), link
    for picture in found.article.select("img"):
        words = picture.get("alt", "").split()
        assert len(words) >= 5, f"alt text {picture.get('alt')!r} of {picture['src']}"

    shown = tab(page)
    if found.article.select(".math"):
        shown.wait_for_selector("article mjx-container")
    assert shown.locator("mjx-merror").count() == 0
    wider = shown.evaluate("document.scrollingElement.scrollWidth") - PHONE["width"]
    assert wider <= 0, f"{wider} pixels wider than the screen"
    broken = "imgs => imgs.filter(i => !(i.complete && i.naturalWidth)).map(i => i.src)"
    assert shown.eval_on_selector_all("article img:not([loading=lazy])", broken) == []


@pytest.mark.parametrize("name", TWINS)
def test_a_chapter_and_its_twin_tell_their_data_and_have_the_same_figures(site, name):
    theirs, mine = (parsed(site / part / f"{name}.html").article for part in (REFERENCE, YOURS))
    assert f"{theirs.h1.text.rstrip('#')} (your run)" == mine.h1.text.rstrip("#")
    assert "data sets are generated" in mine.select_one(".run").text
    assert "48 of 392,702 training" in theirs.select_one(".run").text
    assert len(theirs.select(".cell_output img")) == len(mine.select(".cell_output img"))
    links = parsed(site / "index.html").article.select("td a")
    assert f"{REFERENCE}/{name}" in " ".join(link["href"] for link in links)


@pytest.mark.parametrize("page", [page for page in PAGES if "/" in page])
def test_a_chapter_shows_results_and_nothing_left_over(site, page):
    chapter = parsed(site / f"{page}.html").article
    number = page.partition("/")[2][:2]
    captions = [caption.text.strip() for caption in chapter.select("figure figcaption")]
    assert [c[:11] for c in captions] == [f"Figure {int(number)}.{i + 1}." for i in range(FIGURES[number])]
    assert not chapter.select(".output.stderr, .output.traceback"), "stderr or a traceback"
    for output in chapter.select(".cell_output"):
        assert not re.search(r"\d+%\|| object at 0x|Progress\(|Figure\(|\bnan\b", output.text), output.text


def test_a_figure_gives_its_data_and_in_the_dark_the_explorer_has_no_light_frame(tab):
    page = tab("notebooks/03_loss_surfaces_2d", DESK)
    page.wait_for_selector("figcaption a.data")
    page.locator("a.lx-show[data-quantity='dev error'][data-alpha='1']").last.click()
    expect(page.locator(".lx select").first).to_have_value("dev error")
    with page.expect_download() as download:
        page.locator("figcaption a.data").first.click()
    assert download.value.suggested_filename == "03_loss_surfaces_2d.csv"
    head, *rows = Path(download.value.path()).read_text().splitlines()
    assert head.startswith('"task","training","layers","point","alpha","beta","training loss",')
    lengths = "document.querySelector('.landscape-explorer').explorer.views.map(v => v.alpha.length)"
    assert sum('"grid"' in row for row in rows) == sum(n * n for n in page.evaluate(lengths))
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    frame = page.locator(":has(> .landscape-explorer)")
    expect(frame).to_have_css("background-color", "rgba(0, 0, 0, 0)")


def test_the_search_finds_chapters_first_and_shows_what_it_found(tab):
    page = tab("search", of_address="?q=trajectory")
    page.wait_for_selector("#search-results li p")
    expect(page.locator(".search-summary")).to_contain_text("found")
    names = "all => all.map(a => a.pathname.split('/').pop())"
    late = [n == "reference.html" for n in page.eval_on_selector_all("#search-results li > a", names)]
    assert late == sorted(late)
    assert not all(late)


def test_the_answer_to_all_claims_fits_a_few_screens(tab):
    """DESIGN: the chapter of the claims is at most 8,000 pixels high at a width of 1,300."""
    height = "document.querySelector('article').getBoundingClientRect().height"
    assert tab("notebooks/07_claims", DESK).evaluate(height) <= 8000


def test_the_code_for_your_own_model_runs(tmp_path, monkeypatch, capsys):
    """As a reader would run it, one block after the other: three checkpoints and two files in the working folder."""
    monkeypatch.chdir(tmp_path)
    for path in EXAMPLES.glob("reviews-*.csv"):
        shutil.copy(path, tmp_path)
    make_tokenizer().save_pretrained("end")
    for seed, folder in enumerate(("start", "end", "other")):
        make_model("bert", seed, vocab_size=len(VOCABULARY), num_labels=2).save_pretrained(folder)
    page = (ROOT / "book" / "your_model.md").read_text("utf-8")
    names: dict = {}
    for block in re.findall(r"^```python\n(.*?)^```", page, re.M | re.S):
        exec(compile(block.replace('="results"', f'="{tmp_path}"'), "your_model.md", "exec"), names)
    surface = names["surface"]
    assert surface.loss.shape == (13, 13)
    assert names["mine"].surface("reviews").loss.shape == (7, 7)
    said = capsys.readouterr().out
    assert f"{surface.marks['end'].loss:.3f}" in said
    assert "('low-layers', '" in said
    assert torch.equal(names["lu"].ParameterSpace(names["model"]).read(), names["end"])
    assert all(Path(name).stat().st_size > 10_000 for name in ("curve.pdf", "surface.pdf"))


def test_the_example_of_a_profile_makes_a_study_of_its_files(tmp_path, monkeypatch):
    """As it lies there, but for the model, a small ELECTRA in a folder, and the epochs."""
    monkeypatch.setenv("LANDSCAPE_PROGRESS", "off")
    make_model("electra", vocab_size=len(VOCABULARY), num_labels=2).save_pretrained(tmp_path / "model")
    make_tokenizer().save_pretrained(tmp_path / "model")
    text = re.sub(r"{ epochs = \d+", "{ epochs = 2", (EXAMPLES / "reviews.toml").read_text())
    assert text.count('source = "minilm"') == 1
    shutil.copytree(EXAMPLES, tmp_path, dirs_exist_ok=True)
    (tmp_path / "reviews.toml").write_text(text.replace('source = "minilm"', 'source = "model"'))
    study = Study(tmp_path / "reviews.toml", resolution=3, results_dir=tmp_path)
    assert study.tasks == ("reviews", "questions")
    for task in study.tasks:
        assert [study.facts(task)[f"{split}_examples"] for split in ("train", "dev")] == [12, 6]
    assert np.isfinite(study.surface("reviews", "scratch").loss).all()
    assert np.isfinite(study.layer_surface("questions", "low").loss).all()
    assert study.overfitting().alpha.shape == (1 + 2 + 20,)
    assert load_profile(EXAMPLES / "reviews.toml").model.source == "minilm"
