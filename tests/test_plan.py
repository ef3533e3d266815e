"""The plan: what it counts, against the profile's own numbers; what it times, with a clock of known pace."""

from __future__ import annotations

import math

import pytest

from landscape_utils import hub, plan
from landscape_utils.curvature import EXAMPLES
from landscape_utils.measuring import Rates, Seconds
from landscape_utils.plan import ASCENT, LANCZOS, PADDED, Item, Plan, duration, estimate, report
from landscape_utils.study import Study

POINT, EXACT = Seconds(1.0, 0.25, 1e-3), Seconds(1.0, 0.5, 3e-3)
SLOPE, BEND, STEP = Seconds(1.5, 0.75, 2e-3), Seconds(1.5, 0.1, 7e-3), Seconds(2.0, 0.5, 1e-2)


@pytest.fixture(autouse=True)
def paced(monkeypatch):
    """A machine whose pace is known."""
    monkeypatch.setattr(plan, "measure", lambda load, workers: Rates(POINT, EXACT, SLOPE, BEND, STEP))
    monkeypatch.setattr(plan, "side_by_side", lambda function, argument, workers: [90.0] * workers)


def items(study: Study, *what: str) -> dict[str, Item]:
    return {item.name: item for item in estimate(study, what).items}


@pytest.fixture
def demo(tmp_path) -> Study:
    return Study("demo", tasks="mrpc", results_dir=tmp_path)


def test_a_run_is_its_steps_and_its_looks_at_dev(demo):
    item = items(demo, "runs")["run mrpc scratch 0"]
    settings, task = demo.profile.tasks["mrpc"].scratch, demo.task("mrpc")
    trained = settings.epochs * sum(len(e["input_ids"]) for e in task.train)
    watched = (settings.epochs + 1) * sum(len(e["input_ids"]) for e in task.dev)
    assert item.visits == settings.epochs * math.ceil(len(task.train) / settings.batch_size)
    assert item.visits * item.tokens == pytest.approx(trained)
    expected = STEP.start + item.visits * STEP.fixed + (trained + watched / 2) * STEP.per_token
    assert item.seconds == pytest.approx(expected)
    assert item.chain == item.seconds
    assert item.bytes == 4 * 562_944 * (
        settings.epochs + 1
    )  # a theta of float32 for each epoch and the start


def test_a_surface_is_its_grid_and_its_marks(demo):
    item = items(demo, "surfaces")["surface mrpc pretrained"]
    assert item.visits == demo.profile.grid.resolution**2 + 2
    assert item.examples == demo.profile.sample.train + demo.profile.sample.dev
    expected = POINT.start + item.visits * (POINT.fixed + POINT.per_token * item.tokens)
    assert item.seconds == pytest.approx(expected)
    sampled = sum(len(e["input_ids"]) for split in ("train", "dev") for e in demo.sample("mrpc", split))
    assert item.tokens == pytest.approx(sampled, rel=0.05)  # the sample is near the mean of the split


def test_a_rollback_is_three_points_for_each_group(demo):
    """The demo has six layers, of which the last costs a quarter."""
    item, size = items(demo, "rollbacks")["rollback mrpc"], len(demo.task("mrpc").dev)
    assert (item.visits, item.examples) == (9, size)
    assert item.seconds == pytest.approx(EXACT.start + legs(item, (5, 1), (2, 3.25 / 5.25), (2, 1.25 / 5.25)))


def test_a_cube_is_a_plane_of_two_groups_for_each_place_of_the_third(demo):
    item = items(demo, "cubes")["cube mrpc"]
    assert (item.visits, item.examples) == (125, demo.profile.sample.dev)
    assert item.seconds == pytest.approx(EXACT.start + legs(item, (5, 1), (120, 3.25 / 5.25)))


def legs(item: Item, *parts: tuple[int, float]) -> float:
    """Seconds of so many points in float32 that go through such a share of the encoder."""
    return sum(points * (EXACT.fixed + EXACT.per_token * share * item.tokens) for points, share in parts)


def test_layers_that_do_not_move_cost_nothing(demo):
    found = items(demo, "layers")
    low, middle, high = (found[f"layer surface mrpc {group}"] for group in ("low", "middle", "high"))
    surface = items(demo, "surfaces")["surface mrpc pretrained"]
    assert low.seconds == surface.seconds
    assert low.operations > middle.operations > high.operations
    assert high.operations == pytest.approx(low.operations * 1.25 / 5.25)


def test_a_curvature_is_second_derivatives_and_gradients_on_a_few_training_examples(demo):
    item = items(demo, "curvatures")["curvature mrpc scratch"]
    assert item.examples == min(demo.profile.sample.train, EXAMPLES)
    bends, slopes = LANCZOS + 2 * 3, 1 + 3 * ASCENT  # three eigenvalues, three balls
    assert item.visits == bends + slopes
    length = sum(len(e["input_ids"]) for e in demo.task("mrpc").train) / len(demo.task("mrpc").train)
    assert item.tokens == pytest.approx(PADDED * item.examples * length)
    fixed = SLOPE.start + slopes * SLOPE.fixed + bends * BEND.fixed
    assert item.seconds == pytest.approx(
        fixed + (slopes * SLOPE.per_token + bends * BEND.per_token) * item.tokens
    )


def test_derivatives_are_timed_for_curvature_alone(demo, monkeypatch):
    seen = []

    def measured(load, workers):
        seen.append(load.curved)
        return Rates(POINT, EXACT, SLOPE, BEND, STEP)

    monkeypatch.setattr(plan, "measure", measured)
    items(demo, "runs")
    items(demo, "curvatures")
    assert seen == [0, EXAMPLES]


def test_partners_and_further_epochs_are_counted_once(demo):
    found = estimate(demo).items
    names = [item.name for item in found]
    assert len(set(names)) == len(names)
    other = demo.profile.tasks["mrpc"].other
    assert {f"run {other} pretrained 0", f"run {other} scratch 0", "run mrpc continued 0"} <= set(names)
    chain = {item.name: item.chain for item in found}
    own = next(item.seconds for item in found if item.name == "run mrpc continued 0")
    assert chain["run mrpc continued 0"] == pytest.approx(own + chain["run mrpc pretrained 0"])


def test_what_is_in_the_store_is_not_counted_again(demo, monkeypatch):
    before = estimate(demo, ["curves"])
    monkeypatch.setattr(Study, "has", lambda study, job: job.method == "run")
    after = estimate(demo, ["curves"])
    assert [item.there for item in after.items if item.name.startswith("run")] == [True] * 4
    left = sum(item.seconds for item in after.items if item.name.startswith(("curve", "pre-training")))
    assert after.seconds(1) == pytest.approx(left)
    assert left < before.seconds(1)
    assert sum("in the store" in line for line in report(after, [1])) == 4


def test_workers_share_points_but_no_training(demo):
    def item(seconds, chain=0.0, there=False):
        return Item("x", there, 1, 1, 1.0, 1.0, 1, 1.0, seconds, chain)

    network = estimate(demo, ["curves"]).network
    made = Plan(network, (item(100.0, 100.0), item(300.0), item(500.0, 500.0, there=True)), 0, 0, 0)
    assert [made.seconds(n) for n in (1, 2, 4, 8)] == [400, 200, 100, 100]


def test_the_papers_study_is_planned_without_a_network(tmp_path):
    study = Study("paper", results_dir=tmp_path)
    with hub.left_alone():
        found = items(study)
    assert found["run mnli pretrained 0"].visits == 3 * math.ceil(392_702 / 64)
    surface = found["surface mnli scratch"]
    assert surface.visits == 1602
    assert surface.examples == 392_702 + 9_815
    # 302 M weights in 24 layers, two operations for each and a token, attention a little on top
    assert surface.operations == pytest.approx(1602 * surface.tokens * 2 * 302e6, rel=0.03)
    assert not any(item.there for item in found.values())


def test_the_report_has_a_line_for_each_item_and_the_totals(demo):
    made = estimate(demo, ["runs"])
    head, *lines = report(made, [1, 8])
    assert head.split() == ["result", "visits", "examples", "tokens", "operations", "files", "MB", "time"]
    assert [line.startswith(item.name) for line, item in zip(lines, made.items, strict=False)] == [
        True
    ] * len(made.items)
    *_, todo, memory, time = lines
    assert todo.startswith(f"to do: {len(made.items)} of {len(made.items)} results")
    assert "for a scan" in memory
    assert time.endswith(f"{duration(made.seconds(8))} with 8 workers")


def test_durations_are_in_a_unit_one_can_read():
    found = [duration(seconds) for seconds in (7, 99, 100, 5999, 18_720, 3.6e6)]
    assert found == ["7 s", "99 s", "2 min", "100 min", "5.2 h", "41.7 days"]


def test_a_lower_precision_costs_its_probe(demo, monkeypatch):
    """4 corners, 2 marks and 4 cells at random, each in float32 and in the lower precision; on a line 2 corners."""
    lower = demo.under("bfloat16")
    for kind, name, points, probe in (
        ("surfaces", "surface mrpc scratch", 15**2 + 2, 10),
        ("curves", "curve mrpc scratch", 41 + 2, 8),
    ):
        item = items(lower, kind)[name]
        exact = EXACT.fixed + EXACT.per_token * item.tokens
        walk = POINT.start + points * (POINT.fixed + POINT.per_token * item.tokens)
        assert item.visits == points
        assert item.seconds == pytest.approx(walk + probe * (exact + walk / points))
