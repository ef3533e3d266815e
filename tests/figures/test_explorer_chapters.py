"""The explorers of the rendered book: every control of every chapter moved, what it says compared with the store."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect
from test_explorer_browser import browser, readout, settle, slide, text  # noqa: F401
from test_pages import CHAPTERS, TWINS, soup

import landscape_utils as lu
from landscape_utils.figures.study_views import rollback_cube

pytestmark = pytest.mark.slow
EXPLORED = [chapter for chapter in CHAPTERS if chapter[len("notebooks/")] == "0"]
MINUS = str.maketrans("-", "\u2212")


@pytest.fixture(scope="module")
def study(site: Path, tiny_profile: Path) -> lu.Study:
    """The study that the book was made from: its results are read, none is computed."""
    return lu.Study(tiny_profile, results_dir=site.parents[1] / "results")


@pytest.fixture
def chapter(browser, site: Path):  # noqa: F811
    """Opens a chapter without a network; at the end there must have been no complaint."""
    context = browser.new_context(
        offline=True, viewport={"width": 1280, "height": 900}, reduced_motion="reduce"
    )
    complaints: list[str] = []

    def opened(name: str) -> Page:
        page = context.new_page()
        page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request", lambda r: r.url.startswith(("file:", "blob:", "data:")) or complaints.append(r.url)
        )
        page.goto((site / f"{name}.html").as_uri())
        page.wait_for_selector(".lx canvas:visible")
        return page

    yield opened
    context.close()
    assert not complaints


def controls(page: Page, selector: str):
    """The controls of this kind that can be moved now."""
    return [c for c in page.locator(f".lx {selector}").all() if c.is_visible() and c.is_enabled()]


def printed(value: float, digits: int = 4) -> str:
    return f"{float(f'{value:.{digits}g}'):g}".translate(MINUS)


@pytest.mark.parametrize("name", EXPLORED)
def test_every_control_moves_by_keyboard_and_by_mouse(chapter, name):
    page = chapter(name)
    for box in controls(page, "input[type=checkbox]"):
        before = box.is_checked()
        box.press("Space")
        expect(box).to_be_checked(checked=not before)
        box.click()
        expect(box).to_be_checked(checked=before)
    for select in controls(page, "select"):
        options = select.evaluate("s => [...s.options].map(o => o.value)")
        for option in (*options, options[0]):
            select.select_option(option)
            settle(page)
            expect(select).to_have_value(option)
    for slider in controls(page, "input[type=range]"):
        slider.press("Home")
        settle(page)
        lowest = slider.get_attribute("aria-valuetext")
        slider.press("End")
        settle(page)
        if int(slider.get_attribute("max")) > 0:
            expect(slider).not_to_have_attribute("aria-valuetext", lowest)
        slider.press("ArrowLeft")
        box = slider.bounding_box()
        slider.click(position={"x": box["width"] / 3, "y": box["height"] / 2})
        settle(page)
        assert (
            0 < int(slider.input_value()) < int(slider.get_attribute("max"))
            or int(slider.get_attribute("max")) < 3
        )
    for button in controls(page, "button"):
        if button.inner_text() in ("PNG", "SVG", "CSV"):
            with page.expect_download() as download:
                button.click()
            assert download.value.path().stat().st_size > 300
        else:
            button.press("Enter")
    for canvas in controls(page, "canvas.lx-surface"):
        canvas.press("ArrowLeft")
        canvas.click()
    settle(page)
    assert readout(page)[0]


@pytest.mark.parametrize("name", [*EXPLORED, *TWINS])
def test_it_stands_beside_a_static_figure_and_is_light(site, name):
    page = soup(site, name)
    (explorer,) = page.select(".landscape-explorer")
    module = explorer.find_next("script", type="module")
    assert len(str(explorer)) + len(str(module)) <= 300_000
    assert page.select("article img")
    assert not page.select('script[type="application/vnd.jupyter.widget-state+json"]')


@pytest.mark.parametrize("name", EXPLORED)
def test_axe_finds_nothing_serious(chapter, name):
    found = Axe().run(chapter(name), context=".landscape-explorer", options={"preload": False}).response
    assert len(found["passes"]) > 10
    assert [v["id"] for v in found["violations"] if v["impact"] in ("serious", "critical")] == []


def test_01_says_the_history(chapter, study):
    page = chapter(EXPLORED[0])
    page.get_by_label("task", exact=True).select_option("SST-2")
    slide(page, "epoch", 1)
    run = study.run("sst2")
    wanted = f"SST-2, Fine-tuning: epoch = 1: training loss {printed(run.loss[:3].mean())} \u00b1 "
    assert readout(page)[0].startswith(wanted)  # 48 examples in batches of 16
    assert (
        f"dev loss {printed(run.dev_loss[1])}; dev error {printed(1 - run.dev_accuracy[1])}"
        in readout(page)[0]
    )


def test_02_says_the_curve(chapter, study):
    page = chapter(EXPLORED[1])
    page.get_by_label("training", exact=True).select_option("Training from scratch")
    slide(page, "\u03b1", 40)
    curve, dev = study.curve("mnli", "scratch"), study.curve("mnli", "scratch", "dev")
    wanted = f"\u03b1 = 4: training loss {printed(curve.loss[40])} \u00b1 {printed(curve.loss_stderr[40], 2)}"
    assert wanted in readout(page)[0]
    assert f"dev error {printed(dev.error[40])} \u00b1 {printed(dev.error_stderr[40], 2)}" in readout(page)[0]


@pytest.mark.parametrize("place", [2, 6])
def test_03_and_07_say_the_surface_on_both_sides(chapter, study, place):
    page = chapter(EXPLORED[place])
    page.get_by_label("task", exact=True).select_option("RTE")
    page.get_by_label("task (right)", exact=True).select_option("MRPC")
    slide(page, "\u03b1", 3)
    slide(page, "\u03b2", 0)
    for said, task, how in zip(readout(page), ("rte", "mrpc"), ("pretrained", "scratch"), strict=True):
        loss, dev = study.surface(task, how), study.surface(task, how, "dev")
        assert "\u03b1 = 2, \u03b2 = \u22124 (grid point)" in said
        assert f"training loss {printed(loss.loss[3, 0])} \u00b1 {printed(loss.loss_stderr[3, 0], 2)}" in said
        assert f"dev error {printed(dev.error[3, 0])} \u00b1 {printed(dev.error_stderr[3, 0], 2)}" in said


def test_04_says_the_way(chapter, study):
    page = chapter(EXPLORED[3])
    slide(page, "epoch", 1)
    for index, method in enumerate(("plane", "paper")):
        page.get_by_label("projection", exact=True).select_option(index=index)
        way = study.trajectory("mnli", "pretrained", method)
        place = f"\u03b1 = {coordinate(way.alpha[1])}, \u03b2 = {coordinate(way.beta[1])}"
        assert f"epoch 1 of 2: {place}" in text(page, "Trajectory").splitlines()[0]


def coordinate(value: float) -> str:
    return f"{round(float(value), 3) + 0.0:g}".translate(MINUS)


def test_05_says_the_epochs_beyond(chapter, study):
    page = chapter(EXPLORED[4])
    way = study.overfitting()
    slide(page, "epoch", 4)
    assert f"epoch 4 of 4: \u03b1 = {coordinate(way.alpha[4])}" in text(page, "Trajectory")
    end = study.surface("mrpc", split="dev").marks["end"]
    page.get_by_role("button", name="to the end").click()
    expect(page.locator(".lx-readout")).to_contain_text(f"(end): dev error {printed(end.error)} \u00b1 ")


def test_06_says_the_rollbacks(chapter, study):
    page = chapter(EXPLORED[5])
    page.get_by_label("layers", exact=True).select_option("high layers")
    page.get_by_role("button", name="to the rolled back").click()
    rolled = study.layer_surface("mnli", "high").marks["rolled back"]
    wanted = (
        f"MNLI, high layers: \u03b1 = \u22121, \u03b2 = 0 (rolled back): training loss {printed(rolled.loss)}"
    )
    expect(page.locator(".lx-readout")).to_contain_text(wanted)
    cube = rollback_cube(study, "mnli")
    for index in ((0, 4, 2), (1, 1, 1)):
        for label, i in zip(cube.groups, index, strict=True):
            slide(page, label, i)
        assert f"dev accuracy {printed(cube.accuracy[index])} \u00b1" in text(page, "Roll layers back")
