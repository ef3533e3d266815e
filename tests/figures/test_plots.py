"""Figures are read back from matplotlib's own objects: what is drawn where, in which colour, with which words."""

import io
import itertools
from dataclasses import replace

import numpy as np
import pytest
from explored import scanned
from matplotlib.colors import LogNorm
from matplotlib.contour import QuadContourSet
from matplotlib.text import Text
from synthetic import curve_of, run_of, surface_of, trajectory_of

from landscape_utils.claims.paper import TABLE_1
from landscape_utils.errors import UserError
from landscape_utils.figures import plots
from landscape_utils.figures.drawing import colour_scale
from landscape_utils.figures.notes import sample_note
from landscape_utils.landscape.rollback import Rollback

HOWS = ("scratch", "pretrained")
STUCK = "Hardly learned (on the dev set at most 2 points above always naming the largest class): RTE from scratch."


def bowl(steep=1.0):
    return lambda x, y=0.0: 0.1 + steep * ((x - 1) ** 2 + y**2) / 2


def grid(*names):
    return {name: {how: surface_of(bowl(1 + i), 15) for i, how in enumerate(HOWS)} for name in names}


def one_map(surface, path=None, **options):
    """A figure of one map, and its panel."""
    paths = path and {"MRPC": {"scratch": path}}
    figure = plots.surface_grid({"MRPC": {"scratch": surface}}, trajectories=paths, **options)
    return figure, figure.axes[0]


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
    _, lines = contours(one_map(surface_of(lambda x, y: x + 5, 15), log=False)[1])
    assert len(lines.levels) > 2
    for level, path in zip(lines.levels, lines.get_paths(), strict=True):
        np.testing.assert_allclose(path.vertices[:, 0], level - 5, atol=1e-9)


@pytest.mark.parametrize("middle", [(1.0, 0.0), (0.5, -0.4), (1.5, 0.4)])
def test_labels_of_lines_keep_off_all_else(middle):
    """Rings around the end, the path and the end's name; a star reaches 5 points beyond the path."""
    rings = surface_of(lambda x, y: 0.1 + 1.5 * np.hypot(x - middle[0], y - middle[1]), 161)
    figure, axis = one_map(rings, trajectory_of([0, 0.5, 1], [0, -0.4, 0]), log=True)
    boxes = [text.get_window_extent() for text in axis.texts]
    labels = [box for box, text in zip(boxes, axis.texts, strict=True) if text.get_text()[0].isdigit()]
    assert labels
    assert sum(a.overlaps(b) for a, b in itertools.combinations(boxes, 2)) == 0
    alpha = np.linspace(0, 1, 99)
    way = axis.transData.transform(np.c_[alpha, np.interp(alpha, [0, 0.5, 1], [0, -0.4, 0])])
    assert not any(box.padded(5 / 72 * figure.dpi).count_contains(way) for box in labels)


def test_a_heading_shares_its_colour_scale_and_headings_do_not():
    surfaces = grid("MNLI") | {"RTE": {how: surface_of(bowl(50), 15) for how in HOWS}}
    figure = plots.surface_grid(surfaces)
    a, b, c, d = (contours(axis)[0].norm for axis in figure.axes[:4])  # from scratch above, fine-tuned below
    assert (a.vmin, a.vmax) == (c.vmin, c.vmax) != (b.vmin, b.vmax) == (d.vmin, d.vmax)
    one = plots.surface_grid(surfaces, share="all")
    bars = ([axis.get_label() for axis in of.axes].count("<colorbar>") for of in (figure, one))
    assert [*bars] == [2, 1]
    assert len({contours(axis)[0].norm.vmax for axis in one.axes[:4]}) == 1


def test_scale_is_logarithmic_where_losses_span_decades():
    """From 1 to 10, from e^-4 to e^4, from -1 to 1."""
    narrow, wide = surface_of(lambda x, y: 5.5 + 4.5 * x / 4, 5), surface_of(lambda x, y: np.exp(x), 5)
    below = surface_of(lambda x, y: x / 4, 5)
    scales = colour_scale([narrow]), colour_scale([narrow, wide]), colour_scale([wide, below])
    scales += colour_scale([wide], log=False), colour_scale([wide], "error")
    assert [isinstance(scale.norm, LogNorm) for scale in scales] == [False, True, False, False, False]
    with pytest.raises(UserError, match="above 0; the lowest is -1"):
        colour_scale([below], log=True)


def test_marks_stand_at_their_own_places_and_cells_that_are_not_finite_are_hatched_and_outside_the_scale():
    """The end (1, 0) is no point of a grid of 15 over [-4, 4], and is not moved; names are in the first panel."""
    surfaces = grid("MRPC")
    loss = surfaces["MRPC"]["scratch"].loss
    loss[:2, :2], loss[-1, -1] = np.nan, np.inf
    figure = plots.surface_grid(surfaces)
    drawn = {tuple(place) for line in figure.axes[0].lines for place in line.get_xydata().tolist()}
    assert {(0.0, 0.0), (1.0, 0.0)} <= drawn
    assert words(figure).count("start") == words(figure).count("end") == 1
    assert [axis.patch.get_hatch() is not None for axis in figure.axes[:2]] == [True, False]
    filled = contours(figure.axes[0])[0]
    assert not any(path.contains_point((-3.9, -3.9)) for path in filled.get_paths())
    assert "Hatched: 5 cells" in words(figure)
    scale, finite = colour_scale([surfaces["MRPC"]["scratch"]]), loss[np.isfinite(loss)]
    assert (scale.levels[0], scale.levels[-1]) == (finite.min(), finite.max())
    assert ((scale.lines > finite.min()) & (scale.lines < finite.max())).all()


@pytest.mark.parametrize("loss", [0.7, 0.0, np.nan])
def test_equal_values_everywhere_can_be_drawn_and_one_row_is_refused_in_a_line(loss):
    assert "start" in words(one_map(scanned(5, 1.0, loss=np.full((5, 5), loss)))[0])
    with pytest.raises(UserError, match="2 x 1 points cannot be drawn"):
        one_map(scanned(2, 1.0, m=1))


def test_note_tells_examples_points_and_standard_error():
    surfaces = [surface_of(bowl(), 15, loss_stderr=np.full((15, 15), s)) for s in (0.25, np.inf)]
    said = "128 examples, 15 x 15 points, float32; standard error of a point at most 0.25 nats."
    assert sample_note(surfaces) == said
    computed = np.arange(225).reshape(15, 15) % 5 == 0
    bound = np.where(computed, 0.0, 0.03)
    bound[0, 1:3] = np.inf, 0.2  # infinite within a region that is not finite
    partly = replace(surfaces[0], computed=computed, loss_bound=bound)
    assert (
        sample_note([partly])
        == f"{said} Computed: 20 %; the rest interpolated, half of it within 0.03 nats, all within 0.2 nats."
    )


def test_trajectory_is_drawn_whole_also_where_it_leaves_the_scan():
    path = trajectory_of([0, 2, 5], [0, -6, 0])
    _, axis = one_map(surface_of(bowl(), 5), path)
    assert any(np.array_equal(line.get_xydata(), np.c_[path.alpha, path.beta]) for line in axis.lines)
    assert axis.get_xlim()[1] > 5 and axis.get_ylim()[0] < -6


def test_window_shows_the_computed_points_on_a_scale_of_its_own():
    """Points are 4/7 apart; shown are those within 1.2 and one step of (0.5, 0)."""
    computed = np.random.default_rng(0).random((15, 15)) < 0.5
    surface = surface_of(bowl(2), 15, computed=computed)
    figure, axis = one_map(surface, window=1.2, points=True)
    assert axis.get_xlim() == pytest.approx((-0.7, 1.7))
    places = np.stack(np.meshgrid(surface.alpha, surface.beta, indexing="ij"), axis=-1)
    near = (np.abs(places - [0.5, 0]) <= 1.2 + 4 / 7).all(axis=-1)
    dots = [points.get_offsets() for points in axis.collections if not isinstance(points, QuadContourSet)]
    assert np.array_equal(dots, [places[near & computed]])
    assert contours(axis)[0].norm.vmax < surface.loss.max() / 4
    assert f"{near.any(axis=1).sum()} x {near.any(axis=0).sum()} points" in words(figure)


def test_curves_in_alpha_and_in_distance():
    curves = {"RTE": {"scratch": curve_of(bowl(4), norm=6.0), "pretrained": curve_of(bowl(), norm=2.0)}}
    lines = {line.get_label(): line for line in plots.curves(curves).axes[0].lines}
    places = np.union1d(curves["RTE"]["pretrained"].alpha, [0.0, 1.0])
    assert np.array_equal(lines["fine-tuned"].get_xdata(), places)
    assert [lines[name].is_dashed() for name in ("fine-tuned", "from scratch")] == [False, True]
    axis = plots.curves(curves, against="distance").axes[0]
    (scratch,) = (line for line in axis.lines if line.get_label() == "from scratch")
    assert scratch.get_xdata()[[0, -1]] == pytest.approx([-30, 18])
    assert axis.get_xlim() == pytest.approx((-10, 6))  # all of the shorter curve


def test_histories_draw_every_step():
    learned = [run_of(lambda epoch: np.exp(-epoch), seed=seed) for seed in (0, 1)]
    stuck = [run_of(lambda epoch: 0.7, dev_accuracy=np.full(5, 0.5))]
    figure = plots.loss_histories({"RTE": {"scratch": stuck, "pretrained": learned}})
    assert sum(len(line.get_xdata()) for line in figure.axes[0].lines) == 3 * 80 + 2 * 80
    assert f"Seeds: 1 or 2. {STUCK}" in words(figure)


@pytest.mark.parametrize(("of", "draw"), [(surface_of, plots.surface_grid), (curve_of, plots.curves)])
def test_scans_of_a_training_that_did_not_learn_say_so(of, draw):
    stuck, fine = of(bowl(), 9, learned=False), of(bowl(), 9)
    both = {"RTE": {"scratch": stuck, "pretrained": fine}, "MRPC": {"scratch": fine, "pretrained": fine}}
    assert words(draw(both)).count(STUCK) == 1
    assert "At most 2 points above" not in words(draw({"RTE": {"mine": fine}}))


def test_overfitting_starts_the_further_epochs_where_the_first_ended():
    further = run_of(lambda e: 0.1, epochs=6, dev_accuracy=np.linspace(0.9, 0.8, 7))
    path = trajectory_of(np.linspace(0, 1.5, 11), np.linspace(0, 0.2, 11))
    figure = plots.overfitting(surface_of(bowl(), 15), path, run_of(lambda e: 1 / e), further)
    before, after = figure.axes[2].lines
    assert (before.get_xdata()[-1], after.get_xdata()[0], after.get_xdata()[-1]) == (4, 4, 10)
    np.testing.assert_allclose(after.get_ydata(), 1 - further.dev_accuracy)


def test_rollback_bars_have_their_heights_and_the_papers_diamonds():
    groups = {"low": 0.88, "middle": 0.8, "high": 0.6}
    found = Rollback(400, 0.9, 0.01, groups, dict.fromkeys(groups, 0.02), {}, {})
    axis = plots.rollback_bars({"MRPC": found, "mine": found}, {"MRPC": TABLE_1["mrpc"]}).axes[0]
    assert [bar.get_height() for bar in axis.patches] == pytest.approx(np.repeat([0.9, 0.88, 0.8, 0.6], 2))
    whiskers = [np.ptp(y) for lines in axis.collections for _, y in map(np.transpose, lines.get_segments())]
    assert whiskers == pytest.approx(np.repeat([0.04, 0.08, 0.08, 0.08], 2)), "2 errors each way"
    diamonds = [y for line in axis.lines if line.get_marker() == "D" for y in line.get_ydata()]
    assert diamonds == pytest.approx([0.902, 0.8799, 0.8015, 0.7817])


@pytest.mark.parametrize("columns", [4, 2])
def test_tasks_are_columns_from_scratch_above(columns):
    """Each panel is known by the name of the only mark in it; the longest headings have room beside one another."""
    tasks = ("MNLI", "RTE", "SST-2", "MRPC")
    surfaces = {}
    for task in tasks:
        own = {how: surface_of(bowl(), 9, places={f"{task} {how}": (1.0, 0.0)}) for how in HOWS}
        surfaces[f"{task}-like (generated)"] = own
    figure = plots.surface_grid(surfaces, columns=columns, share="all")
    titles = [axis.title.get_window_extent() for axis in figure.axes if axis.get_title()]
    assert len(titles) == 4
    assert not any(a.overlaps(b) for a, b in itertools.combinations(titles, 2))
    at = {text.get_text(): axis.get_position() for axis in figure.axes[:8] for text in axis.texts}
    for task in tasks:
        above, below = (at[f"{task} {how}"] for how in HOWS)
        assert above.x0 == pytest.approx(below.x0) and above.y0 > below.y0
    assert (at["MRPC scratch"].y0 < at["MNLI pretrained"].y0) == (columns == 2)


def test_trainings_have_names_and_looks_of_their_own():
    names = ("adam", "sgd", "lion")
    lines = plots.curves({"RTE": {name: curve_of(bowl()) for name in names}}).axes[0].lines
    shown = {line.get_label(): (line.get_color(), line.get_linestyle()) for line in lines}
    assert len({shown[name] for name in names}) == 3
    lines = one_map(surface_of(bowl(), 9), {name: trajectory_of([0, 1], [0, 1]) for name in names})[1].lines
    assert {*names} <= {line.get_label() for line in lines}
