"""Chromium, and pages with an explorer opened in it as a reader opens them: as files."""

from __future__ import annotations

from pathlib import Path

import pytest
from explored import CHROMIUM, FLAGS, HUNG, PAGE, listened, settle
from playwright.sync_api import Page, expect, sync_playwright

import landscape_utils as lu
from landscape_utils.figures.explorer import page as figure
from landscape_utils.figures.explorer_data import Cube, View, payload
from landscape_utils.figures.study_views import views_of


@pytest.fixture(scope="session")
def study(tiny_profile: Path, tmp_path_factory) -> lu.Study:
    """MRPC, trained both ways, and its surfaces."""
    study = lu.Study(tiny_profile, tasks="mrpc", results_dir=tmp_path_factory.mktemp("mrpc") / "results")
    views_of(study, ["mrpc"], "surfaces")
    return study


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM:
        pytest.fail("the explorer is checked in Chromium: install it")
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS, timeout=HUNG)
        expect.set_options(timeout=HUNG)
        yield chromium
        expect.set_options(timeout=5000)
        chromium.close()


@pytest.fixture
def context(browser):
    """Opens pages with the settings of a browser's context; at the end there must have been no complaint."""
    complaints: list[str] = []
    contexts = []

    def opened(address: str, kinds: tuple[str, ...] = (), **settings) -> Page:
        contexts.append(browser.new_context(**{"viewport": {"width": 1200, "height": 900}} | settings))
        contexts[-1].set_default_timeout(HUNG)
        page = listened(contexts[-1].new_page(), complaints, kinds)
        page.goto(address)
        page.wait_for_selector(".lx canvas:visible")
        settle(page)
        return page

    yield opened
    for each in contexts:
        each.close()
    assert not complaints


@pytest.fixture
def show(context, tmp_path: Path):
    """Opens a page with an explorer of the given views."""

    def shown(views: list[View], cubes: tuple[Cube, ...] = (), attributes: str = "", **settings) -> Page:
        file = tmp_path / "page.html"
        file.write_text(PAGE.format(attributes, figure(payload(views, cubes))), encoding="utf-8")
        return context(file.as_uri(), **settings)

    return shown
