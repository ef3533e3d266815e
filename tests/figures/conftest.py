"""Pages with an explorer, opened in Chromium as a reader opens them: as files."""

from pathlib import Path

import pytest
from explored import PAGE, settle
from playwright.sync_api import Page

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


@pytest.fixture
def context(opened):
    """Opens pages with the settings of a browser's context, and waits for their explorer."""

    def shown(address: str, kinds: tuple[str, ...] = (), **settings) -> Page:
        page = opened(address, kinds, **{"viewport": {"width": 1200, "height": 900}} | settings)
        page.wait_for_selector(".lx canvas:visible")
        settle(page)
        return page

    return shown


@pytest.fixture
def show(context, tmp_path: Path):
    """Opens a page with an explorer of the given views."""

    def shown(views: list[View], cubes: tuple[Cube, ...] = (), attributes: str = "", **settings) -> Page:
        file = tmp_path / "page.html"
        file.write_text(PAGE.format(attributes, figure(payload(views, cubes))), encoding="utf-8")
        return context(file.as_uri(), **settings)

    return shown
