"""What the tests of the explorer share: surfaces of a formula, and what is read from and done to its page."""

import base64
import io
import re
import shutil
from dataclasses import replace
from itertools import product

import numpy as np
from PIL import Image
from playwright.sync_api import Locator, Page
from synthetic import curve_of, surface_of, trajectory_of

from landscape_utils.figures.explorer_data import PAPERS, Cube, View
from landscape_utils.landscape.scan import Curve, Mark, Surface
from landscape_utils.landscape.trajectory import Trajectory

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
FLAGS += ["--disable-component-update", "--disable-sync"]
HUNG = 300_000  # ms: a page that has not answered by then hangs, however slow the machine
PAGE = (
    '<!doctype html><html lang="en" {}><head><meta charset="utf-8"><title>Explorer</title>'
    '<meta name="viewport" content="width=device-width, initial-scale=1"></head>'
    "<body><main><h1>Explorer</h1>{}</main></body></html>"
)
EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&</script>]]>"


def bowl(a: np.ndarray, b: np.ndarray, width: float) -> np.ndarray:
    return 0.2 + ((a - 1) ** 2 + b**2) / width**2


def scanned(n: int, width: float, split: str = "train", m: int = 0, **changes) -> Surface:
    """A round bowl about the end, n x (m or n) points: below level t lies a disc of radius width * sqrt(t - 0.2)."""
    surface = surface_of(lambda a, b: (1.1 if split == "dev" else 1) * bowl(a, b, width), n, cosine=0.6)
    return measured(replace(surface, beta=surface.beta[: m or n], loss=surface.loss[:, : m or n]), **changes)


def line(width: float, **changes) -> Curve:
    """The bowl's cross-section at beta = 0."""
    return measured(curve_of(lambda a: bowl(a, 0.0, width), 61), **changes)


def measured(scan, **changes):
    """A scan as of 100 examples, with standard errors."""
    error = np.round(50 * (1 - np.exp(-scan.loss / 4))) / 100
    known = {
        "error": error,
        "loss_stderr": 0.05 * scan.loss,
        "error_stderr": np.sqrt(error * (1 - error) / 99),
        "marks": {name: Mark(at.alpha, 0.0, at.loss, 0.25, 0.01, 0.02) for name, at in scan.marks.items()},
        "examples": 100,
        "norm": 2.5,
        "draws": np.zeros((0, 2, 0), np.float32),
    }
    return replace(scan, **known | {"computed": None, "loss_bound": None} | changes)


def path(method: str, epochs: int) -> Trajectory:
    t = np.linspace(0, 1, epochs + 1)
    return trajectory_of(t, t * (1 - t), in_plane=np.where(t == 0, np.nan, 0.5), method=method)


def views(n: int = 15, tasks: tuple[str, ...] = ("MRPC", "RTE")) -> list[View]:
    shown = []
    for task, (how, width) in product(tasks, {"from scratch": 1.0, "fine-tuned": 2.0}.items()):
        surfaces = {"training": scanned(n, width), "dev": scanned(n, width, "dev")}
        paths = [path("plane", 3), path("paper", 3)] if how == "fine-tuned" else [path("plane", 6)]
        told = {"history": {"training loss": np.arange(len(paths[0].alpha)) + 1.0}, "quantities": PAPERS}
        shown.append(View(surfaces, {"training": line(width)}, paths, task, how, **told))
    return shown


def cube() -> Cube:
    axis = np.linspace(-1, 0, 5)
    exact = 0.9 + 0.02 * axis[:, None, None] + 0.1 * axis[:, None] + 0.3 * axis
    accuracy = np.round(200 * exact) / 200
    accuracy[0, 0, 0] = np.nan
    return Cube("MRPC", ("low layers", "middle layers", "high layers"), axis, accuracy, 200)


def decoded(text: str, kind: str = "<f4") -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), kind)


def settle(page: Page) -> None:
    """Two frames: the redraw that an event asked for is done."""
    page.evaluate("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")


def pixels(shown: Locator) -> np.ndarray:
    settle(shown.page)
    return np.asarray(Image.open(io.BytesIO(shown.screenshot())).convert("RGB"), int)


def readout(page: Page) -> list[str]:
    settle(page)
    return page.locator(".lx-readout").inner_text().splitlines()


def sentence(page: Page, legend: str) -> Locator:
    return page.get_by_role("group", name=legend, exact=True).locator(".lx-text")


def text(page: Page, legend: str) -> str:
    settle(page)
    return sentence(page, legend).inner_text()


def numbers(said: str) -> list[float]:
    """The numbers in a sentence; the minus of typesetters is a minus."""
    return [float(n) for n in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", said.replace("\u2212", "-"))]


def slide(page: Page, label: str, step: int) -> None:
    settle(page)  # a choice made just before may change how far the slider goes
    page.get_by_label(label, exact=True).filter(visible=True).fill(str(step))
    settle(page)


def listened(page: Page, complaints: list[str], kinds: tuple[str, ...] = ()) -> Page:
    """What goes wrong on a page is put on a list: errors, messages (of some kinds), dialogs, requests to outside."""
    page.on("console", lambda m: complaints.append(m.text) if not kinds or m.type in kinds else None)
    page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
    page.on("dialog", lambda dialog: (complaints.append("dialog"), dialog.dismiss()))
    page.on("request", lambda r: r.url.startswith(("file:", "blob:", "data:")) or complaints.append(r.url))
    return page
