"""Figures are read back from matplotlib's own objects: what is drawn where, in which colour, with which words."""

from __future__ import annotations

import io
import itertools
import re
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pytest
from explored import HUNG, settle
from matplotlib.colors import LogNorm, to_rgb
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from PIL import Image
from synthetic import curve_of, run_of, surface_of, trajectory_of

from landscape_utils.errors import UserError
from landscape_utils.figures import plots
from landscape_utils.figures.drawing import colour_scale, draw_points
from landscape_utils.figures.ladder import VERDICTS
from landscape_utils.figures.notes import sample_note
from landscape_utils.figures.style import (
    CHALK,
    COLOUR_MAPS,
    INK,
    MUTED,
    ON_DARK,
    PAPER,
    ink_on,
    luminance,
    save,
)
from landscape_utils.landscape.rollback import Rollback

HOSTILE = "<script>alert('$x_')</script> & \"β\""
HOWS = ("scratch", "pretrained")


def bowl(steep):
    return lambda x, y=0.0: 0.1 + steep * ((x - 1) ** 2 + y**2) / 2


def grid(*names, points=15, **changes):
    return {
        name: {how: surface_of(bowl(1 + i), points, **changes) for i, how in enumerate(HOWS)}
        for name in names
    }


def one_of_each(heading: str) -> list[Figure]:
    """Maps of loss and of error, curves and histories."""
    return [
        plots.surface_grid(grid(heading)),
        plots.surface_grid(grid(heading), value="error"),
        plots.curves({heading: {"scratch": curve_of(bowl(1))}}),
        plots.loss_histories({heading: {"scratch": [run_of(lambda epoch: 1 / epoch)]}}),
    ]


def words(figure) -> str:
    """All text of a figure that can be drawn: it is drawn first, and a name taken for mathematics fails there."""
    figure.savefig(io.BytesIO(), format="svg")
    return "\n".join(text.get_text() for text in figure.findobj(Text))


def contours(axis) -> tuple[QuadContourSet, QuadContourSet]:
    """The filled and the labelled contours of a panel."""
    sets = [artist for artist in axis.get_children() if isinstance(artist, QuadContourSet)]
    return next(s for s in sets if s.filled), next(s for s in sets if not s.filled)


def test_alpha_runs_to_the_right():
    """Lines of equal loss of f(alpha, beta) = alpha + 5 stand upright, each at its alpha."""
    surface = surface_of(lambda x, y: x + 5, points=15)
    figure = plots.surface_grid({"MRPC": {"scratch": surface}}, log=False)
    _, lines = contours(figure.axes[0])
    assert len(lines.levels) > 2
    for level, path in zip(lines.levels, lines.get_paths(), strict=True):
        np.testing.assert_allclose(path.vertices[:, 0], level - 5, atol=1e-9)


def test_marks_stand_at_their_own_places():
    """The end (1, 0) is no point of a grid of 15 over [-4, 4], and is not moved to one."""
    figure = plots.surface_grid(grid("MRPC"))
    drawn = {
        (float(x), float(y)) for line in figure.axes[0].lines for x, y in zip(*line.get_data(), strict=True)
    }
    assert {(0.0, 0.0), (1.0, 0.0)} <= drawn
    assert words(figure).count("start") == words(figure).count("end") == 1  # in the first panel


@pytest.mark.parametrize("middle", [(1.0, 0.0), (0.5, -0.4), (1.5, 0.4)])
def test_labels_of_lines_keep_off_all_else(middle):
    """Rings around the end, the path and the end's name; a star reaches 5 points beyond the path."""
    rings = surface_of(lambda x, y: 0.1 + 1.5 * np.hypot(x - middle[0], y - middle[1]), 161)
    path = trajectory_of([0, 0.5, 1], [0, -0.4, 0])
    figure = plots.surface_grid({"": {"scratch": rings}}, log=True, trajectories={"": {"scratch": path}})
    axis = figure.axes[0]
    boxes = [text.get_window_extent() for text in axis.texts]
    labels = [box for box, text in zip(boxes, axis.texts, strict=True) if text.get_text()[0].isdigit()]
    assert labels
    assert sum(a.overlaps(b) for a, b in itertools.combinations(boxes, 2)) == 0
    alpha = np.linspace(0, 1, 99)
    way = axis.transData.transform(np.c_[alpha, np.interp(alpha, [0, 0.5, 1], [0, -0.4, 0])])
    assert not any(box.padded(5 / 72 * figure.dpi).count_contains(way) for box in labels)


def test_a_heading_shares_its_colour_scale_and_headings_do_not():
    surfaces = grid("MNLI", "RTE")
    surfaces["RTE"] = {how: surface_of(bowl(50), 15) for how in HOWS}
    figure = plots.surface_grid(surfaces)
    a, b, c, d = (contours(axis)[0].norm for axis in figure.axes[:4])  # from scratch above, fine-tuned below
    assert (a.vmin, a.vmax) == (c.vmin, c.vmax) != (b.vmin, b.vmax) == (d.vmin, d.vmax)
    figure = plots.surface_grid(surfaces, share="all")
    assert len({contours(axis)[0].norm.vmax for axis in figure.axes[:4]}) == 1


def test_scale_is_logarithmic_where_losses_span_decades():
    narrow, wide = surface_of(lambda x, y: 2 + x / 4, 5), surface_of(lambda x, y: np.exp(x), 5)
    assert not isinstance(colour_scale([narrow]).norm, LogNorm)
    assert isinstance(colour_scale([narrow, wide]).norm, LogNorm)
    assert not isinstance(colour_scale([wide], log=False).norm, LogNorm)
    assert not isinstance(colour_scale([wide], "error").norm, LogNorm)
    with pytest.raises(UserError, match="above 0; the lowest is -1"):
        colour_scale([surface_of(lambda x, y: x / 4, 5)], log=True)


def test_scale_spans_all_finite_values_and_no_more():
    surface = surface_of(bowl(3.0), 15)
    surface.loss[0, 0], surface.loss[3, 3] = np.inf, np.nan
    scale = colour_scale([surface])
    finite = surface.loss[np.isfinite(surface.loss)]
    assert (scale.levels[0], scale.levels[-1]) == (finite.min(), finite.max())
    assert ((scale.lines > finite.min()) & (scale.lines < finite.max())).all()


def test_cells_that_are_not_finite_are_hatched_and_counted():
    surfaces = grid("MRPC")
    surfaces["MRPC"]["scratch"].loss[:2, :2] = np.nan
    surfaces["MRPC"]["scratch"].loss[-1, -1] = np.inf
    figure = plots.surface_grid(surfaces)
    assert [axis.patch.get_hatch() is not None for axis in figure.axes[:2]] == [True, False]
    filled = contours(figure.axes[0])[0]
    assert not any(path.contains_point((-3.9, -3.9)) for path in filled.get_paths())
    assert "Hatched: 5 cells" in words(figure)


@pytest.mark.parametrize("loss", [0.7, 0.0, np.nan])
def test_equal_values_everywhere_can_be_drawn(loss):
    surface = surface_of(lambda x, y: np.array(0.5), 5)
    surface.loss[:] = loss
    assert "start" in words(plots.surface_grid({"MRPC": {"scratch": surface}}))


def test_one_row_is_refused_in_a_line():
    surface = surface_of(bowl(1.0), 2)
    for name in ("loss", "error", "loss_stderr", "error_stderr", "alpha"):
        object.__setattr__(surface, name, getattr(surface, name)[:1])
    with pytest.raises(UserError, match="1 x 2 points cannot be drawn"):
        plots.surface_grid({"MRPC": {"scratch": surface}})


def test_note_tells_examples_points_and_standard_error():
    surfaces = [surface_of(bowl(1.0), 15, loss_stderr=np.full((15, 15), s)) for s in (0.25, np.inf)]
    note = sample_note(surfaces)
    assert "128 examples, 15 x 15 points, float32" in note
    assert "at most 0.25 nats" in note
    assert "interpolated" not in note
    object.__setattr__(surfaces[0], "computed", np.arange(225).reshape(15, 15) % 5 == 0)
    object.__setattr__(surfaces[0], "loss_bound", np.full((15, 15), 0.03))
    assert "; the rest interpolated, within 0.03 nats." in sample_note(surfaces[:1])
    assert "Hatched" not in note


def test_trajectory_is_drawn_whole_also_where_it_leaves_the_scan():
    path = trajectory_of([0, 2, 5], [0, -6, 0])
    figure = plots.surface_grid(
        {"MRPC": {"scratch": surface_of(bowl(1.0), 5)}}, trajectories={"MRPC": {"scratch": path}}
    )
    axis = figure.axes[0]
    assert any(np.array_equal(line.get_xydata(), np.c_[path.alpha, path.beta]) for line in axis.lines)
    assert axis.get_xlim()[1] > 5
    assert axis.get_ylim()[0] < -6


def test_window_shows_the_computed_points_on_a_scale_of_its_own():
    surfaces = grid("MRPC")
    figure = plots.surface_grid(surfaces, window=1.2, points=True)
    axis = figure.axes[0]
    assert axis.get_xlim() == pytest.approx((-0.7, 1.7))
    near = 6 * 7  # points 4/7 apart, within 1.2 and one step of (0.5, 0)
    assert any(len(points.get_offsets()) == near for points in axis.collections)
    assert contours(axis)[0].norm.vmax < surfaces["MRPC"]["pretrained"].loss.max() / 4


def test_points_are_those_that_were_computed():
    computed = np.eye(3, 2) > 0
    axis = Figure().subplots()
    draw_points(axis, SimpleNamespace(alpha=np.arange(3), beta=np.array([5, 6]), computed=computed))
    assert axis.collections[0].get_offsets().tolist() == [[0, 5], [1, 6]]


def test_curves_in_alpha_and_in_distance():
    curves = {"RTE": {"scratch": curve_of(bowl(4), norm=6.0), "pretrained": curve_of(bowl(1), norm=2.0)}}
    axis = plots.curves(curves).axes[0]
    lines = {line.get_label(): line for line in axis.lines}
    scanned = curves["RTE"]["pretrained"].alpha
    np.testing.assert_array_equal(lines["fine-tuned"].get_xdata(), np.union1d(scanned, [0.0, 1.0]))
    assert lines["fine-tuned"].get_linestyle() == "-"
    assert lines["from scratch"].is_dashed()
    axis = plots.curves(curves, against="distance").axes[0]
    lines = {line.get_label(): line for line in axis.lines}
    np.testing.assert_allclose(lines["from scratch"].get_xdata()[[0, -1]], [-30, 18])
    assert axis.get_xlim() == pytest.approx((-10, 6))  # all of the shorter curve


def test_histories_draw_every_step_and_name_runs_that_did_not_learn():
    learned = [run_of(lambda epoch: np.exp(-epoch), seed=seed) for seed in (0, 1)]
    stuck = [run_of(lambda epoch: 0.7, dev_accuracy=np.full(5, 0.5))]
    figure = plots.loss_histories({"RTE": {"scratch": stuck, "pretrained": learned}})
    assert sum(len(line.get_xdata()) for line in figure.axes[0].lines) == 3 * 80 + 2 * 80
    assert "At most 2 points above the largest class on dev: RTE from scratch." in words(figure)
    assert "Seeds: 1 or 2." in words(figure)


def test_overfitting_starts_the_further_epochs_where_the_first_ended():
    first = run_of(lambda e: 1 / e)
    further = run_of(lambda e: 0.1, epochs=6, dev_accuracy=np.linspace(0.9, 0.8, 7))
    path = trajectory_of(np.linspace(0, 1.5, 11), np.linspace(0, 0.2, 11))
    figure = plots.overfitting(surface_of(bowl(1.0), 15), path, first, further)
    before, after = figure.axes[2].lines
    assert (before.get_xdata()[-1], after.get_xdata()[0], after.get_xdata()[-1]) == (4, 4, 10)
    np.testing.assert_allclose(after.get_ydata(), 1 - further.dev_accuracy)


def test_rollback_bars_have_their_heights_and_the_papers_diamonds():
    groups = {"low": 0.88, "middle": 0.8, "high": 0.6}
    found = Rollback(400, 0.9, 0.01, groups, dict.fromkeys(groups, 0.02), {}, {})
    theirs = {"MRPC": {"fine-tuned": 90.2, "low": 87.99, "middle": 80.15, "high": 78.17}}
    axis = plots.rollback_bars({"MRPC": found, "mine": found}, theirs).axes[0]
    heights = [bar.get_height() for bar in axis.patches]
    assert heights == pytest.approx([0.9, 0.9, 0.88, 0.88, 0.8, 0.8, 0.6, 0.6])
    diamonds = [y for line in axis.lines if line.get_marker() == "D" for y in line.get_ydata()]
    assert diamonds == pytest.approx([0.902, 0.8799, 0.8015, 0.7817])


def test_headings_are_words_and_nothing_else():
    """Neither mathematics nor markup in a name is carried out."""
    for figure in one_of_each(HOSTILE):
        assert HOSTILE in words(figure)
        assert not any(text.get_parse_math() for text in figure.findobj(Text) if HOSTILE in text.get_text())


@pytest.mark.parametrize("colour", [INK, MUTED, *VERDICTS.values()])
def test_what_is_written_can_be_read_on_a_dark_page(colour):
    """4.5 is what WCAG 2 asks of small letters."""
    ground, letters = (luminance(to_rgb(ON_DARK[c])) + 0.05 for c in (PAPER, colour))
    assert letters / ground >= 4.5


def test_a_figure_follows_the_scheme_that_its_page_gives_it(browser, tmp_path):
    """The ground turns dark, the map keeps its colours; a figure made twice is the same file, down to its bytes."""
    files = tmp_path / "figure.svg", tmp_path / "again.svg"
    for file in files:
        save(plots.surface_grid({"MRPC": {"scratch": surface_of(bowl(1.0), 15)}}), file)
    assert files[0].read_bytes() == files[1].read_bytes()
    page, shown = browser.new_page(), {}
    page.set_default_timeout(HUNG)
    (tmp_path / "page.html").write_text('<body style="margin: 0"><img src="figure.svg">')
    page.goto((tmp_path / "page.html").as_uri())
    for scheme in ("light", "dark"):
        page.evaluate("scheme => (document.querySelector('img').style.colorScheme = scheme)", scheme)
        settle(page)
        shown[scheme] = Image.open(io.BytesIO(page.locator("img").screenshot())).convert("RGB")
    page.close()
    assert shown["light"].getpixel((2, 2)) == (255, 255, 255)
    assert shown["dark"].getpixel((2, 2)) == (0x12, 0x12, 0x12)
    inside = [np.asarray(picture)[100:160, 100:160].reshape(-1, 3) for picture in shown.values()]
    light, dark = (np.median(pixels, axis=0) for pixels in inside)  # of the map, not of a line or a label
    assert np.array_equal(light, dark)
    assert np.ptp(light) > 20  # colours, not paper


@pytest.mark.parametrize("name", ["loss", "error"])
def test_colour_maps_survive_grey_print(name):
    """Luminance rises with every step, so that the order of the values is that of the greys."""
    rgb = COLOUR_MAPS[name](np.linspace(0, 1, 64))[:, :3]
    grey = rgb @ [0.2126, 0.7152, 0.0722]
    assert (np.diff(grey) > 0).all()
    assert grey[0] < 0.15 < 0.8 < grey[-1]
    assert [ink_on(rgb[0]), ink_on(rgb[-1])] == [CHALK, "black"]


def test_figures_keep_the_readers_style():
    before = dict(mpl.rcParams)
    words(plots.surface_grid(grid("MNLI", "RTE")))
    assert dict(mpl.rcParams) == before


def test_scans_of_a_training_that_did_not_learn_say_so():
    stuck, fine = surface_of(bowl(1.0), 9, learned=False), surface_of(bowl(1.0), 9)
    of = {"RTE": {"scratch": stuck, "pretrained": fine}, "MRPC": {"scratch": fine, "pretrained": fine}}
    assert "At most 2 points above the largest class on dev: RTE from scratch." in words(
        plots.surface_grid(of)
    )
    line = curve_of(bowl(1.0), learned=False)
    said = words(plots.curves({"RTE": {"mine": line}}))
    assert "At most 2 points above the largest class on dev: RTE mine." in said
    assert "No better" not in words(plots.curves({"MRPC": {"pretrained": curve_of(bowl(1.0))}}))


@pytest.mark.parametrize("columns", [4, 2])
def test_tasks_are_columns_from_scratch_above(columns):
    """Each panel is known by the name of the only mark in it; the longest headings have room beside one another."""
    tasks = [f"{name}-like (generated)" for name in ("MNLI", "RTE", "SST-2", "MRPC")]
    surfaces = {
        task: {how: surface_of(bowl(1.0), 9, places={f"{task[:3]} {how}": (1.0, 0.0)}) for how in HOWS}
        for task in tasks
    }
    figure = plots.surface_grid(surfaces, columns=columns, share="all")
    words(figure)  # it is drawn
    titles = [axis.title.get_window_extent() for axis in figure.axes if axis.get_title()]
    assert len(titles) == 4
    assert not any(a.overlaps(b) for a, b in itertools.combinations(titles, 2))
    at = {text.get_text(): axis.get_position() for axis in figure.axes[:8] for text in axis.texts}
    for task in ("MNL", "RTE", "SST", "MRP"):
        assert at[f"{task} scratch"].x0 == pytest.approx(at[f"{task} pretrained"].x0)
        assert at[f"{task} scratch"].y0 > at[f"{task} pretrained"].y0
    below = at["MRP scratch"].y0 < at["MNL pretrained"].y0
    assert below == (columns == 2)


def test_trainings_have_names_and_looks_of_their_own():
    names = ("adam", "sgd", "lion")
    lines = plots.curves({"RTE": {name: curve_of(bowl(1.0)) for name in names}}).axes[0].lines
    shown = {line.get_label(): (line.get_color(), line.get_linestyle()) for line in lines}
    assert len({shown[name] for name in names}) == 3
    paths = {name: trajectory_of([0, 1], [0, k]) for k, name in enumerate(names)}
    figure = plots.surface_grid({"RTE": {"": surface_of(bowl(1.0), 9)}}, trajectories={"RTE": {"": paths}})
    drawn = {line.get_label(): line.get_ydata()[-1] for line in figure.axes[0].lines}
    assert {name: drawn[name] for name in names} == {"adam": 0, "sgd": 1, "lion": 2}


def test_a_figure_is_of_vectors_with_fonts_embedded_at_its_width(tmp_path):
    """760 pixels of a page are 570 points. Publishers refuse Type 3; a FontFile2 is an embedded TrueType font."""
    for figure in one_of_each("MRPC"):
        save(figure, tmp_path / "figure.pdf", bbox_inches="tight")  # as a notebook shows it
        content = (tmp_path / "figure.pdf").read_bytes()
        (width,) = re.findall(rb"/MediaBox \[ 0 0 (\S+) ", content)
        assert 570 <= float(width) <= 590
        assert b"/FontFile2" in content
        assert b"/Type3" not in content
        pixels = figure.findobj(lambda artist: artist.get_rasterized())
        assert (b"/Subtype /Image" in content) == bool(pixels)
        assert all(p.axes.get_label() == "<colorbar>" or isinstance(p, Line2D) for p in pixels)
        assert min(text.get_fontsize() for text in figure.findobj(Text) if text.get_text()) >= 9
