"""A figure for a page: what a notebook holds of it, and what a phone shows."""

from __future__ import annotations

import xml.etree.ElementTree as ET

import numpy as np
import pytest
from matplotlib.text import Text
from synthetic import curve_of, run_of, surface_of, trajectory_of

from landscape_utils.figures import plots
from landscape_utils.figures.page import ON_PHONE
from landscape_utils.landscape.rollback import Rollback

HOWS, TASKS, GROUPS = ("scratch", "pretrained"), ("MNLI", "RTE", "SST-2", "MRPC"), ("low", "middle", "high")


COLUMN = 358 * 72 / 96  # points


def bowl(x, y=0.0):
    return 0.1 + (x - 1) ** 2 + y**2


def of_each(what, names=HOWS):
    return {task: dict.fromkeys(names, what) for task in TASKS}


SURFACE, CURVE, RUN = surface_of(bowl, 9), curve_of(bowl), run_of(lambda epoch: 1 / epoch)
DRAWN = {
    "maps": lambda: plots.surface_grid(of_each(SURFACE)),
    "layers": lambda: plots.surface_grid(of_each(SURFACE, GROUPS)),
    "curves": lambda: plots.curves(of_each(CURVE), against="distance"),
    "histories": lambda: plots.loss_histories(of_each([RUN])),
    "overfitting": lambda: plots.overfitting(
        SURFACE, trajectory_of(np.linspace(0, 1.5, 9), np.zeros(9)), RUN, RUN
    ),
    "rollbacks": lambda: plots.rollback_bars(
        dict.fromkeys(TASKS, Rollback(9, 0.9, 0.1, *(dict.fromkeys(GROUPS, x) for x in (0.8, 0.1)), {}, {}))
    ),
}


@pytest.mark.parametrize("name", DRAWN)
def test_a_notebook_holds_a_second_drawing_as_narrow_as_a_phone(name):
    """Letters of 9 points have 8 or more, where a drawing is made as narrow as the column of 390 pixels, 358."""
    figure = DRAWN[name]()
    drawing = ET.fromstring(figure._repr_mimebundle_()[ON_PHONE])
    assert float(drawing.get("width").removesuffix("pt")) <= 9 / 8 * COLUMN
    narrow = figure.on_phone()
    narrow.draw_without_rendering()
    assert min(text.get_fontsize() for text in narrow.findobj(Text) if text.get_text()) >= 9
    lefts = {round(axis.get_position().x0, 1) for axis in narrow.axes if axis.get_label() != "<colorbar>"}
    assert len(lefts) <= 2, "two panels side by side at most"
    assert narrow._repr_mimebundle_() == {}, "the narrow one has none of its own"
