"""The benchmark: that what it compares computes the same, and that it counts and divides right. No timings."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
import torch
from conftest import make_examples, make_model, plain_float64
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import __main__ as command
from benchmarks import cases, layouts, limit, race, rivals, rounding
from benchmarks.anatomy import Anatomy, dissect
from benchmarks.cases import SIZES, Case, Size, random_pairs, random_plane
from benchmarks.layouts import Layout
from benchmarks.race import Row
from benchmarks.report import Machine, Report, duration
from landscape_utils.engine.objective import Objective
from landscape_utils.engine.space import ParameterSpace
from landscape_utils.landscape.scan import Plane
from landscape_utils.study.study import Study

ALL = ("float16", "bfloat16", "tf32", "float32")  # those of the largest size, meant for a GPU


def tiny_case(count: int = 40, data_dir: str = "") -> Case:
    model = make_model(initializer_range=0.3)
    return Case("tiny", model, make_examples(count), random_plane(model), longest=24)


@pytest.fixture
def case() -> Case:
    return tiny_case()


@pytest.fixture
def tiny_size(monkeypatch) -> Size:
    """In the place of `small`, and without the wait for a steady rate."""
    size = Size(tiny_case, 40, ALL, rounds=2, visits=12)
    monkeypatch.setitem(SIZES, "small", size)
    monkeypatch.setattr(limit.Limit.__init__, "__defaults__", (1e-3,))
    return size


# Cases


def test_random_pairs_are_as_long_as_those_of_mrpc():
    lengths = [len(example["input_ids"]) for example in random_pairs(cases.PAIRS, 100)]
    assert len(lengths) == cases.PAIRS
    assert cases.LENGTHS["least"] <= min(lengths) <= max(lengths) <= cases.LENGTHS["most"]
    # standard errors of the mean and of the deviation over 3,668: 13 / sqrt(n) and 13 / sqrt(2 n); five of them
    assert np.mean(lengths) == pytest.approx(cases.LENGTHS["mean"], abs=1.1)
    assert np.std(lengths) == pytest.approx(cases.LENGTHS["deviation"], abs=0.8)


def test_random_directions_have_the_length_that_is_said(case):
    norms = [v.norm() / case.plane.origin.norm() for v in case.plane.directions]
    np.testing.assert_allclose(norms, cases.STEP, rtol=1e-5)
    assert abs(case.plane.cosine) < 0.1  # two random directions among 6,000 entries: 0.013 typically


@pytest.mark.parametrize("name", ["small", "demo"])
def test_a_size_needs_no_data(name):
    case = SIZES[name].case()
    assert len(case.examples) == SIZES[name].examples
    assert max(len(example["input_ids"]) for example in case.examples) <= case.longest
    assert np.isfinite(Objective(case.model, case.examples[:2])().loss)


def test_minilm_takes_the_directions_of_its_runs_once_they_are_there(tiny_profile, tmp_path, monkeypatch):
    settings = {"examples": 16, "results_dir": tmp_path}
    monkeypatch.setattr(cases, "Study", lambda name, **_: Study(tiny_profile, **settings))
    before = cases.minilm(16, "")
    assert before.directions == ("random", "random")
    study = Study(tiny_profile, **settings)
    plane = study.plane("mrpc")
    after = cases.minilm(16, "")
    assert after.directions == ("fine-tuning on MRPC", "fine-tuning on RTE")
    assert after.step == pytest.approx(plane.norm / float(plane.origin.norm()))
    for found, expected in zip(after.plane.directions, plane.directions, strict=True):
        assert torch.equal(found, expected)
    assert after.examples == before.examples == study.sample("mrpc", "train")


# The limit


def test_operations_are_those_of_the_matrix_products_without_padding(case):
    def one_by_one():
        for example in case.examples:
            case.model(input_ids=torch.tensor([example["input_ids"]]))

    with torch.no_grad():
        everything = limit.counted(one_by_one)
    d, classes = case.model.config.hidden_size, case.model.config.num_labels
    beside_the_layers = len(case.examples) * 2 * (d * d + d * classes)  # pooler and head
    assert limit.operations(case.model, case.examples) == everything - beside_the_layers


@pytest.mark.parametrize("heads", [1, 2])
def test_attention_is_counted(heads):
    query = torch.randn(3, heads, 7, 8)
    found = limit.counted(lambda: torch.nn.functional.scaled_dot_product_attention(query, query, query))
    assert found == 2 * 2 * 3 * heads * 7 * 7 * 8


def test_the_rate_is_operations_by_seconds(case, monkeypatch):
    clock = itertools.count(1.0, 0.5)  # each look at it takes half a second
    monkeypatch.setattr(limit.time, "perf_counter", lambda: next(clock))
    found = limit.Limit(case.model, ("float32",), sample=4.0)
    found.rows = (64,)
    weights = sum(w.numel() for w in limit.layer_weights(case.model))
    with FlopCounterMode(display=False) as counter:
        rate = found.rate("float32")
    assert rate == 2 * 64 * weights / 0.5
    passes = 1 + 8  # one warms up; 4 seconds by half a second
    assert counter.get_total_flops() == passes * 2 * 64 * weights


# The race


@pytest.mark.parametrize("width", [None, 24])
def test_the_loops_compute_the_loss(case, width):
    before = ParameterSpace(case.model).read()
    loop = rivals.PlainLoop(case, width, "float32")
    for point in ((0.0, 0.0), (2.0, -1.0)):
        exact = plain_float64(case.model, case.plane.at(*point), case.examples)[0]
        # a mean of 40 losses, each of some hundred roundings of 2^-24 in sequence
        assert loop(point) == pytest.approx(exact, rel=1e-5)
    assert torch.equal(ParameterSpace(case.model).read(), before)
    longest = [
        max(len(e["input_ids"]) for e in case.examples[i : i + rivals.BATCH]) for i in (0, rivals.BATCH)
    ]
    padded = [inputs["input_ids"].shape[1] for inputs, _ in loop.batches]
    assert padded == ([width] * 2 if width else longest)


def test_the_package_computes_beside_the_points_that_it_names(case):
    pytest.importorskip("loss_landscapes", reason="the extra `benchmark` is not installed")
    plane = Plane(case.plane.origin, 20 * case.plane.x, 20 * case.plane.y)
    case = Case(case.title, case.model, case.examples, plane)
    before = ParameterSpace(case.model).read()
    rival = rivals.LossLandscapes(case, "float32")
    values, seconds = rival.plane()
    assert values.shape == (2, 2)
    assert seconds.shape == (3,)

    def losses(points):
        return [plain_float64(case.model, plane.at(*point), case.examples)[0] for point in points]

    np.testing.assert_allclose(values.ravel(), losses(rival.visited()), rtol=1e-5)
    assert np.abs(values.ravel() - losses(rival.claimed())).max() > 1e-3
    again, _ = rival.plane()
    np.testing.assert_array_equal(again, values)
    assert torch.equal(ParameterSpace(case.model).read(), before)


def test_contenders_agree_in_every_precision_of_the_gpu(case, tiny_size):
    """On a CPU; what a GPU does with them is measured there."""
    rows = race.race(case, ALL, rounds=3)
    named = {(row.name, row.precision): row for row in rows}
    assert [row.precision for row in rows[:4]] == list(ALL)
    assert named["this engine", "float32"].difference == 0
    for row in rows[:-1]:
        assert len(row.seconds) == len(row.losses) == len(row.rates) == 3
    # weights and sums rounded to 8 and 11 bits; logits of order 1
    assert 0 < named["this engine", "bfloat16"].difference < 0.1
    assert 0 < named["this engine", "float16"].difference < 0.02
    assert named["loop, dynamic padding", "float16"].difference < 0.02
    exact = [plain_float64(case.model, case.plane.at(*p), case.examples)[0] for p in case.points[:3]]
    np.testing.assert_allclose(named["this engine", "float32"].losses, exact, rtol=1e-5)


def test_rivals_in_float32_agree_with_the_engine(case, tiny_size):
    rows = race.race(case, ("float32",), rounds=2)
    names = ["this engine", "loop, dynamic padding", "loop, padded to 24", "loss-landscapes"]
    assert [row.name.removesuffix(f" {rivals.installed()}") for row in rows] == names
    assert max(row.difference for row in rows[:3]) < 1e-5


def test_a_package_that_is_missing_is_said_to_be(case, tiny_size, monkeypatch):
    monkeypatch.setattr(race, "installed", lambda: None)
    row = race.race(case, ("float32",), rounds=1)[-1]
    assert row.seconds == []
    assert row.name == "loss-landscapes"
    assert "not installed" in row.remark


# What the engine's time and memory go into


def test_a_walk_is_dissected(case):
    found = dissect(case, "float32", rounds=2, visits=11)
    assert found.vectors == pytest.approx(
        4, abs=0.2
    )  # origin, two directions, the buffer; batches are small beside
    assert set(found.groups) == {"middle", "high"}
    assert all(apart < 1e-6 and ratio > 0 for ratio, apart in found.groups.values())
    assert 0 < found.writing < 1
    assert 0 < found.bookkeeping < 1
    assert found.operations == done_by_the_engine(case)


def done_by_the_engine(case: Case) -> int:
    """Behind the last layer's attention one token of each example counts, before it all of the padded ones."""
    config = case.model.config
    d, classes = config.hidden_size, config.num_labels
    matrices = sum(w.numel() for w in limit.layer_weights(case.model))
    behind = d * d + 2 * d * config.intermediate_size
    total = 0
    for batch in Objective(case.model, case.examples).batches:
        rows, width = batch.inputs["input_ids"].shape
        total += rows * width * (2 * (matrices - behind) + 4 * config.num_hidden_layers * width * d)
        total += rows * 2 * (behind + d * d + d * classes)  # pooler and head too
    return total


def test_a_worker_measures_points_and_products(tiny_size, monkeypatch):
    monkeypatch.setattr(layouts, "PERIOD", 1e-3)
    points, rate = layouts.work("small", "")
    assert points > 0
    assert rate > 0


@pytest.mark.slow
def test_processes_side_by_side():
    found = layouts.measure("demo", "", processes=2, threads=1)
    assert (found.processes, found.threads) == (2, 1)
    assert found.points > 0
    assert found.rate > 0


# The report


def make_report(package: Row) -> Report:
    rows = [
        Row("this engine", "float32", [2.0, 3.0, 2.5], [0.5] * 3, [8e9, 1e10, 1.2e10], 0.0),
        Row("loop", "float32", [5.0, 5.0, 5.0], [0.5] * 3, [1e10] * 3, 3e-7),
        package,
    ]
    anatomy = Anatomy(
        int(1.5e10), 0.012, 0.0004, {"high": (0.31, 0.0), "middle": (0.66, 2e-7)}, 2.5, 2.6, 50, 4.0
    )
    machine = Machine("a machine", "2 threads", 0.25, "3.11", "2.13", "5.23", "2026-01-02")
    ways = [Layout(1, 1, 0.2, 6e9), Layout(2, 1, 0.375, 1e10)]
    return Report("small", "a case", "random", 0.012, machine, 2e10, rows, anatomy, ways)


def test_the_table_says_what_was_measured(tmp_path):
    report = make_report(Row("package", "float32", remark="not installed"))
    table = report.save(tmp_path).read_text()
    # 2e10 operations at a median rate of 1e10: a floor of 2 s; of the median of 2.5 s 0.8, of 5 s 0.4
    assert "| this engine | float32 | 2.5 | 1.00 | 66.7 min | 0.80 | – |" in table
    assert "| loop | float32 | 5 | 2.00 | 2.2 h | 0.40 | 3.0e-07 |" in table
    assert "| package | float32 | not installed | | | | |" in " ".join(table.split()).replace("|  |", "| |")
    assert "The engine does 0.75 of these operations" in table
    assert "it reaches 0.60 of the limit" in table
    assert "takes 1.20% of a point" in table
    assert "high third of the layers moves, a point takes 0.31" in table
    assert "the losses are equal" in table
    assert "differ by 2.0e-07" in table
    assert "| 2 × 1 | 0.375 | 0.75 |" in table
    assert "Most points a second here: 2 × 1." in table
    assert "loop in float32 2.0 times that" in table
    written = json.loads((tmp_path / "small.json").read_text())
    assert written["rows"][0]["seconds"] == [2.0, 3.0, 2.5]
    assert "<svg" in (tmp_path / "small.svg").read_text()


def test_a_time_is_given_in_the_unit_that_suits():
    assert [duration(s) for s in (59, 119, 120, 7199, 7200)] == [
        "59 s",
        "119 s",
        "2.0 min",
        "120.0 min",
        "2.0 h",
    ]


def test_the_command_writes_table_numbers_and_chart(tiny_size, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(command, "layouts", lambda *_: [Layout(1, 1, 1.0, 1e9)])
    monkeypatch.setattr(command, "AXIS", np.linspace(-4, 4, 3))
    options = ["--size", "small", "--device", "cpu", "--output", str(tmp_path / "deep" / "out"), "--whole"]
    assert command.main(options) == 0
    assert {path.name for path in (tmp_path / "deep" / "out").iterdir()} == {
        "small.md",
        "small.json",
        "small.svg",
    }
    printed = capsys.readouterr().out
    assert "| this engine | bfloat16 |" in printed
    assert "computed as a whole it took" in printed


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--repeats", "-1"], "--repeats must be 1 or more, or 0 for the size's own; got -1"),
        (["--device", "abacus"], "unknown device 'abacus'"),
    ],
)
def test_bad_options_are_one_line(options, named, capsys):
    assert command.main(options) == 2
    error = capsys.readouterr().err
    assert named in error
    assert error.count("\n") == 1


# Rounding


def test_rounding_is_measured_against_float32(case, tmp_path):
    found = rounding.measure(case, "a machine", np.array([-1.0, 0.0, 2.0]))
    assert found.steps == list(rounding.STEPS)
    scale = found.steps[0] / cases.STEP
    for i, alpha in enumerate(found.alpha):
        theta = case.plane.origin + alpha * scale * case.plane.x
        exact = plain_float64(case.model, theta, case.examples)[0]
        assert found.loss["float32"][0][i] == pytest.approx(exact, rel=1e-5)
    coarse, fine = (found.difference(precision).max() for precision in ("bfloat16", "float16"))
    assert 0 < fine < coarse < 0.1
    at_the_start = [losses[1] for losses in found.loss["bfloat16"]]
    assert len(set(at_the_start)) == 1, "no step is taken at alpha = 0"
    said = found.save(tmp_path).read_text()
    assert f"{coarse:.2g}" in said
    assert json.loads((tmp_path / "rounding.json").read_text())["alpha"] == found.alpha
    assert "<svg" in (tmp_path / "rounding.svg").read_text()
