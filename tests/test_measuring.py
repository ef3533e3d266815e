"""Measuring: the line through two sizes, and that what is timed is the work itself."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
import torch

from landscape_utils import measuring
from landscape_utils.derivatives import Losses
from landscape_utils.engine import Walker
from landscape_utils.measuring import Load, Seconds
from landscape_utils.pretraining import demo_config
from landscape_utils.profiles import load_profile
from landscape_utils.progress import SWITCH
from landscape_utils.trainer import StepTrainer


@pytest.fixture
def load(monkeypatch) -> Load:
    monkeypatch.setattr(measuring, "LONG_ENOUGH", 0.01)
    training = load_profile("demo").training
    sizes = {"length": 8, "examples": 16, "curved": 12, "batch": 8}
    return Load(demo_config(), training, "float32", **sizes, threads=1, device="cpu")


def test_derivatives_are_not_timed_where_none_are_planned(load, monkeypatch):
    monkeypatch.setattr(Losses, "gradient", lambda *_: pytest.fail("timed"))
    found = measuring.measure(replace(load, curved=0), workers=1)
    assert found.slope(1000) == found.bend(1000) == 0
    assert found.point(1000) > 0


def test_a_configuration_of_half_precision_is_measured_in_float32_as_it_is_trained(load):
    config = demo_config()
    config.dtype = torch.bfloat16
    found = measuring.measure(replace(load, config=config), workers=1)
    assert found.bend(1000) > 0
    assert {p.dtype for p in measuring.network(replace(load, config=config)).parameters()} == {torch.float32}


def test_the_line_goes_through_both_points():
    line = Seconds.through((100, 3.0), (300, 5.0), start=0.5)
    assert (line(100), line(300), line(0), line.start) == (3.0, 5.0, 2.0, 0.5)


def test_the_line_neither_falls_nor_starts_below_zero():
    falling = Seconds.through((100, 3.0), (300, 2.5), start=0)
    assert (falling(0), falling(1000)) == (3.0, 3.0)
    steep = Seconds.through((100, 1.0), (300, 6.0), start=0)
    assert (steep(0), steep(300)) == (0.0, 6.0)


def test_visits_derivatives_and_steps_of_both_sizes_are_timed(load, monkeypatch):
    seen = {"visits": set(), "gradients": set(), "bends": set(), "steps": set()}
    visit, step = Walker.__call__, StepTrainer.training_step
    gradient, bend = Losses.gradient, Losses.bend

    def watched_visit(walker, coordinates):
        seen["visits"].add(walker.objectives[0].size)
        return visit(walker, coordinates)

    def watched_gradient(losses, theta):
        seen["gradients"].add(losses.objective.size)
        return gradient(losses, theta)

    def watched_bend(losses, theta, direction):
        seen["bends"].add(losses.objective.size)
        return bend(losses, theta, direction)

    def watched_step(trainer, model, inputs, *rest):
        seen["steps"].add(len(inputs["labels"]))
        return step(trainer, model, inputs, *rest)

    monkeypatch.setattr(Walker, "__call__", watched_visit)
    monkeypatch.setattr(Losses, "gradient", watched_gradient)
    monkeypatch.setattr(Losses, "bend", watched_bend)
    monkeypatch.setattr(StepTrainer, "training_step", watched_step)
    found = measuring.measure(load, workers=1)
    assert seen == {"visits": {1, 16}, "gradients": {1, 12}, "bends": {1, 12}, "steps": {1, 8}}
    assert all(line(100) > 0 and line.start > 0 for line in vars(found).values())


@pytest.mark.parametrize(
    ("precision", "measured"),
    [("float32", ["float32"] * 4), ("bfloat16", ["bfloat16", "float32", *["bfloat16"] * 3])],
)
def test_a_visit_in_float32_is_timed_beside_one_of_a_lower_precision(load, monkeypatch, precision, measured):
    seen = []

    def line_of(load, examples, work):
        seen.append(load.precision)
        return Seconds(0, 0, {"float32": 4.0, "bfloat16": 1.0}[load.precision])

    monkeypatch.setattr(measuring, "line_of", line_of)
    found = measuring.measure(replace(load, precision=precision), workers=1)
    assert seen == measured
    assert (found.point.per_token, found.exact.per_token) == (4.0 if precision == "float32" else 1.0, 4.0)


@pytest.mark.parametrize(
    ("examples", "second_of_an_example", "sizes"),
    [(160, 1e-4, [10, 160]), (160, 0.1, [10, 50]), (160, 100, [10, 20]), (10**6, 1e-9, [512, 8192])],
)
def test_the_larger_visit_is_as_large_as_time_and_memory_allow(load, examples, second_of_an_example, sizes):
    """At most VISIT = 5 seconds by the pace of the smaller one, and 65,536 tokens: 8,192 examples of 8."""
    seen = []

    def work(load, size):
        seen.append(size)
        return [size * second_of_an_example]

    measuring.line_of(load, examples, work)
    assert seen == sizes


def test_one_visit_is_enough_where_it_takes_long():
    assert measuring.enough([measuring.TOO_LONG + 1])
    assert measuring.enough([measuring.LONG_ENOUGH] * 3)
    assert not measuring.enough([measuring.LONG_ENOUGH + 1] * 2)


def test_threads_and_bars_are_as_before_afterwards(monkeypatch):
    monkeypatch.setenv(SWITCH, "on")
    threads = torch.get_num_threads()
    with pytest.raises(RuntimeError), measuring.measuring(threads + 1):
        assert (torch.get_num_threads(), os.environ[SWITCH]) == (threads + 1, "off")
        raise RuntimeError
    assert (torch.get_num_threads(), os.environ[SWITCH]) == (threads, "on")


def test_side_by_side_means_so_many_processes_at_once():
    assert measuring.side_by_side(abs, -3, 1) == [3]
    assert measuring.side_by_side(abs, -3, 2) == [3, 3]
