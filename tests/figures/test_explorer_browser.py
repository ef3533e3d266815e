"""The explorer in a real browser, off the network: what the page says against what was measured.

The page is a file, as a reader opens it. Every control is moved by mouse or keyboard. Expected numbers come from
numpy on the surfaces; the region's area also from a fine grid of bilinear values, which an area by linear edges
approaches as the grid gets finer.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import itertools
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

from landscape_utils.figures.explorer import page as figure
from landscape_utils.figures.explorer_data import Cube, View, payload
from landscape_utils.figures.style import COLOUR_MAPS
from landscape_utils.landscape.flatness import area_below, cross_section, width_below
from landscape_utils.landscape.scan import Curve, Mark, Surface
from landscape_utils.landscape.trajectory import Trajectory

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PAGE = (
    '<!doctype html><html lang="en" {}><head><meta charset="utf-8"><title>Explorer</title>'
    '<meta name="viewport" content="width=device-width, initial-scale=1"></head>'
    "<body><main><h1>Explorer</h1>{}</main></body></html>"
)
NOT_BELOW = "is not below"


def bowl(a: np.ndarray, b: np.ndarray, width: float) -> np.ndarray:
    return 0.2 + ((a - 1) ** 2 + b**2) / width**2


def scanned(n: int, width: float, split: str, m: int = 0) -> Surface:
    """A round bowl about the end point: below level t lies a disc of radius width * sqrt(t - 0.2)."""
    alpha, beta = np.linspace(-4, 4, n), np.linspace(-4, 4, m or n)
    loss = bowl(alpha[:, None], beta[None, :], width) * (1.1 if split == "dev" else 1)
    error = np.round(50 * (1 - np.exp(-loss / 4))) / 100
    return Surface(
        alpha=alpha,
        beta=beta,
        loss=loss,
        error=error,
        loss_stderr=0.05 * loss,
        error_stderr=np.sqrt(error * (1 - error) / 99),
        marks=marks(width),
        examples=100,
        norm=2.5,
        precision="float32",
        precision_error=0.0,
        cosine=0.6,
    )


def marks(width: float) -> dict[str, Mark]:
    return {
        name: Mark(a, 0.0, float(bowl(a, 0.0, width)), 0.25, 0.01, 0.02)
        for name, a in (("start", 0.0), ("end", 1.0))
    }


def line(width: float) -> Curve:
    surface = {f.name: getattr(scanned(61, width, "train", 3), f.name) for f in dataclasses.fields(Curve)}
    grids = ("loss", "error", "loss_stderr", "error_stderr")
    return Curve(**{k: v[:, 1] if k in grids else v for k, v in surface.items()})


def path(method: str, epochs: int) -> Trajectory:
    t = np.linspace(0, 1, epochs + 1)
    return Trajectory(t, t * (1 - t), np.where(t == 0, np.nan, 0.5), t, t, method)


WIDTHS = {"Fine-tuning": 2.0, "Training from scratch": 1.0}


def views(n: int = 15, tasks: tuple[str, ...] = ("MRPC", "RTE")) -> list[View]:
    return [
        View(
            {"training": scanned(n, width, "train"), "dev": scanned(n, width, "dev")},
            {"training": line(width)},
            [path("plane", 3), path("paper", 3)] if how == "Fine-tuning" else [path("plane", 6)],
            task,
            how,
            quantities=("training loss", "dev error"),
        )
        for task in tasks
        for how, width in WIDTHS.items()
    ]


def cube() -> Cube:
    axis = np.linspace(-1, 0, 5)
    low, middle, high = np.meshgrid(axis, axis, axis, indexing="ij")
    accuracy = np.round(200 * (0.9 + 0.02 * low + 0.1 * middle + 0.3 * high)) / 200
    accuracy[0, 0, 0] = np.nan
    return Cube("MRPC", ("low layers", "middle layers", "high layers"), axis, accuracy, 200)


@pytest.fixture(scope="module")
def browser():
    if not CHROMIUM:
        pytest.fail("the explorer is checked in Chromium: install it")
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def show(browser: Browser, tmp_path: Path):
    """Opens a page with an explorer; at the end there must have been no error, dialog or request."""
    complaints: list[str] = []
    contexts = []

    def opened(views: list[View], cubes: tuple[Cube, ...] = (), attributes: str = "", **settings) -> Page:
        file = tmp_path / "page.html"
        file.write_text(PAGE.format(attributes, figure(payload(views, cubes))), encoding="utf-8")
        contexts.append(
            browser.new_context(viewport=settings.pop("viewport", {"width": 1200, "height": 900}), **settings)
        )
        page = contexts[-1].new_page()
        page.on("console", lambda message: complaints.append(f"console: {message.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("dialog", lambda dialog: (complaints.append("dialog"), dialog.dismiss()))
        page.on(
            "request", lambda r: r.url.startswith(("file:", "blob:", "data:")) or complaints.append(r.url)
        )
        page.goto(file.as_uri())
        page.wait_for_selector(".lx canvas:visible")
        settle(page)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not complaints


def settle(page: Page) -> None:
    """Two frames: the redraw that an event asked for is done."""
    page.evaluate("new Promise(r => requestAnimationFrame(() => requestAnimationFrame(r)))")


def readout(page: Page) -> list[str]:
    settle(page)
    return page.locator(".lx-readout").inner_text().splitlines()


def sentence(page: Page, legend: str) -> Locator:
    return page.get_by_role("group", name=legend, exact=True).locator(".lx-text")


def text(page: Page, legend: str) -> str:
    settle(page)
    return sentence(page, legend).inner_text()


def numbers(sentence: str) -> list[float]:
    """The numbers in a sentence; the minus of typesetters is a minus."""
    return [float(n) for n in re.findall(r"-?\d+\.?\d*(?:e-?\d+)?", sentence.replace("\u2212", "-"))]


def slide(page: Page, label: str, step: int) -> None:
    settle(page)  # a choice made just before may change how far the slider goes
    page.get_by_label(label, exact=True).filter(visible=True).fill(str(step))
    settle(page)


def pixels(page: Page) -> np.ndarray:
    settle(page)
    return np.asarray(
        Image.open(io.BytesIO(page.locator("canvas.lx-surface").first.screenshot())).convert("RGB"), int
    )


def test_says_what_was_measured_at_each_point(show):
    page = show(views())
    surface = scanned(15, 2.0, "train")
    error = scanned(15, 2.0, "dev").error
    for i, j in [(0, 0), (14, 3), (6, 9), (8, 7)]:
        slide(page, "\u03b1", i)
        slide(page, "\u03b2", j)
        said = numbers(readout(page)[0].split(":", 1)[1])
        alpha, beta, loss = surface.alpha[i], surface.beta[j], surface.loss[i, j]
        wanted = [
            alpha,
            beta,
            loss,
            surface.loss_stderr[i, j],
            error[i, j],
            np.sqrt(error[i, j] * (1 - error[i, j]) / 99),
        ]
        # Printed: coordinates to 3 decimals, values to 4 digits, standard errors to 2.
        assert np.allclose(said[:2], wanted[:2], atol=5.1e-4)
        assert np.allclose(said[2::2], wanted[2::2], rtol=5.1e-4)
        assert np.allclose(said[3::2], wanted[3::2], rtol=5.1e-2)


def test_pointer_and_keyboard_move_both_cursors(show):
    page = show(views())
    canvas, said = page.locator("canvas.lx-surface").first, page.locator(".lx-readout")
    box = canvas.bounding_box()
    canvas.click(position={"x": 44 + 2, "y": 12 + 2})  # the upper left corner: alpha lowest, beta highest
    expect(said).to_have_text(re.compile("(.*\u03b1 = \u22124, \u03b2 = 4 \\(grid point\\).*\\s?){2}"))
    canvas.press("ArrowRight")
    canvas.press("ArrowDown")
    expect(said).to_have_text(
        re.compile("(.*\u03b1 = \u22123.429, \u03b2 = 3.429 \\(grid point\\).*\\s?){2}")
    )
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(said).not_to_contain_text("\u22123.429")
    page.mouse.move(0, 0)  # the pointer's place was only a look: the cursor is back
    expect(said).to_contain_text("\u03b1 = \u22123.429")
    page.get_by_role("button", name="to the end").press("Enter")
    expect(said).to_contain_text("(end): training loss 0.2 \u00b1 0.01; dev error 0.25 \u00b1 0.02")
    expect(page.locator(".lx-hidden[role=status]")).to_contain_text("(end)")  # once the cursor rests


def test_threshold_gives_width_and_area_of_the_region(show):
    page = show(views(41))
    sentences = []
    for step in (180, 220, 260):
        slide(page, "below", step)
        level = numbers(page.get_by_label("below", exact=True).get_attribute("aria-valuetext"))[0]
        for said, width in zip(text(page, "Threshold").splitlines(), WIDTHS.values(), strict=True):
            surface = scanned(41, width, "train")
            rise = level - surface.marks["end"].loss
            size, distance, low, high, area, area_in_space = numbers(
                said.split(": ", 1)[1].replace("\u03b1", "")
            )
            wide, wanted = width_below(cross_section(surface), rise), area_below(surface, rise)
            assert ("at least" in said) == (not wanted.bounded or not wide.bounded)
            assert size == pytest.approx(wide.size, rel=0.02)  # the level itself is printed to 3 digits
            assert high - low == pytest.approx(size, rel=5.1e-3)  # 3 digits
            assert area == pytest.approx(
                wanted.size, rel=0.05
            )  # flatness counts cells of 8/400: perimeter x step
            assert distance == pytest.approx(2.5 * size, rel=0.01)
            assert area_in_space == pytest.approx(
                2.5**2 * 0.8 * area, rel=0.01
            )  # sine of the angle: cosine is 0.6
            sentences.append(said)
    assert len(set(sentences)) == 6
    slide(page, "below", 0)
    assert NOT_BELOW in text(page, "Threshold") or "width along" in text(page, "Threshold")


def layers_of(end: float, rolled_back: float, how: str) -> View:
    """The loss at the fine-tuned point is `end`, on the slope of a bowl that is a quarter deeper two steps away."""
    surface = scanned(41, 2.0, "train")
    deep = (surface.alpha[:, None] + 2) ** 2 / 16 + surface.beta[None, :] ** 2 / 16
    loss = np.minimum(end - 0.25 + deep, 3.0)
    losses = {"fine-tuned": (0.0, end), "rolled back": (-1.0, rolled_back)}
    places = {name: Mark(at, 0.0, value, 0.1, 0.01, 0.01) for name, (at, value) in losses.items()}
    return View({"": dataclasses.replace(surface, loss=loss, marks=places)}, layers=how)


@pytest.mark.parametrize(
    "losses",
    [
        ((0.4, 0.3), (0.5, 0.9)),  # rolling back helps the one, and the other ends higher than either
        ((0.4, 0.4), (0.4, 0.4)),
        ((0.4, 2.9), (0.5, 0.6)),
    ],
)
def test_the_first_threshold_outlines_something_in_every_view(show, losses):
    page = show(
        [layers_of(*pair, how) for pair, how in zip(losses, ("low layers", "high layers"), strict=True)]
    )
    page.get_by_label("side by side", exact=True).set_checked(True)
    settle(page)
    said = text(page, "Threshold").splitlines()
    assert len(said) == 2
    for sentence in said:
        assert NOT_BELOW not in sentence
        assert numbers(sentence.split("region: ")[1])[0] > 0


def test_area_of_a_disc(show):
    """Radius 1.5 on a grid of 81 points: linear edges cut less than 1 % off."""
    page = show([View({"": scanned(81, 2.0, "train")})])
    domain = scanned(81, 2.0, "train").loss
    step = round(400 * np.log((0.2 + 1.5**2 / 4) / domain.min()) / np.log(domain.max() / domain.min()))
    slide(page, "below", step)
    level = domain.min() * (domain.max() / domain.min()) ** (step / 400)
    said = text(page, "Threshold")
    area = float(re.search(r"region: ([\d.]+)", said).group(1))
    assert area == pytest.approx(np.pi * 4 * (level - 0.2), rel=0.01)


def test_area_is_of_the_basin_around_the_end_alone(show):
    """Two discs of radius r, 3 apart: one counts until they touch, at r = 1.5, and then both."""
    surface = scanned(81, 1.0, "train")
    other = bowl(surface.alpha[:, None] + 3, surface.beta[None, :], 1.0)
    loss = np.minimum(np.minimum(surface.loss, other), 8.0)
    page = show([View({"": dataclasses.replace(surface, loss=loss)})])
    page.get_by_label("scale", exact=True).select_option("linear")
    for radius, discs in ((1.2, 1), (1.4, 1), (1.8, 2)):
        step = round(400 * radius**2 / (8.0 - loss.min()))
        slide(page, "below", step)
        area = float(re.search(r"region: ([\d.]+)", text(page, "Threshold")).group(1))
        exact = np.pi * step / 400 * (8.0 - loss.min())
        lens = 2 * radius**2 * np.arccos(1.5 / radius) - 3 * np.sqrt(radius**2 - 1.5**2) if discs == 2 else 0
        assert area == pytest.approx(discs * exact - lens, rel=0.02)  # the lens is of the unrounded radius


def test_choices_change_the_view(show):
    page = show(views(), (cube(),))
    before = pixels(page)
    page.get_by_label("quantity", exact=True).select_option("dev error")
    settle(page)
    assert "dev error" in page.locator("canvas.lx-surface").first.get_attribute("aria-label")
    page.get_by_label("task", exact=True).select_option("RTE")
    assert [said.split(":")[0] for said in readout(page)] == [
        "RTE, Fine-tuning",
        "MRPC, Training from scratch",
    ]
    page.get_by_label("training", exact=True).select_option("Training from scratch")
    page.get_by_label("scale", exact=True).select_option("logarithmic")
    page.get_by_label("shading", exact=True).select_option("point by point")
    page.get_by_label("one colour scale for a task").uncheck()
    assert np.abs(pixels(page) - before).mean() > 1
    page.get_by_label("side by side").uncheck()
    assert len(readout(page)) == 1
    assert page.locator("canvas.lx-surface:visible").count() == 1


def test_colours_are_those_of_the_scale(show):
    """Point by point, the pixel at a grid point has the colour of its value on the figures' own colour map."""
    page = show([View({"": scanned(9, 2.0, "train")})])
    page.get_by_label("shading", exact=True).select_option("point by point")
    page.get_by_label("scale", exact=True).select_option("linear")
    page.get_by_label("below", exact=True).fill("0")
    surface, shown = scanned(9, 2.0, "train"), pixels(page)
    side = shown.shape[1] - 44 - 74
    for i, j in [(1, 1), (7, 2), (2, 6), (7, 7)]:
        x, y = 44 + (i + 0.5) / 9 * side, 12 + (8.5 - j) / 9 * side
        share = (surface.loss[i, j] - surface.loss.min()) / np.ptp(surface.loss)
        wanted = 255 * np.array(COLOUR_MAPS["loss"](share)[:3])
        patch = np.median(shown[int(y) - 3 : int(y) + 4, int(x) - 3 : int(x) + 4].reshape(-1, 3), axis=0)
        assert np.abs(patch - wanted).max() <= 4  # 32 stops of the map, interpolated, and 8 bits


def test_relief_turns_by_mouse_and_keyboard(show):
    page = show(views())
    page.get_by_label("in three dimensions").check()
    pictures = [pixels(page)]
    canvas = page.locator("canvas.lx-surface").first
    canvas.press("ArrowRight")
    pictures.append(pixels(page))
    canvas.press("ArrowUp")
    pictures.append(pixels(page))
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 160, box["y"] + 130)
    page.mouse.up()
    pictures.append(pixels(page))
    for before, after in itertools.pairwise(pictures):
        assert np.abs(before - after).mean() > 1


def test_trajectory_by_slider_by_play_and_by_projection(show):
    page = show(views())
    slide(page, "epoch", 2)
    said = text(page, "Trajectory").splitlines()
    assert "epoch 2 of 3: \u03b1 = 0.667, \u03b2 = 0.222; 50 % of the way" in said[0]
    assert "epoch 2 of 6: \u03b1 = 0.333, \u03b2 = 0.222" in said[1]
    page.get_by_label("projection", exact=True).select_option(index=1)
    assert "no trajectory" in text(page, "Trajectory").splitlines()[1]  # scratch came with one projection
    page.get_by_label("projection", exact=True).select_option(index=0)
    slide(page, "epoch", 6)
    page.evaluate(
        "window.setInterval = f => (window.tick = f, 1); window.clearInterval = () => (window.tick = null); 0"
    )
    said = sentence(page, "Trajectory")
    page.get_by_role("button", name="Play").press("Space")
    expect(said).to_contain_text("epoch 0 of 6")
    page.evaluate("tick(), tick()")
    expect(said).to_contain_text("epoch 2 of 6")
    page.get_by_role("button", name="Pause").click()
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    assert page.evaluate("window.tick") is None
    page.get_by_role("button", name="Play").click()
    expect(said).to_contain_text("epoch 3 of 6")
    page.evaluate("for (let k = 0; k < 3; k++) tick()")
    expect(said).to_contain_text("epoch 6 of 6")
    assert page.evaluate("window.tick") is None  # it stops at the end


def test_play_goes_step_by_step_where_motion_is_unwelcome(show):
    page = show(views(), reduced_motion="reduce")
    slide(page, "epoch", 1)
    page.evaluate("window.setInterval = () => { throw Error('it moves by itself') }; 0")
    page.get_by_role("button", name="Play").click()
    expect(sentence(page, "Trajectory")).to_contain_text("epoch 2 of 6")


def test_rollback_sliders_say_the_accuracy_scanned_there(show):
    page = show(views(), (cube(),))
    accuracy = cube().accuracy
    for index in [(4, 4, 4), (0, 4, 4), (2, 1, 3), (0, 0, 1)]:
        for label, i in zip(("low layers", "middle layers", "high layers"), index, strict=True):
            slide(page, label, i)
        said = text(page, "Roll layers back").split("dev accuracy")[1]
        assert numbers(said)[0] == pytest.approx(accuracy[index], rel=5.1e-4)
    slide(page, "high layers", 0)
    assert "not scanned" in text(page, "Roll layers back")
    page.get_by_label("task", exact=True).select_option("RTE")
    settle(page)
    assert not page.get_by_role("group", name="Roll layers back").is_visible()


def test_downloads(show, tmp_path):
    page = show(views())

    def downloaded(kind: str) -> bytes:
        with page.expect_download() as download:
            page.get_by_role("button", name=kind).click()
        return download.value.path().read_bytes()

    picture = Image.open(io.BytesIO(downloaded("PNG")))
    assert min(picture.size) > 600
    assert len(picture.convert("RGB").getcolors(1 << 24)) > 1000
    svg = downloaded("SVG").decode()
    assert svg.startswith("<svg") and "MRPC, Fine-tuning" in svg
    rows = list(csv.DictReader(io.StringIO(downloaded("CSV").decode())))
    grid = [r for r in rows if r["point"] == "grid" and r["how"] == "Fine-tuning"]
    surface = scanned(15, 2.0, "train")
    assert np.array_equal(
        np.array([float(r["training loss"]) for r in grid], np.float32),
        surface.loss.astype(np.float32).ravel(),
    )
    assert np.allclose([float(r["alpha"]) for r in grid], np.repeat(surface.alpha, 15), rtol=1e-8)
    assert {r["point"] for r in rows} == {"grid", "start", "end", "curve"}
    page.get_by_label("in three dimensions").check()
    assert downloaded("SVG").decode().count("<path") > 14 * 14


def test_curves_alone(show):
    page = show([View(curves={"training": line(w)}, how=how) for how, w in WIDTHS.items()])
    assert page.locator("canvas.lx-surface:visible").count() == 0
    slide(page, "\u03b1", 0)
    assert numbers(readout(page)[0].split(":", 1)[1])[1] == pytest.approx(line(2.0).loss[0], rel=5.1e-4)
    slide(page, "below", 200)
    level = numbers(page.get_by_label("below", exact=True).get_attribute("aria-valuetext"))[0]
    wanted = [width_below(line(w), level - 0.2).size for w in WIDTHS.values()]
    said = [numbers(s.split("point: ")[1])[0] for s in text(page, "Threshold").splitlines()]
    assert np.allclose(said, wanted, rtol=0.02)  # the level is printed to 3 digits


def test_a_history_is_read_epoch_by_epoch(show):
    curve = dataclasses.replace(
        line(2.0), alpha=np.arange(61.0), marks={}, norm=np.nan, loss_stderr=np.full(61, np.nan)
    )
    curve.loss[0] = np.nan
    page = show(
        [View(curves={"training": curve}, how="Fine-tuning", axis="epoch", quantities=("training loss",))]
    )
    slide(page, "epoch", 7)
    assert readout(page) == [f"Fine-tuning: epoch = 7: training loss {curve.loss[7]:.4g}"]
    slide(page, "epoch", 0)
    assert readout(page) == ["Fine-tuning: epoch = 0: not evaluated"]
    assert not page.get_by_role("group", name="Threshold").is_visible()


def test_a_mark_on_a_grid_point_is_named(show):
    page = show([View({"": scanned(9, 2.0, "train")}, task="MRPC")])
    slide(page, "\u03b1", 4)
    assert "\u03b1 = 0, \u03b2 = 0 (start)" in readout(page)[0]


EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&</script>]]>"


@pytest.mark.parametrize("log", ["linear", "logarithmic"])
def test_odd_surfaces_are_drawn_and_nothing_is_executed(show, log):
    whole = scanned(9, 2.0, "train")
    holes = whole.loss.copy()
    holes[0, :3], holes[5, 5] = np.nan, np.inf
    odd = {
        EVIL: dataclasses.replace(whole, loss=holes),
        "row": scanned(9, 2.0, "train", 1),
        "flat": dataclasses.replace(whole, loss=np.full((9, 9), 0.7)),
        "nothing": dataclasses.replace(whole, loss=np.full((9, 9), np.nan)),
    }
    page = show([View({EVIL: surface}, task=name) for name, surface in odd.items()])
    page.get_by_label("scale", exact=True).select_option(log)
    for name, count in [("row", 0), ("flat", 0), ("nothing", 81), (EVIL, 4)]:
        page.get_by_label("task", exact=True).select_option(name)
        for relief in (True, False):
            page.get_by_label("in three dimensions").set_checked(relief)
            settle(page)
        note = page.locator(".lx-note").first.inner_text()
        assert (f"{count} of {odd[name].loss.size} points are not finite" in note) == (count > 0)
        assert readout(page)[0].startswith(f"{name}: ")
    for kind in ("SVG", "PNG", "CSV"):
        with page.expect_download() as download:
            page.get_by_role("button", name=kind).click()
        assert "<script" not in download.value.path().read_bytes().decode("latin1") or kind == "CSV"
    slide(page, "\u03b1", 0)
    slide(page, "\u03b2", 0)
    assert "not finite" in readout(page)[0]


def test_hatched_where_not_finite(show):
    surface = scanned(9, 2.0, "train")
    holes = surface.loss.copy()
    holes[6:8, 1:3] = np.nan
    page = show([View({"": dataclasses.replace(surface, loss=holes)})])
    shown = pixels(page)
    side = shown.shape[1] - 44 - 74
    x, y = 44 + 6.5 / 8 * side, 12 + 6.5 / 8 * side
    patch = shown[int(y) - 12 : int(y) + 12, int(x) - 12 : int(x) + 12].reshape(-1, 3)
    assert (patch.min(axis=1) > 245).any() and (patch.max(axis=1) < 90).any()  # paper and ink, no colour
    assert np.ptp(patch, axis=1).max() < 20


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"viewport": {"width": 360, "height": 740}},
        {"color_scheme": "dark"},
        {"attributes": 'data-theme="dark"'},
    ],
)
def test_accessible_and_fits(show, settings):
    page = show(views(), (cube(),), **settings)
    if "dark" in str(settings):
        page.add_style_tag(content="body { background: #121212; color: #eee }")
    found = Axe().run(page).response
    assert len(found["passes"]) > 10
    assert [v["id"] for v in found["violations"] if v["impact"] in ("serious", "critical")] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_all_controls_are_reached_by_tab_and_show_it(show):
    page = show(views(), (cube(),))
    reachable = page.locator(
        ".lx select:visible, .lx input:visible:enabled, .lx button:visible, .lx canvas.lx-surface:visible"
    ).count()
    seen = set()
    for _ in range(reachable):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("[...document.querySelectorAll('*')].indexOf(document.activeElement)"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert len(seen) == reachable


def test_a_page_holds_two_explorers(show):
    html = figure(payload(views())) + figure(payload([View({"": scanned(5, 1.0, "train")}, task="other")]))
    page = show(views())
    page.set_content(PAGE.format("", html))
    page.wait_for_selector(".lx >> nth=1")
    assert page.locator(".lx").count() == 2
    assert "other" in page.locator(".lx-readout").nth(1).inner_text()


def test_large_surface_is_drawn(show):
    page = show([View({"": scanned(200, 2.0, "train")})])
    slide(page, "\u03b1", 199)
    slide(page, "\u03b2", 0)
    assert numbers(readout(page)[0].split(": ", 1)[1])[2] == pytest.approx(bowl(4.0, -4.0, 2.0), rel=5.1e-4)
