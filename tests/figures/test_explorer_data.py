"""What the explorer is told: exact to float32, small, harmless; what cannot be drawn is refused in one line."""

import json

import numpy as np
import pytest
from explored import EVIL, cube, decoded, line, path, scanned

from landscape_utils.errors import UserError
from landscape_utils.figures.explorer import Explorer, page
from landscape_utils.figures.explorer_data import PAPERS, View, embedded, payload


def fields(name: str = "", **changes) -> list[dict]:
    return View({name: scanned(3, 2.0, **changes)}).packed()["fields"]


def test_values_arrive_as_float32_and_axes_exactly():
    surface = scanned(7, 2.0, m=5, loss_bound=np.linspace(0, 0.037, 35).reshape(7, 5))
    packed = View({"training": surface}).packed()
    assert (packed["alpha"], packed["beta"]) == (surface.alpha.tolist(), surface.beta.tolist())
    loss, error = packed["fields"]
    assert (loss["name"], error["name"]) == ("training loss", "training error")
    assert np.array_equal(decoded(loss["values"]), surface.loss.astype(np.float32).ravel())
    assert np.array_equal(decoded(loss["stderr"]), surface.loss_stderr.astype(np.float32).ravel())
    assert np.array_equal(decoded(loss["bound"]), surface.loss_bound.astype(np.float32).ravel())
    assert np.array_equal(decoded(error["counts"], "<u2") / 100, surface.error.ravel())
    assert (error["stderr"], error["bound"], fields()[0]["bound"]) == (None, None, None)
    assert packed["marks"][1]["values"]["training loss"] == [surface.marks["end"].loss, 0.01]
    assert packed["marks"][packed["focus"]]["name"] == "end"
    one = View({"training": surface}, quantities=("training error",)).packed()
    assert [f["name"] for f in one["fields"]] == list(one["marks"][0]["values"]) == ["training error"]


def test_values_that_are_not_finite_and_error_rates_that_are_no_counts_arrive_as_float32():
    loss = np.array([[np.nan, np.inf, -np.inf], [1e300, 1, 2], [3, 4, 5]])
    mark = scanned(3, 2.0).marks["end"]._replace(loss=np.nan)
    data = payload([View({"": scanned(3, 2.0, loss=loss, marks={"end": mark})})])
    got = decoded(data["views"][0]["fields"][0]["values"])
    assert np.array_equal(got[:4], [np.nan, np.inf, -np.inf, np.inf], equal_nan=True)
    assert data["views"][0]["marks"][0]["values"]["loss"] == [None, 0.01]
    json.loads(embedded(data))

    error = np.where(np.eye(3) > 0, np.nan, 0.25)
    wanted = np.where(np.eye(3) > 0, 65535, 25)
    assert np.array_equal(decoded(fields(error=error)[1]["counts"], "<u2"), wanted.ravel())
    for odd, examples in ((error + 0.001, 100), (error, 65535)):
        values = decoded(fields(error=odd, examples=examples)[1]["values"])
        assert np.array_equal(values, odd.astype(np.float32).ravel(), equal_nan=True)


def test_a_widget_carries_its_page_and_no_name_ends_a_script():
    data = payload([View({EVIL: scanned(3, 1.0)}, task=EVIL)])
    assert "<" not in embedded(data)
    assert json.loads(embedded(data)) == data
    bundle, _ = Explorer(payload=data)._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert bundle["text/html"] == page(data)


def test_a_page_of_the_papers_size_is_light():
    """Four tasks, both ways to train, 40 x 40 points: with the module at most 300 kB. Values span a factor of 50."""
    error = np.linspace(1, 50, 1600).round().reshape(40, 40) / 100
    surfaces = {"training": scanned(40, 2.0), "dev": scanned(40, 2.0, "dev", error=error)}
    curves = {"training": line(2.0), "dev": line(2.0)}
    view = View(surfaces, curves, [path("plane", 16), path("paper", 16)], "MRPC", quantities=PAPERS)
    data = payload([view] * 8, [cube()] * 4)
    assert len(page(data).encode()) <= 300_000
    kinds = {"training loss": {"kind": "loss", "log": True}, "dev error": {"kind": "error", "log": False}}
    assert data["quantities"] == kinds


@pytest.mark.parametrize(
    ("views", "words"),
    [
        ([View()], "neither a surface nor a curve"),
        ([View({"": scanned(3, 1.0, alpha=np.array([0.0, 2.0, 1.0]))})], "ascending"),
        ([View({"": scanned(3, 1.0, beta=np.array([0.0, 1.0, 1.0]))})], "ascending"),
        ([View({"a": scanned(3, 1.0), "b": scanned(4, 1.0)})], "same alpha"),
    ],
)
def test_what_cannot_be_drawn_is_refused(views, words):
    with pytest.raises(UserError, match=words) as refused:
        payload(views)
    assert "\n" not in str(refused.value)
