"""The benchmark: that what it compares computes the same, and that it counts and divides right. No timings."""

import itertools
import json

import numpy as np
import pytest
import torch
from networks import make_examples, make_model, plain_float64
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import __main__ as command
from benchmarks import cases, race, visits
from landscape_utils.engine.objective import Objective
from landscape_utils.engine.space import ParameterSpace, Plane


@pytest.fixture
def case(monkeypatch) -> cases.Case:
    monkeypatch.setattr(race, "SAMPLE", 1e-3)
    model = make_model(initializer_range=0.3)
    return cases.Case("tiny", model, make_examples(40), cases.random_plane(model), longest=24)


def test_random_pairs_and_directions_are_as_long_as_is_said(case):
    """Five standard errors of the mean and the deviation of 3,668 lengths: 13 / sqrt(n), 13 / sqrt(2 n)."""
    lengths = [len(example["input_ids"]) for example in cases.random_pairs(3668, 100)]
    assert cases.LEAST <= min(lengths) <= max(lengths) <= cases.MOST
    assert np.mean(lengths) == pytest.approx(cases.MEAN, abs=1.1)
    assert np.std(lengths) == pytest.approx(cases.DEVIATION, abs=0.8)
    norms = [v.norm() / case.plane.origin.norm() for v in case.plane.directions]
    np.testing.assert_allclose(norms, cases.STEP, rtol=1e-5)


def test_the_demo_needs_no_data():
    case = cases.demo("", count=16)
    assert max(len(example["input_ids"]) for example in case.examples) <= case.longest
    assert np.isfinite(Objective(case.model, case.examples)().loss)


def test_operations_are_those_of_the_matrix_products_without_padding(case):
    case.model.set_attn_implementation("eager")  # torch counts no operations of its attention on a CPU
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        for example in case.examples:
            case.model(input_ids=torch.tensor([example["input_ids"]]))
    d, classes = case.model.config.hidden_size, case.model.config.num_labels
    beside_the_layers = len(case.examples) * 2 * (d * d + d * classes)  # pooler and head
    assert race.operations(case) == counter.get_total_flops() - beside_the_layers


def test_the_rate_is_operations_by_seconds_and_a_share_is_the_limit_by_the_time(case, monkeypatch):
    clock = itertools.count(1.0, 0.5)  # each look at it takes half a second
    monkeypatch.setattr(race.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(race, "SAMPLE", 4.0)
    weights = race.layer_weights(case.model)
    operations = 2 * 64 * sum(w.numel() for w in weights)
    with FlopCounterMode(display=False) as counter:
        found = race.rate(weights, 64)
    passes = counter.get_total_flops() / operations - 1  # the first warms up, and is looked at twice
    assert found == pytest.approx(passes * operations / (0.5 * (passes + 1)))
    # 2e10 operations at a median rate of 1e10 take 2 s; of the median of 2.5 s that is 0.8
    assert race.Row("", "", [2.0, 3.0, 2.5], [], [8e9, 1e10, 1.2e10]).share(2e10) == pytest.approx(0.8)


def test_the_contenders_compute_the_loss_and_leave_the_model(case):
    before, rows = ParameterSpace(case.model).read(), race.race(case, ("float32", "bfloat16"))
    assert torch.equal(ParameterSpace(case.model).read(), before)
    exact = [plain_float64(case.model, case.plane.at(*p), case.examples)[0] for p in cases.POINTS]
    for row in rows[:4]:
        assert len(row.seconds) == len(row.losses) == len(row.rates) == race.ROUNDS
        # a mean of 40 losses, each of some hundred roundings of 2^-24, or of 2^-8 of a mean of 40, in sequence
        bound = {"float32": 1e-5, "bfloat16": 0.1}[row.precision]
        np.testing.assert_allclose(row.losses[: len(exact)], exact, rtol=bound)
    assert rows[0].difference == 0 < rows[1].difference < 0.1


def test_the_package_computes_beside_the_points_that_it_names(case):
    pytest.importorskip("loss_landscapes", reason="the extra `benchmark` is not installed")
    plane = Plane(case.plane.origin, 20 * case.plane.x, 20 * case.plane.y)
    found = race.package_plane(cases.Case("", case.model, case.examples, plane), torch.float32)

    def losses(points):
        return [plain_float64(case.model, plane.at(*point), case.examples)[0] for point in points]

    # even rows lie one step further along y
    visited = [(x, y + (1 / race.STEPS if x == 0 else 0)) for x, y in race.CLAIMED]
    np.testing.assert_allclose(found, losses(visited), rtol=1e-5)
    assert np.abs(np.array(found) - losses(race.CLAIMED)).max() > 1e-3


@pytest.mark.parametrize("tolerance", ["stderr", 0.05])
def test_visits_are_counted_and_errors_measured(case, tolerance):
    objective = Objective(case.model, case.examples)
    found = {
        surface[0].rpartition(": ")[2]: visits.visits(surface, objective, case.plane, tolerance)
        for surface in visits.planted(20)
    }
    assert found["noise"]["computed"] <= found["noise"]["points"] == 400
    smooth = found["two basins"]
    assert smooth["computed"] < 400
    assert 0 < smooth["95 % error"] <= smooth["largest error"]
    assert smooth["largest error"] <= smooth["largest bound"] and smooth["within bound"] > 0.95


def test_the_command_writes_table_numbers_and_chart(case, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(cases.SIZES, "demo", (lambda data_dir: case, ("float16", "float32"), 0))
    monkeypatch.setattr(command, "planted", lambda points: list(visits.planted(12))[:1])
    assert command.main(["--device", "cpu", "--output", str(tmp_path / "out")]) == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"demo.md", "demo.json", "demo.svg"}
    assert "| this engine | float32 |" in capsys.readouterr().out
    rows = json.loads((tmp_path / "out" / "demo.json").read_text())["rows"]
    assert len(rows[0]["seconds"]) == race.ROUNDS
    assert command.main(["--device", "abacus"]) == 2
    assert "unknown device 'abacus'" in capsys.readouterr().err
