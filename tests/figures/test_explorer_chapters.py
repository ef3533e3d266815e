"""The explorers of the rendered book: every control of every chapter moved, what it says compared with the store."""

from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from explored import readout, settle, slide, text
from playwright.sync_api import Page, expect

import landscape_utils as lu
from landscape_utils.book.build import find_notebooks
from landscape_utils.figures.study_views import rollback_cube

pytestmark = pytest.mark.slow
EXPLORED = [f"notebooks/{path.stem}" for path in find_notebooks() if "explore(" in path.read_text("utf-8")]
MINUS = str.maketrans("-", "\u2212")


@pytest.fixture(scope="module")
def study(site: Path, tiny_profile: Path) -> lu.Study:
    """The study that the book was made from: its results are read, none is computed."""
    return lu.Study(tiny_profile, results_dir=site.parents[1] / "results")


@pytest.fixture
def chapter(context, site: Path):
    """Opens a chapter without a network and makes choices; at the end there must have been no error or warning."""

    def shown(name: str, choices: dict[str, str] | None = None, **steps: int) -> Page:
        address = (site / f"{name}.html").as_uri()
        page = context(address, ("error", "warning"), offline=True, reduced_motion="reduce")
        for label, option in (choices or {}).items():
            page.get_by_label(label, exact=True).select_option(option)
        for label, step in steps.items():
            slide(page, label, step)
        return page

    return shown


def controls(page, selector: str):
    """The controls of this kind that can be moved now."""
    return [c for c in page.locator(f".lx {selector}").all() if c.is_visible() and c.is_enabled()]


def printed(value: float, digits: int = 4) -> str:
    return f"{float(f'{value:.{digits}g}'):g}".translate(MINUS)


def coordinate(value: float) -> str:
    return f"{round(float(value), 3) + 0.0:g}".translate(MINUS)


def measured(result, of: tuple[str, str], at) -> str:
    """Values and their standard errors at a point of a curve or a surface, as the readout prints them."""
    train, dev = result(*of), result(*of, "dev")
    loss = f"training loss {printed(train.loss[at])} \u00b1 {printed(train.loss_stderr[at], 2)}"
    return f"{loss}; dev error {printed(dev.error[at])} \u00b1 {printed(dev.error_stderr[at], 2)}"


@pytest.mark.parametrize("name", EXPLORED)
def test_it_is_light_and_moves_by_keyboard(chapter, site, name):
    source = BeautifulSoup((site / f"{name}.html").read_text(encoding="utf-8"), "html.parser")
    (explorer,) = source.select(".landscape-explorer")
    assert len(str(explorer)) + len(str(explorer.find_next("script", type="module"))) <= 300_000
    assert source.select("article img"), "a static figure beside it"
    assert not source.select('script[type="application/vnd.jupyter.widget-state+json"]')
    page = chapter(name)
    for box in controls(page, "input[type=checkbox]"):
        before = box.is_checked()
        for checked in (not before, before):
            box.press("Space")
            expect(box).to_be_checked(checked=checked)
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
        expect(slider).not_to_have_attribute("aria-valuetext", lowest)
    for button in controls(page, "button"):
        button.press("Enter")
    for canvas in controls(page, "canvas"):
        canvas.press("ArrowLeft")
    assert readout(page)[0]


def test_01_says_the_history(chapter, study):
    """There is no training loss before the first epoch, and along epochs there is no width."""
    run, task = study.run("sst2"), study.heading("sst2")
    page = chapter(EXPLORED[0], {"task": task, "training": "fine-tuned"}, epoch=0)
    assert "epoch = 0: dev loss" in readout(page)[0]
    assert not page.get_by_role("group", name="Threshold").is_visible()
    slide(page, "epoch", 1)
    loss = printed(run.loss[:3].mean())  # 48 examples in batches of 16
    dev = f"dev loss {printed(run.dev_loss[1])}; dev error {printed(1 - run.dev_accuracy[1])}"
    said = readout(page)[0]
    assert said.startswith(f"{task}, fine-tuned: epoch = 1: training loss {loss} \u00b1 ") and dev in said


def test_02_says_the_curve(chapter, study):
    page = chapter(EXPLORED[1], **{"\u03b1": 40})
    assert f"\u03b1 = 4: {measured(study.curve, ('mnli', 'scratch'), 40)}" in readout(page)[0]


def test_03_says_the_surface_on_both_sides(chapter, study):
    tasks = {"task": study.heading("rte"), "task (right)": study.heading("mrpc")}
    for i, j, place in (3, 0, "\u03b1 = 2, \u03b2 = \u22124"), (1, 4, "\u03b1 = \u22122, \u03b2 = 4"):
        page = chapter(EXPLORED[2], tasks, **{"\u03b1": i, "\u03b2": j})
        for said, of in zip(readout(page), (("rte", "scratch"), ("mrpc", "pretrained")), strict=True):
            assert f"{place} (grid point): {measured(study.surface, of, (i, j))}" in said


def test_04_says_the_way(chapter, study):
    page = chapter(EXPLORED[3], epoch=1)
    for index, method in enumerate(("plane", "paper")):
        page.get_by_label("projection", exact=True).select_option(index=index)
        way = study.trajectory("mnli", "pretrained", method)
        place = f"\u03b1 = {coordinate(way.alpha[1])}, \u03b2 = {coordinate(way.beta[1])}"
        assert f"epoch 1 of 2: {place}" in text(page, "Trajectory").splitlines()[1]


def test_05_says_the_epochs_beyond(chapter, study):
    page, further = chapter(EXPLORED[4], epoch=4), study.run("mrpc", "continued")
    said, end = text(page, "Trajectory"), study.surface("mrpc", split="dev").marks["end"]
    assert f"epoch 4 of 4: \u03b1 = {coordinate(study.overfitting().alpha[4])}" in said
    error = printed(1 - further.dev_accuracy[2])
    assert f"dev loss {printed(further.dev_loss[2])}; dev error {error}" in said
    page.get_by_role("button", name="to the end").click()
    assert f"(end): dev error {printed(end.error)} \u00b1 " in readout(page)[0]


def test_06_says_the_rollbacks(chapter, study):
    page, cube = chapter(EXPLORED[5], {"layers": "high layers"}), rollback_cube(study, "mnli")
    page.get_by_role("button", name="to the rolled back").click()
    mark, where = (
        study.layer_surface("mnli", "high").marks["rolled back"],
        "\u03b1 = \u22121, \u03b2 = 0 (rolled back)",
    )
    wanted = f"{study.heading('mnli')}, high layers: {where}: training loss {printed(mark.loss)}"
    assert wanted in readout(page)[0]
    for index in ((0, 4, 2), (1, 1, 1)):
        for label, i in zip(cube.groups, index, strict=True):
            slide(page, label, i)
        assert f"dev accuracy {printed(cube.accuracy[index])} \u00b1" in text(page, "Roll layers back")
