"""The plan: what it counts, against the profile's own numbers; what it times is multiplied."""

import json
import math

import pytest
from own_case import refused

from landscape_utils.profiles.profile import ModelSpec
from landscape_utils.study import plan
from landscape_utils.study.plan import PRETRAINING, Rates, estimate, report
from landscape_utils.study.study import Study
from landscape_utils.study.trainings import cache_of
from landscape_utils.training.pretraining import DEMO, pretrained_path

RATES = Rates(visit=1e-3, exact=3e-3, step=1e-2, pretraining=0.5)


@pytest.fixture
def paced(monkeypatch):
    monkeypatch.setattr(plan, "measure", lambda *_: RATES)


@pytest.fixture
def demo(tmp_path) -> Study:
    return Study("demo", tasks="mrpc", results_dir=tmp_path)


def test_each_kind_costs_what_it_takes(demo, paced):
    task, sample = demo.task("mrpc"), {split: demo.sample("mrpc", split) for split in ("train", "dev")}
    tokens = {split: sum(len(e["input_ids"]) for e in getattr(task, split)) for split in sample}
    settings, found = demo.profile.tasks["mrpc"].scratch, {item.label: item for item in estimate(demo)}
    run = found["runs mrpc-scratch-0"]
    assert run.cost.steps == settings.epochs * math.ceil(len(task.train) / settings.batch_size)
    looks = (settings.epochs + 1) * tokens["dev"] / 2  # a pass forward takes half of a step's time
    assert run.seconds == pytest.approx((settings.epochs * tokens["train"] + looks) * RATES.step)
    surface = found["surfaces mrpc-pretrained"]
    assert surface.cost.visits == demo.profile.grid.resolution**2 + 2
    visit = sum(len(e["input_ids"]) for examples in sample.values() for e in examples)
    # The sample's mean length is near the split's.
    assert surface.seconds == pytest.approx(surface.cost.visits * visit * RATES.visit, rel=0.05)
    rollback = (1 + 3 + 8) * tokens["dev"] * RATES.exact  # eight random sets
    assert found["rollbacks mrpc"].seconds == pytest.approx(rollback)
    low, middle, high = (found[f"layers mrpc-{group}"].seconds for group in ("low", "middle", "high"))
    assert (middle / low, high / low) == pytest.approx((4 / 6, 2 / 6))
    assert found["cubes mrpc"].cost.visits == pytest.approx(5 + 120 * 4 / 6)


def test_what_others_need_is_counted_once_and_what_may_cost_less_is_told(demo, paced):
    found = estimate(demo)
    names = {item.label for item in found}
    assert len(names) == len(found)
    assert {f"runs {demo.partner('mrpc')}-pretrained-0", "runs mrpc-continued-0"} <= names
    *_, to_do, time = lines = list(report(demo, found, [1, 4]))
    assert len(lines) == len(found) + 3
    assert f"to do: {len(found)} of {len(found)} results" in to_do
    assert "1 workers" in time and "4 workers" in time and "interpolated" not in time
    grid = demo.profile.grid.model_copy(update={"tolerance": "stderr"})
    tolerant = Study(demo.profile.model_copy(update={"grid": grid}), results_dir=demo.store.folder.parent)
    assert "if no point of a surface is interpolated" in list(report(tolerant, found, [1]))[-1]


def test_pretraining_is_counted_until_it_is_there_and_comes_before_all(demo, paced):
    first, *others = estimate(demo)
    assert (first.label, first.there, first.seconds) == (PRETRAINING, False, DEMO.steps * 0.5)
    longest = max(item.seconds for item in others if item.trains)
    *_, time = report(demo, [first, *others], [10_000])
    assert f"{plan.duration(first.seconds + longest)} with 10000 workers" in time
    pretrained_path(cache_of(demo.store)).mkdir(parents=True)
    assert estimate(demo)[0].there


def test_the_paper_is_planned_without_data_or_model(tmp_path, paced):
    study = Study("paper", results_dir=tmp_path)
    found = {item.label: item for item in estimate(study, ("runs", "surfaces"))}
    assert not any(item.there for item in found.values())
    assert found["surfaces mnli-pretrained"].cost.visits == 40 * 40 + 2
    assert found["runs mnli-pretrained-0"].cost.disk > 4 * 333_579_264 * 3


@pytest.mark.parametrize("config", [{"model_type": "vit"}, {"auto_map": {"AutoConfig": "own.Config"}}])
def test_a_model_that_is_no_classifier_or_brings_code_of_its_own_is_refused(tmp_path, config):
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "own.py").write_text("raise SystemExit('own code has run')")
    with refused("cannot be used as a classifier"):
        plan.size_of(plan.network_config(ModelSpec(source=str(tmp_path), max_length=40)))


def test_rates_are_measured_on_this_machine(demo):
    rates = plan.measure(demo.profile, plan.network_config(demo.profile.model), "cpu")
    assert rates.visit == rates.exact > 0  # the demo is scanned in float32
    assert rates.step > rates.visit, "a step goes forward and back"
    assert rates.pretraining > 64 * rates.step, "it is of 64 pairs of sentences"
