"""JupyterLab itself, driven: a notebook opened and run, the explorer moved, the model asked, a surface scanned."""

import os
import re
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import nbformat
import pytest
from book_cases import written
from explored import HUNG
from playwright.sync_api import Browser, Page, expect

import landscape_utils as lu

pytestmark = pytest.mark.slow


@pytest.fixture
def notebook(study: lu.Study, tiny_profile: Path, tmp_path: Path):
    """The address of a notebook in a running JupyterLab."""
    code = (
        "import landscape_utils as lu\nfrom landscape_utils.figures.widgets import explore\n"
        f"study = lu.Study({str(tiny_profile)!r}, tasks='mrpc', results_dir={str(study.store.folder.parent)!r})\n"
        "live = explore(study, 'mrpc')\nlive"
    )
    written(tmp_path / "explore.ipynb", [nbformat.v4.new_code_cell(code)], {})
    own = {f"JUPYTER_{name}_DIR": str(tmp_path / name) for name in ("CONFIG", "DATA")}
    # The kernel's sockets are files (`landscape_utils.book.papermill` says why); the system takes short paths alone.
    with TemporaryDirectory() as runtime:
        options = ["--no-browser", "--allow-root", "--KernelManager.transport=ipc"]
        options += ["--IdentityProvider.token=", f"--ServerApp.root_dir={tmp_path}", "--LabApp.news_url=None"]
        command = [sys.executable, "-m", "jupyterlab", *options]
        environment = os.environ | own | {"JUPYTER_RUNTIME_DIR": runtime, "OMP_NUM_THREADS": "1"}
        with (tmp_path / "log").open("w") as log:
            server = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
            try:
                # It takes the next port where one is taken, and says so once it listens.
                while not (found := re.search(r"http://localhost:\d+/", Path(log.name).read_text("utf-8"))):
                    assert server.poll() is None, "JupyterLab did not start"
                    time.sleep(0.2)
                yield f"{found[0]}lab/tree/explore.ipynb"
            finally:
                server.terminate()
                server.wait()


@pytest.fixture
def page(notebook: str, browser: Browser):
    errors: list[str] = []
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_default_timeout(HUNG)
    # A dialog of JupyterLab's own covers the notebook and would take every click: its default button closes it.
    page.add_locator_handler(
        page.locator("dialog.jp-Dialog"), lambda _: page.locator(".jp-Dialog .jp-mod-accept").last.click()
    )
    page.goto(notebook)
    # What is run before there is a kernel is not run at all, and JupyterLab calls one idle that is not there yet.
    for _ in range(HUNG // 5000):
        page.locator(".jp-Cell .cm-content").first.click()
        page.keyboard.press("Control+Enter")
        with suppress(AssertionError):
            expect(page.locator(".jp-InputPrompt").first).to_have_text(re.compile(r"\[[*\d]"), timeout=5000)
            break
    else:
        raise AssertionError("the kernel takes no cell")
    page.wait_for_selector(".lx canvas:visible")
    yield page
    page.close()
    assert not errors


def test_explorer_lives_on_the_kernel(page: Page, study: lu.Study):
    """A point off the grid, sentences classified there, a scan; numbers are compared with the store."""
    readout, line = page.locator(".lx-readout"), page.locator(".jp-OutputArea .widget-html-content").first
    page.get_by_label("\u03b1", exact=True).first.fill("0")
    surface = study.surface("mrpc", "scratch")
    at = "\u03b1 = \u22124, \u03b2 = 0 (grid point): training loss"
    expect(readout).to_contain_text(f"{at} {surface.loss[0, 2]:.4g}")
    page.get_by_role("button", name="to the end").click()
    page.get_by_role("button", name="Evaluate here").click()
    end = surface.marks["end"]
    expect(line).to_contain_text(f"\u03b2 = 0: training loss {end.loss:.4g} \u00b1 {end.loss_stderr:.2g}")
    expect(page.get_by_role("button", name="to the asked 1")).to_be_visible()
    page.get_by_label("Sentences").select_option(index=[0, 1])
    expect(line).to_contain_text("classified at \u03b1 = 1, \u03b2 = 0")
    expect(page.locator(".jp-OutputArea td")).to_have_count(8)
    page.get_by_label("resolution").fill("9")
    page.get_by_label("span").fill("1.5")
    page.get_by_label("span").press("Tab")
    page.get_by_role("button", name="Scan").click()
    expect(line).to_have_text(re.compile("Scanned in "))
    finer = lu.Study(study.profile, span=1.5, resolution=9, results_dir=study.store.folder.parent)
    page.get_by_label("\u03b1", exact=True).first.fill("8")
    page.get_by_label("\u03b2", exact=True).first.fill("0")
    at = "scanned now: \u03b1 = 1.5, \u03b2 = \u22121.5 (grid point): training loss"
    expect(readout).to_contain_text(f"{at} {finer.surface('mrpc', 'scratch').loss[8, 0]:.4g}")
