"""Every kind of figure as a page has it: its file, its letters, its second drawing for a phone, its dark colours."""

import re
import xml.etree.ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest
from explored import line, pixels, scanned
from matplotlib.lines import Line2D
from matplotlib.text import Text
from synthetic import run_of, trajectory_of

from landscape_utils.figures import plots, style
from landscape_utils.figures.page import ON_PHONE
from landscape_utils.figures.style import HOW_NAMES
from landscape_utils.landscape.rollback import Rollback
from landscape_utils.names import GROUPS

HOSTILE = "<script>alert('$x_')</script> & \"β\""
COLUMN = 358 * 72 / 96  # points: of a page 390 pixels wide
SURFACE, CURVE, RUN = scanned(9, 1.0), line(1.0), run_of(lambda epoch: 1 / epoch)
PATH = trajectory_of(np.linspace(0, 1.5, 9), np.zeros(9))
ROLLBACK = Rollback(9, 0.9, 0.1, dict.fromkeys(GROUPS, 0.8), dict.fromkeys(GROUPS, 0.1), {}, {})


def of_each(tasks, what, names=HOW_NAMES):
    return {task: dict.fromkeys(names, what) for task in tasks}


BOTH = {"Eq. 3 to 5": PATH, "projected onto the plane": PATH}
KINDS = {
    "maps": lambda *tasks: plots.surface_grid(of_each(tasks, SURFACE)),
    "maps of error": lambda *tasks: plots.surface_grid(of_each(tasks, SURFACE), value="error"),
    "layers": lambda *tasks: plots.surface_grid(of_each(tasks[:2], SURFACE, GROUPS)),
    "paths": lambda *tasks: plots.surface_grid(
        of_each(tasks[:2], SURFACE), trajectories=of_each(tasks[:2], BOTH)
    ),
    "curves": lambda *tasks: plots.curves(of_each(tasks, CURVE), against="distance"),
    "histories": lambda *tasks: plots.loss_histories(of_each(tasks, [RUN])),
    "rollbacks": lambda *tasks: plots.rollback_bars(dict.fromkeys(tasks, ROLLBACK)),
    "overfitting": lambda *_: plots.overfitting(SURFACE, PATH, RUN, RUN),
}
each_kind = pytest.mark.parametrize("kind", KINDS)


def sizes(figure) -> list[float]:
    return [text.get_fontsize() for text in figure.findobj(Text) if text.get_text()]


@each_kind
def test_a_figure_is_of_vectors_at_its_width_and_its_headings_are_words(kind, tmp_path):
    """760 pixels of a page are 570 points. Publishers refuse Type 3; a FontFile2 is an embedded TrueType font."""
    figure, file = KINDS[kind](HOSTILE), tmp_path / "figure.pdf"
    style.save(figure, file, bbox_inches="tight")  # as a notebook shows it
    content = file.read_bytes()
    (width,) = re.findall(rb"/MediaBox \[ 0 0 (\S+) ", content)
    assert 570 <= float(width) <= 590
    assert b"/FontFile2" in content
    assert b"/Type3" not in content
    pixels = figure.findobj(lambda artist: artist.get_rasterized())
    assert (b"/Subtype /Image" in content) == bool(pixels)
    assert all(p.axes.get_label() == "<colorbar>" or isinstance(p, Line2D) for p in pixels)
    assert min(sizes(figure)) >= 9
    headings = [text for text in figure.findobj(Text) if HOSTILE in text.get_text()]
    assert headings or kind == "overfitting"
    assert not any(text.get_parse_math() for text in headings)


@each_kind
def test_a_notebook_holds_a_second_drawing_as_narrow_as_a_phone(kind):
    """Letters of 9 points have 8 or more, where a drawing is made as narrow as the column of 390 pixels, 358.

    Panels side by side have 0.3 of the column each, at least, whatever stands above them.
    """
    before = dict(mpl.rcParams)
    figure = KINDS[kind]("MNLI", "RTE", "SST-2", "MRPC")
    drawing = ET.fromstring(figure._repr_mimebundle_()[ON_PHONE])
    assert float(drawing.get("width").removesuffix("pt")) <= 9 / 8 * COLUMN
    narrow = figure.on_phone()
    narrow.draw_without_rendering()
    assert min(sizes(narrow)) >= 9
    panels = [axis for axis in narrow.axes if axis.get_label() != "<colorbar>"]
    assert len({round(axis.get_position().x0, 1) for axis in panels}) <= 2, "two side by side at most"
    assert min(axis.get_window_extent().width for axis in panels) * 72 / narrow.dpi > 0.3 * COLUMN
    assert narrow._repr_mimebundle_() == {}, "the narrow one has none of its own"
    assert dict(mpl.rcParams) == before, "the reader's style is as it was"


def test_a_figure_follows_the_scheme_that_its_page_gives_it(opened, tmp_path):
    """The ground turns dark, the map keeps its colours; a figure made twice is the same file, down to its bytes."""
    files = tmp_path / "figure.svg", tmp_path / "again.svg"
    for file in files:
        style.save(plots.surface_grid({"MRPC": {"scratch": SURFACE}}), file)
    assert files[0].read_bytes() == files[1].read_bytes()
    (tmp_path / "page.html").write_text('<body style="margin: 0"><img src="figure.svg">')
    page = opened((tmp_path / "page.html").as_uri())
    maps = []
    for scheme, ground in ("light", 255), ("dark", 0x12):
        page.evaluate("scheme => (document.querySelector('img').style.colorScheme = scheme)", scheme)
        shown = pixels(page.locator("img"))
        assert (shown[2, 2] == ground).all()
        maps.append(np.median(shown[100:160, 100:160], axis=(0, 1)))  # not of a line or a label
    assert np.array_equal(*maps)
    assert np.ptp(maps[0]) > 20  # colours, not paper
