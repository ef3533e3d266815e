"""The explorers of the rendered book: all their numbers compared with the store, every control of them moved."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from book_cases import TASKS
from bs4 import BeautifulSoup
from explored import decoded, readout, settle
from playwright.sync_api import Locator, Page, expect

import landscape_utils as lu
from landscape_utils.book.build import find_notebooks
from landscape_utils.figures.explorer_data import SPLITS
from landscape_utils.figures.style import HOW_NAMES

pytestmark = pytest.mark.slow
EXPLORED = [path.stem for path in find_notebooks() if "explore(" in path.read_text("utf-8")]
HOWS = {name: how for how, name in HOW_NAMES.items()} | {"": "pretrained"}


def source(site: Path, name: str) -> BeautifulSoup:
    return BeautifulSoup((site / f"notebooks/{name}.html").read_text("utf-8"), "html.parser")


@pytest.mark.parametrize("name", EXPLORED)
def test_it_is_light_and_moves_by_keyboard(context, site, name):
    """Opened without a network; at the end there must have been no error or warning."""
    found = source(site, name)
    (explorer,) = found.select(".landscape-explorer")
    assert len(str(explorer)) + len(str(explorer.find_next("script", type="module"))) <= 300_000
    assert found.select("article img"), "a static figure beside it"
    assert not found.select('script[type="application/vnd.jupyter.widget-state+json"]')
    address = (site / f"notebooks/{name}.html").as_uri()
    page = context(address, ("error", "warning"), offline=True, reduced_motion="reduce")
    for box in controls(page, "input[type=checkbox]"):
        for _ in range(2):
            box.press("Space")
    for select in controls(page, "select"):
        for option in select.evaluate("s => [...s.options, s.options[0]].map(o => o.value)"):
            select.select_option(option)
            settle(page)
            expect(select).to_have_value(option)
    for slider in controls(page, "input[type=range]"):
        slider.press("Home")
        settle(page)
        lowest = slider.get_attribute("aria-valuetext")
        slider.press("End")
        expect(slider).not_to_have_attribute("aria-valuetext", lowest)
    for kind, key in (("button", "Enter"), ("canvas", "ArrowLeft")):
        for control in controls(page, kind):
            control.press(key)
    assert readout(page)[0]


def controls(page: Page, selector: str) -> list[Locator]:
    """The controls of this kind that can be moved now."""
    return [c for c in page.locator(f".lx {selector}").all() if c.is_visible() and c.is_enabled()]


@pytest.mark.parametrize("name", EXPLORED[:6])
def test_its_numbers_are_those_of_the_store(site, tiny_profile, name):
    """All of them: of surfaces and curves, trajectories, histories and rollbacks; none is computed again."""
    study = lu.Study(tiny_profile, tasks=TASKS, results_dir=site.parents[1] / "results", device="none")
    data = json.loads(source(site, name).select_one(".landscape-explorer script").string)
    tasks = {study.heading(task): task for task in study.tasks}
    for view in data["views"]:
        check(study, name[:2], view, tasks[view["task"]], HOWS[view["how"]])
    for cube in data["cubes"]:
        accuracy = study.cube(tasks[cube["task"]])["accuracy"]
        assert np.array_equal(decoded(cube["accuracy"]), accuracy.astype(np.float32).ravel())
    assert len(data["cubes"]) == (len(tasks) if name.startswith("06") else 0)


def check(study: lu.Study, chapter: str, view: dict, task: str, how: str) -> None:
    group, trained = view["layers"].removesuffix(" layers"), study.run(task, how)
    if view["alpha"]:
        surface = partial(study.layer_surface, task, group) if group else partial(study.surface, task, how)
        compare(view["fields"], surface)
    if chapter == "01":
        fields = {field["name"]: field for field in view["curve"]["fields"]}
        loss = [part.mean() for part in np.array_split(trained.loss, trained.epochs)]
        recorded = {"training loss": [np.nan, *loss], "dev loss": trained.dev_loss}
        for what, values in recorded.items():
            assert np.array_equal(decoded(fields[what]["values"]), np.float32(values), equal_nan=True)
        assert decoded(fields["dev error"]["counts"], "<u2") / 400 == pytest.approx(1 - trained.dev_accuracy)
    elif view["curve"]:
        compare(view["curve"]["fields"], partial(study.curve, task, how))
    for method, path in (view["trajectories"] or {}).items():
        further = chapter == "05"
        wanted = study.overfitting(method) if further else study.trajectory(task, how, method)
        assert (path["alpha"], path["beta"]) == (wanted.alpha.tolist(), wanted.beta.tolist())
        losses = [*trained.dev_loss, *(study.run(task, "continued").dev_loss[1:] if further else [])]
        assert view["history"]["dev loss"] == losses


def compare(fields: list[dict], scanned: Callable[[str], lu.Curve]) -> None:
    """The training loss and the dev error, which the paper draws."""
    loss, error = sorted(fields, key=lambda field: field["name"], reverse=True)
    train, dev = map(scanned, SPLITS.values())
    assert (loss["name"], error["name"]) == ("training loss", "dev error")
    assert np.array_equal(decoded(loss["values"]), train.loss.astype(np.float32).ravel())
    assert decoded(error["counts"], "<u2") / dev.examples == pytest.approx(dev.error.ravel(), rel=1e-7)
