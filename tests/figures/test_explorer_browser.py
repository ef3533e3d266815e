"""The explorer in a real browser, off the network: what the page says against what was measured.

The page is a file, as a reader opens it. Every control is moved by mouse or keyboard. Expected numbers come from
numpy on the surfaces, and of the regions from `flatness` and the formula of the bowl.
"""

import csv
import io
import re
from functools import partial

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from explored import EVIL, cube, numbers, pixels, readout, scanned, sentence, settle, slide, text, views
from PIL import Image
from playwright.sync_api import Locator, Page, expect
from scipy.stats import rankdata

from landscape_utils.claims.flatness import region_around, width_below
from landscape_utils.figures.explorer import show_me
from landscape_utils.figures.explorer_data import View
from landscape_utils.figures.style import COLOUR_MAPS, DIVERGING
from landscape_utils.landscape.scan import Mark

RANKS = "ranks: loss less error"
LEFT, TOP, RIGHT = 44, 12, 74  # pixels between the map and the edges of its canvas
CHART = 48, 12  # and of a chart


@pytest.fixture
def page(show) -> Page:
    """Two tasks, trained both ways; of one the layers can be rolled back."""
    return show(views(), (cube(),))


def first_map(page: Page) -> Locator:
    return page.locator("canvas.lx-surface").first


def patch(shown: np.ndarray, i: float, j: float, reach: int) -> np.ndarray:
    """The colours around a grid point of a map of 9 x 9 points."""
    side = shown.shape[1] - LEFT - RIGHT
    x, y = int(LEFT + i / 8 * side), int(TOP + (8 - j) / 8 * side)
    return shown[y - reach : y + reach + 1, x - reach : x + reach + 1].reshape(-1, 3)


def is_coloured(shown: np.ndarray, i: float, j: float, colour: tuple[float, ...], within: float) -> bool:
    found = np.median(patch(shown, i, j, 2), axis=0)
    return np.abs(found - 255 * np.array(colour[:3])).max() <= within


def choose(page: Page, label: str, option: str) -> None:
    page.get_by_label(label, exact=True).select_option(option)


def go(page: Page, i: int, j: int) -> None:
    slide(page, "\u03b1", i)
    slide(page, "\u03b2", j)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def threshold(page: Page) -> tuple[float, list[str]]:
    """The level as printed, to 3 digits, and what is said of each view's region."""
    level = numbers(page.get_by_label("below", exact=True).get_attribute("aria-valuetext"))[0]
    return level, text(page, "Threshold").splitlines()


def test_pointer_and_keyboard_move_both_cursors(page):
    canvas, said = first_map(page), page.locator(".lx-readout")
    canvas.click(position={"x": LEFT + 2, "y": TOP + 2})  # the upper left corner: alpha lowest, beta highest
    both = "(.*\u03b1 = {}, \u03b2 = {} \\(grid point\\).*\\s?){{2}}"
    expect(said).to_have_text(re.compile(both.format("\u22124", "4")))
    canvas.press("ArrowRight")
    canvas.press("ArrowDown")
    expect(said).to_have_text(re.compile(both.format("\u22123.429", "3.429")))
    canvas.hover()
    expect(said).not_to_contain_text("\u22123.429")
    page.mouse.move(0, 0)  # the pointer's place was only a look: the cursor is back
    expect(said).to_contain_text("\u03b1 = \u22123.429")
    page.get_by_role("button", name="to the end").press("Enter")
    expect(said).to_contain_text("(end): training loss 0.2 \u00b1 0.01; dev error 0.25 \u00b1 0.02")
    expect(page.locator(".lx-hidden[role=status]")).to_contain_text("(end)")  # once the cursor rests


def test_every_chart_answers_pointer_and_keys(page):
    """Half-way along a chart is the middle of its axis: alpha = 0, beta = 0, epoch 3 of 6, half rolled back."""
    page.get_by_label("\u03b2", exact=True).fill("7")
    said, caption = page.locator(".lx-readout"), page.locator("figcaption").last
    answers = (
        (said, "\u03b1 = 0,", "\u03b1 = 0.571,"),
        (said, "\u03b2 = 0", "\u03b2 = 0.571"),
        (sentence(page, "Trajectory"), "epoch 3 of 6", "epoch 4 of 6"),
        (caption, "At \u22120.5: low layers 0.89", "At \u22120.25: low layers 0.895"),
    )
    charts = page.locator("figure canvas:visible").all()
    for chart, (said, at, then) in zip(charts, answers, strict=True):
        middle = CHART[0] + (chart.bounding_box()["width"] - sum(CHART)) / 2
        chart.click(position={"x": middle, "y": 80})
        expect(said).to_contain_text(at)
        chart.press("ArrowRight")
        expect(said).to_contain_text(then)


def test_zoom_by_wheel_buttons_and_keys(show):
    """The window is read from where the pointer is: the corner of the map is the corner of the window."""
    page = show(views(161))  # points are 0.05 apart
    canvas = first_map(page)

    def corner(x: float = LEFT + 1) -> list[float]:
        canvas.hover(position={"x": x, "y": TOP + 1})
        found = numbers(readout(page)[0].split(":", 1)[1])[:2]
        page.mouse.move(0, 0)
        return found

    press(page, "Neighbourhood")
    assert corner() == pytest.approx([0.5 - 1.2, 1.2], abs=0.05)
    zoomed = pixels(first_map(page))
    slide(page, "\u03b1", 160)  # the window follows the cursor
    assert corner()[0] == pytest.approx(4 - 2.4, abs=0.05)
    press(page, "Show all")
    assert corner() == pytest.approx([-4, 4], abs=0.05)
    assert np.abs(pixels(first_map(page)) - zoomed).mean() > 1
    press(page, "to the end")
    for closer in (lambda: canvas.press("+"), lambda: press(page, "Zoom in")):
        closer()
        assert corner() == pytest.approx([1 - 5 / 2, 4 / 2], abs=0.05)  # half of each way from the cursor
        canvas.press("0")
    canvas.hover(position={"x": LEFT + 1, "y": TOP + 1})
    page.mouse.wheel(0, -100)
    assert corner() == pytest.approx([-4, 4], abs=0.05)  # what was under the pointer stays there
    right = canvas.bounding_box()["width"] - RIGHT - 2
    assert corner(right)[0] == pytest.approx(2.4, abs=0.08)  # 0.8 of 8; the edge is 2 px away


def test_threshold_gives_width_and_area_of_the_region(show):
    """The level has 3 digits, and so have widths; rays and linear edges differ by the grid's step."""
    shown = views(41)[:2]
    page = show(shown)
    for step in (180, 220, 260):
        slide(page, "below", step)
        level, sentences = threshold(page)
        areas = []
        for said, view in zip(sentences, shown, strict=True):
            surface = view.surfaces["training"]
            of_region = numbers(said.split(": ", 1)[1].replace("\u03b1", ""))
            size, distance, low, high, area, area_in_space = of_region
            wide = width_below(surface, np.array([level]))
            wanted = region_around(surface)(np.array([level]))
            if wanted.bounded:
                assert area == pytest.approx(wanted.size[0], rel=0.05)
            assert ("at least" in said) == (not wide.bounded[0] or not wanted.bounded[0])
            assert size == pytest.approx(wide.size[0], rel=0.02)
            assert high - low == pytest.approx(size, rel=5.1e-3)
            assert distance == pytest.approx(2.5 * size, rel=0.01)
            assert area_in_space == pytest.approx(2.5**2 * 0.8 * area, rel=0.01)  # the cosine is 0.6
            areas.append(area)
        ratio = page.locator(".lx-answer").inner_text().split("MRPC, fine-tuned has ")[1]
        assert numbers(ratio)[0] == pytest.approx(areas[1] / areas[0], rel=0.06)  # 2 digits
    slide(page, "below", 0)
    assert "is not below" in threshold(page)[1][1]
    assert page.locator(".lx-answer").inner_text() == ""


@pytest.mark.parametrize("ends", [[(0.4, 0.3), (0.5, 0.9)], [(0.4, 2.9), (0.5, 0.6)]])
def test_the_first_threshold_outlines_something_in_every_view(show, ends):
    """The fine-tuned point is on the slope of a bowl that is a quarter deeper two steps away."""
    axis = np.linspace(-4, 4, 41)
    shown = []
    for layers, (end, rolled_back) in zip(("low layers", "high layers"), ends, strict=True):
        loss = np.minimum(end - 0.25 + (axis[:, None] + 2) ** 2 / 16 + axis**2 / 16, 3.0)
        places = {"fine-tuned": (0.0, end), "rolled back": (-1.0, rolled_back)}
        marks = {name: Mark(at, 0.0, value, 0.1, 0.01, 0.01) for name, (at, value) in places.items()}
        shown.append(View({"": scanned(41, 2.0, loss=loss, marks=marks)}, layers=layers))
    sizes = [numbers(said.split("region: ")[1])[0] for said in threshold(show(shown))[1]]
    assert len(sizes) == 2 and min(sizes) > 0


def test_area_is_of_the_basin_around_the_end_alone(show):
    """Two discs of radius r, 3 apart: one counts until they touch, at r = 1.5, and then both."""
    surface = scanned(81, 1.0)
    other = 0.2 + (surface.alpha[:, None] + 2) ** 2 + surface.beta**2
    loss = np.minimum(np.minimum(surface.loss, other), 8.0)
    page = show([View({"": scanned(81, 1.0, loss=loss)})])
    depth = 8.0 - loss.min()
    choose(page, "scale", "linear")
    for radius, discs in ((1.2, 1), (1.4, 1), (1.8, 2)):
        step = round(400 * radius**2 / depth)
        slide(page, "below", step)
        area = numbers(threshold(page)[1][0].split("region: ")[1])[0]
        lens = 2 * radius**2 * np.arccos(1.5 / radius) - 3 * np.sqrt(radius**2 - 1.5**2) if discs == 2 else 0
        # the lens is of the unrounded radius
        assert area == pytest.approx(discs * np.pi * step / 400 * depth - lens, rel=0.02)


def test_an_area_below_a_cell_of_the_grid_is_at_most_that(show):
    """Cells of 0.4 x 0.4: the bowl of radius 0.3 lies between the points, and the other one has 3 cells across."""
    axis = np.linspace(-4, 4, 21)
    loss = {r: np.minimum(0.2 + ((axis[:, None] - 1) ** 2 + axis**2) / r**2, 3.0) for r in (0.3, 1.2)}
    page = show([View({"": scanned(21, 1.0, loss=of)}, how=str(r)) for r, of in loss.items()])
    slide(page, "below", 60)
    small, large = threshold(page)[1]
    assert "area of the connected region: at most 0.16 (" in small and "at most" not in large
    assert " has at least " in page.locator(".lx-answer").inner_text()
    page = show([View({"": scanned(21, 1.0, loss=loss[0.3])}, how=how) for how in "ab"])
    slide(page, "below", 60)
    assert page.locator(".lx-answer").inner_text() == "", "of neither the grid tells how large it is"


def test_however_closely_one_looks_there_is_a_scale_and_beyond_a_scan_there_is_nothing(show):
    """Once closer alpha ends at 2.5, and the smaller scan at 1.5; a window of two steps holds two points or three."""
    wide, small = scanned(21, 2.0), scanned(21, 2.0)
    small.alpha[:], small.beta[:] = small.alpha * 3 / 8, small.beta * 3 / 8
    page = show([View({"": wide}, how="wide"), View({"": small}, how="small")])
    press(page, "Zoom in")
    assert patch(pixels(page.locator("canvas.lx-surface").last), 7.5, 4, 2).min() > 250  # paper
    for _ in range(6):
        press(page, "Zoom in")
        assert "not finite" not in first_map(page).get_attribute("aria-label")
    colours = pixels(first_map(page))[40:200, 100:300]
    assert np.ptp(colours, axis=(0, 1)).max() > 30  # and not one alone


def test_an_end_that_is_not_finite_has_no_region_and_a_surface_without_marks_a_neighbourhood(show):
    surface = scanned(9, 2.0)
    gone = {name: mark._replace(loss=np.nan) for name, mark in surface.marks.items()}
    page = show([View({"": scanned(9, 2.0, marks=gone)})])
    slide(page, "below", 300)
    assert "is not below" in threshold(page)[1][0]
    page = show([View({"": scanned(9, 2.0, marks={})})])
    press(page, "Neighbourhood")
    assert np.isfinite(numbers(readout(page)[0].split(":", 1)[1])[0])


def test_choices_change_the_view_and_looks_belong_to_the_training(page):
    """Solid is fine-tuned, dashed from scratch, on whichever side; two of a kind differ."""

    def strokes() -> dict[str, str]:
        settle(page)
        caption = page.locator("figcaption").first.inner_text().split("Along \u03b1. ")[1]
        return {part.split(": ")[1].split(" at ")[0]: part.split(": ")[0] for part in caption.split("; ")[:2]}

    before = pixels(first_map(page))
    assert strokes() == {"MRPC, from scratch": "dashed", "MRPC, fine-tuned": "solid"}
    choose(page, "quantity", "dev error")
    choose(page, "training", "fine-tuned")
    choose(page, "task", "RTE")
    assert strokes() == {"RTE, fine-tuned": "solid", "MRPC, fine-tuned": "dotted"}
    choose(page, "training (right)", "from scratch")
    assert strokes() == {"RTE, fine-tuned": "solid", "MRPC, from scratch": "dashed"}
    assert "dev error" in first_map(page).get_attribute("aria-label")
    choose(page, "scale", "logarithmic")
    page.get_by_label("one colour scale for a task").uncheck()
    assert np.abs(pixels(first_map(page)) - before).mean() > 1
    page.get_by_label("side by side").uncheck()
    assert len(readout(page)) == page.locator("canvas.lx-surface:visible").count() == 1


def test_colours_are_those_of_the_scale_and_what_is_not_finite_is_hatched(show):
    """The pixel at a grid point has the colour of its value on the figures' own colour map.

    32 stops of the map and 8 bits; bilinear values are higher on one side of the point, lower on the other.
    """
    surface = scanned(9, 2.0)
    surface.loss[4:6, 1:3] = np.nan
    page = show([View({"": surface})])
    choose(page, "scale", "linear")
    slide(page, "below", 0)
    shown = pixels(first_map(page))
    low, high = np.nanmin(surface.loss), np.nanmax(surface.loss)
    for i, j in [(1, 1), (7, 2), (2, 6), (7, 7)]:
        assert is_coloured(shown, i, j, COLOUR_MAPS["loss"]((surface.loss[i, j] - low) / (high - low)), 6)
    hole = patch(shown, 4.5, 1.5, 12)
    assert (hole.min(axis=1) > 245).any() and (hole.max(axis=1) < 90).any()  # paper and ink, no colour
    assert np.ptp(hole, axis=1).max() < 20


def test_relief_turns_by_mouse_and_keyboard(page):
    page.get_by_label("in three dimensions").check()
    canvas, before = first_map(page), pixels(first_map(page))
    way = {"source_position": {"x": 100, "y": 100}, "target_position": {"x": 160, "y": 130}}
    drag = partial(canvas.drag_to, canvas, **way)
    for turn in (partial(canvas.press, "ArrowRight"), partial(canvas.press, "ArrowUp"), drag):
        turn()
        assert np.abs(before - (before := pixels(first_map(page)))).mean() > 1


def test_trajectory_of_another_training_is_whole_and_moves_by_slider_and_projection(page):
    for how, last in (("fine-tuned", 3), ("from scratch", 6)):
        choose(page, "training", how)
        choose(page, "training (right)", how)
        assert f"epoch {last} of {last}" in text(page, "Trajectory")
    choose(page, "training (right)", "fine-tuned")
    slide(page, "epoch", 2)
    scratch, tuned = text(page, "Trajectory").splitlines()
    assert "epoch 2 of 6: \u03b1 = 0.333, \u03b2 = 0.222" in scratch
    assert "epoch 2 of 3: \u03b1 = 0.667, \u03b2 = 0.222; 50 % of the way" in tuned
    assert tuned.endswith("; training loss 3.")  # what the training recorded
    choose(page, "projection", "the paper's (Eq. 3\u20135)")
    assert "no trajectory" in text(page, "Trajectory").splitlines()[0]  # scratch came with one projection


def test_trajectory_plays_until_the_end_or_a_pause_and_not_where_motion_is_unwelcome(page):
    clock = "window.setInterval = f => (window.tick = f, 1); window.clearInterval = () => delete window.tick"
    page.evaluate(clock)
    slide(page, "epoch", 6)
    for button, ticks, epoch in [("Play", 0, 0), ("", 2, 2), ("Pause", 0, 2), ("Play", 3, 6)]:
        if button:
            page.get_by_role("button", name=button).press("Space")
        for _ in range(ticks):
            page.evaluate("tick()")
        expect(sentence(page, "Trajectory")).to_contain_text(f"epoch {epoch} of 6")
        assert page.evaluate("!window.tick") == (button == "Pause" or epoch == 6)
    page.emulate_media(reduced_motion="reduce")
    press(page, "Play")
    expect(sentence(page, "Trajectory")).to_contain_text("epoch 0 of 6")
    assert page.evaluate("!window.tick")


def test_rollbacks_that_were_not_scanned_say_so_and_tasks_without_them_have_no_sliders(page):
    for group in ("low layers", "middle layers", "high layers"):
        slide(page, group, 0)
    assert "not scanned" in text(page, "Roll layers back")
    choose(page, "task", "RTE")
    settle(page)
    assert not page.get_by_role("group", name="Roll layers back").is_visible()


def downloaded(page: Page, kind: str) -> bytes:
    with page.expect_download() as download:
        press(page, kind)
    return download.value.path().read_bytes()


def rows_of(page: Page) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(downloaded(page, "CSV").decode())))


def test_downloads(page):
    surface = scanned(15, 2.0)
    picture = Image.open(io.BytesIO(downloaded(page, "PNG")))
    assert min(picture.size) > 600
    assert len(picture.convert("RGB").getcolors(1 << 24)) > 1000
    svg = downloaded(page, "SVG").decode()
    assert svg.startswith("<svg") and "MRPC, fine-tuned" in svg
    rows = rows_of(page)
    grid = [r for r in rows if r["point"] == "grid" and r["training"] == "fine-tuned"]
    loss = np.array([float(r["training loss"]) for r in grid]).astype(np.float32)
    assert np.array_equal(loss, surface.loss.astype(np.float32).ravel())
    assert np.allclose([float(r["alpha"]) for r in grid], np.repeat(surface.alpha, 15), rtol=1e-8)
    paths = {f"epoch {e} ({of})" for of, last in (("plane", 6), ("paper", 3)) for e in range(last + 1)}
    assert {r["point"] for r in rows} == {"grid", "start", "end", "curve"} | paths
    (last,) = (r for r in rows if r["point"] == "epoch 3 (paper)")
    assert (last["alpha"], last["beta"], last["training loss"]) == ("1", "0", "4")
    page.get_by_label("in three dimensions").check()
    assert downloaded(page, "SVG").decode().count("<path") > 14 * 14


def test_curves_alone_have_a_width_too(show):
    lines = [View(curves=view.curves, how=view.how) for view in views(tasks=("MRPC",))]
    page = show(lines)
    slide(page, "below", 200)
    level, sentences = threshold(page)
    wanted = [width_below(view.curves["training"], np.array([level])).size[0] for view in lines]
    said = [numbers(s.split("point: ")[1])[0] for s in sentences]
    assert said == pytest.approx(wanted, rel=0.02)  # the level is printed to 3 digits


def test_ranks_of_training_loss_are_told_from_those_of_dev_error(show):
    """Of the points where both are finite; dev errors come in hundredths, so many are tied and share a mean rank.

    Equal ranks have the colour of the middle: from a peak to the middle a channel goes 200 steps in 55 pixels, and the
    place is within 2 pixels either way.
    """
    rng = np.random.default_rng(3)
    loss = rng.permuted(scanned(9, 2.0).loss)
    error = rng.integers(0, 40, (9, 9)) / 100
    loss[2, 3], loss[4, 5], error[8, 8] = np.nan, np.inf, np.nan
    page = show([View({"training": scanned(9, 2.0, loss=loss), "dev": scanned(9, 2.0, "dev", error=error)})])
    choose(page, "quantity", RANKS)
    found = np.array([float(row[RANKS]) for row in rows_of(page) if row["point"] == "grid"]).reshape(9, 9)
    both = np.isfinite(loss + error)
    first, second = (rankdata(values[both]) for values in (loss.astype(np.float32), error))
    assert np.allclose(found[both], (first - second) / (both.sum() - 1), atol=1e-8)  # written with 9 digits
    assert np.isnan(found[~both]).all()
    most = np.abs(found[both]).max()
    for place, words in ((np.nanargmax, "higher (worse) than"), (np.nanargmin, "lower (better) than")):
        i, j = np.unravel_index(place(found), found.shape)
        go(page, i, j)
        assert f"ranks this point {abs(found[i, j]):.2g} {words} dev error does" in readout(page)[0]
    assert not page.get_by_role("group", name="Threshold").is_visible()
    go(page, 2, 3)
    assert "cannot be ranked here" in readout(page)[0]
    shown = pixels(first_map(page))
    for i, j in ((1, 1), (3, 6), (6, 2)):
        assert is_coloured(shown, i, j, DIVERGING((1 + found[i, j] / most) / 2), 2 * 2 * 200 / 55)
    choose(page, "quantity", "training loss")
    assert "ranks this point" not in readout(page)[0]
    assert page.get_by_role("group", name="Threshold").is_visible()


def test_interpolated_points_say_so_and_marks_on_grid_points_are_named(show):
    bound = np.where(np.arange(81).reshape(9, 9) % 2, 0.03, 0.0)
    page = show([View({"": scanned(9, 2.0, loss_bound=bound)}, task="MRPC")])
    slide(page, "\u03b1", 4)
    assert "\u03b1 = 0, \u03b2 = 0 (start)" in readout(page)[0]
    slide(page, "\u03b2", 5)
    said = r"loss [\d.]+ \u00b1 [\d.]+ \(interpolated, within 0.03 nats\); error [\d.]+ \u00b1 [\d.]+ \(interpolated\)"
    assert re.search(said, readout(page)[0])
    slide(page, "\u03b2", 6)
    assert "interpolated" not in readout(page)[0]
    grid = [float(row["loss bound"]) for row in rows_of(page) if row["point"] == "grid"]
    assert grid == pytest.approx(bound.ravel().tolist())


@pytest.mark.parametrize("scale", ["linear", "logarithmic"])
def test_odd_surfaces_are_drawn_and_nothing_is_executed(show, scale):
    holes = scanned(9, 2.0).loss.copy()
    holes[0, :3], holes[5, 5] = np.nan, np.inf
    odd = {
        EVIL: scanned(9, 2.0, loss=holes),
        "row": scanned(9, 2.0, m=1),
        "flat": scanned(9, 2.0, loss=np.full((9, 9), 0.7)),
        "nothing": scanned(9, 2.0, loss=np.full((9, 9), np.nan)),
    }
    page = show([View({EVIL: surface}, task=name) for name, surface in odd.items()])
    choose(page, "scale", scale)
    for name, count in [("row", 0), ("flat", 0), ("nothing", 81), (EVIL, 4)]:
        choose(page, "task", name)
        for relief in (True, False):
            page.get_by_label("in three dimensions").set_checked(relief)
            settle(page)
        note = page.locator(".lx-note").first.inner_text()
        assert (f"{count} of {odd[name].loss.size} points are not finite" in note) == (count > 0)
        assert readout(page)[0].startswith(f"{name}: ")
    for kind in ("SVG", "PNG", "CSV"):
        assert "<script" not in downloaded(page, kind).decode("latin1") or kind == "CSV"
    go(page, 0, 0)
    assert "not finite" in readout(page)[0]


DARK = {"color_scheme": "dark"}, {"attributes": 'data-theme="dark"'}


@pytest.mark.parametrize("settings", [{}, {"viewport": {"width": 360, "height": 740}}, *DARK])
def test_accessible_also_by_tab_and_fits(show, settings):
    page = show(views(), (cube(),), **settings)
    if settings in DARK:
        page.add_style_tag(content="body { background: #121212; color: #eee }")
    found = Axe().run(page).response
    assert len(found["passes"]) > 10
    assert [v["id"] for v in found["violations"] if v["impact"] in ("serious", "critical")] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    kinds = ".lx select:visible, .lx input:visible:enabled, .lx button:visible, .lx canvas:visible"
    seen = set()
    reachable = page.locator(kinds).count()
    for _ in range(reachable):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("[...document.querySelectorAll('*')].indexOf(document.activeElement)"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert len(seen) == reachable


def test_the_maps_stand_level_and_choices_do_not_wrap(show):
    page = show(views(tasks=("MNLI-like (generated)", "RTE-like (generated)")))
    for width in (700, 768, 1000, 1440, 1900):
        page.set_viewport_size({"width": width, "height": 900})
        settle(page)
        left, right = (canvas.bounding_box() for canvas in page.locator("canvas.lx-surface").all())
        assert (left["y"], left["height"]) == (right["y"], right["height"])
        for side in page.locator(".lx-panel").all():
            boxes = [select.bounding_box() for select in side.locator("select:visible").all()]
            assert len({box["x"] for box in boxes}) == len({box["width"] for box in boxes}) == 1


def test_on_a_phone_the_readout_is_in_sight_while_pointing(show):
    page = show(views(), viewport={"width": 390, "height": 700}, has_touch=True, is_mobile=True)
    for canvas in page.locator("canvas.lx-surface, figure canvas").filter(visible=True).all():
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        page.touchscreen.tap(box["x"] + box["width"] / 2, box["y"] + 30)
        expect(page.locator(".lx-readout")).to_be_in_viewport(ratio=1)


def test_a_sentence_of_the_page_sets_the_explorer(page):
    link = show_me("show <me>", task="rte", how="pretrained", quantity="dev error", alpha=1, beta=0, epoch=2)
    page.evaluate("link => document.querySelector('h1').insertAdjacentHTML('afterend', link)", link)
    page.get_by_role("link", name="show <me>").press("Enter")
    assert [said.split(": ")[0] for said in readout(page)] == ["RTE, from scratch", "RTE, fine-tuned"]
    assert all("(end)" in said for said in readout(page))
    expect(page.get_by_label("quantity", exact=True)).to_have_value("dev error")
    assert "epoch 2 of 6" in text(page, "Trajectory")
    expect(first_map(page)).to_be_focused()
