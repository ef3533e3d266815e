"""Seconds of a visit of a point, of derivatives and of a step of training on the machine at hand, from a few of each.

They are measured with random weights and random tokens, at two sizes, by the code that does the work, and taken to
grow in a straight line with the tokens in between.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForSequenceClassification, PretrainedConfig, TrainerCallback

from ..engine.objective import Objective
from ..engine.space import ParameterSpace
from ..engine.walker import Walker
from ..interrupts import at_work
from ..profiles import TrainingSpec
from ..progress import SWITCH, bar
from ..training.trainer import Collator, StepTrainer, arguments
from .jobs import worker_pool

LONG_ENOUGH = 4.0  # seconds of three visits or more, on which a measurement ends
TOO_LONG = 20.0  # and those on which it ends after one
VISIT = 5.0  # seconds that the larger visit may take, by what the smaller one took
MOST_TOKENS = 65_536  # of a visit


@dataclass(frozen=True)
class Seconds:
    """Seconds of a visit as a straight line in its tokens, and those of getting ready for the first one."""

    start: float
    fixed: float
    per_token: float

    def __call__(self, tokens: float) -> float:
        return self.fixed + self.per_token * tokens

    @classmethod
    def through(cls, small: tuple[int, float], large: tuple[int, float], start: float) -> Seconds:
        """The line through two measured (tokens, seconds); it does not fall, and is nowhere negative."""
        slope = max((large[1] - small[1]) / (large[0] - small[0]), 0.0)
        fixed = small[1] - slope * small[0]
        return cls(start, fixed, slope) if fixed >= 0 else cls(start, 0.0, large[1] / large[0])


UNTIMED = Seconds(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Load:
    """What is to be measured: the network, and how many examples of which length each takes."""

    config: PretrainedConfig
    training: TrainingSpec
    precision: str
    length: int  # tokens of an example
    examples: int  # of a visit
    batch: int  # examples of a step
    threads: int
    device: str


@dataclass(frozen=True)
class Rates:
    """Seconds of a visit, of one in float32, of a gradient, of a second derivative along a direction, of a step."""

    point: Seconds
    exact: Seconds
    step: Seconds


def measure(load: Load, workers: int) -> Rates:
    """The rates where so many workers are busy at the same time."""
    found = side_by_side(measure_here, load, workers)
    return Rates(
        **{field.name: mean([getattr(rates, field.name) for rates in found]) for field in fields(Rates)}
    )


def side_by_side(function: Callable[[Any], Any], argument: Any, workers: int) -> list[Any]:
    """What `function(argument)` returns in each of so many processes that run it at once."""
    if workers == 1:
        return list(bar(map(function, [argument]), total=1, what="measuring"))
    with worker_pool(workers) as pool:
        found = pool.map(partial(at_work, function), [argument] * workers)
        return list(bar(found, total=workers, what="measuring"))


def mean(lines: Sequence[Seconds]) -> Seconds:
    return Seconds(*np.mean([[line.start, line.fixed, line.per_token] for line in lines], axis=0).tolist())


def measure_here(load: Load) -> Rates:
    """The rates in this process."""
    with measuring(load.threads):
        point = line_of(load, load.examples, visit)
        as_float32 = replace(load, precision="float32")
        exact = point if load == as_float32 else line_of(as_float32, load.examples, visit)
        return Rates(point, exact, line_of(load, load.batch, step))


@contextmanager
def measuring(threads: int) -> Iterator[None]:
    """So many threads, and no bars: one of ten thousand steps, of which a few are taken, tells nobody anything."""
    before, switch = torch.get_num_threads(), os.environ.get(SWITCH, "on")
    torch.set_num_threads(threads)
    os.environ[SWITCH] = "off"
    try:
        yield
    finally:
        torch.set_num_threads(before)
        os.environ[SWITCH] = switch


def line_of(load: Load, examples: int, work: Callable[[Load, int], list[float]]) -> Seconds:
    """Measure at a sixteenth of the examples and at all of them, as far as the limits go."""
    most = max(min(examples, MOST_TOKENS // load.length), 2)
    size, measured, start = max(most // 16, 1), [], 0.0
    for _ in range(2):
        started = time.perf_counter()
        times = work(load, size)
        start = max(time.perf_counter() - started - sum(times), 0.0)
        seconds = float(np.median(times))
        measured.append((size * load.length, seconds))
        size = min(most, max(2 * size, int(size * VISIT / seconds)))
    return Seconds.through(measured[0], measured[1], start)


def random_examples(load: Load, count: int) -> list[dict[str, Any]]:
    ids = np.random.default_rng(0).integers(10, load.config.vocab_size, (count, load.length))
    mask = [1] * load.length
    return [{"input_ids": row, "attention_mask": mask, "labels": i % 2} for i, row in enumerate(ids.tolist())]


def enough(times: list[float]) -> bool:
    return sum(times) > (LONG_ENOUGH if len(times) >= 3 else TOO_LONG)


def timed(work: Callable[[], Any]) -> list[float]:
    """Seconds of each of a few calls after a first one, which also warms up."""
    work()
    times: list[float] = []
    while not enough(times):
        started = time.perf_counter()
        work()
        times.append(time.perf_counter() - started)
    return times


def network(load: Load) -> Any:
    """Random weights, in float32 as a study has them, whatever the configuration says."""
    return AutoModelForSequenceClassification.from_config(load.config).float()


def objective_of(load: Load, examples: int, batch_tokens: int | None = None) -> Objective:
    return Objective(network(load).to(load.device), random_examples(load, examples), batch_tokens)


def visit(load: Load, examples: int) -> list[float]:
    """Seconds of each of a few visits of points with so many examples."""
    objective = objective_of(load, examples)
    origin = ParameterSpace(objective.model).read()
    with Walker([objective], origin, (1e-3 * origin, 1e-3 * origin), load.precision) as walker:
        return timed(lambda: walker((1.0, 1.0)))


class Clock(TrainerCallback):
    """The time of each step; training ends when they are enough."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def times(self) -> list[float]:
        return np.diff(self.ends).tolist()  # without the first step, which also warms up

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.ends.append(time.perf_counter())
        control.should_training_stop = enough(self.times())


def step(load: Load, examples: int) -> list[float]:
    """Seconds of each of a few training steps with so many examples."""
    clock = Clock()
    StepTrainer(
        model=network(load),
        args=arguments(
            device=load.device,
            seed=0,
            max_steps=10_000,
            per_device_train_batch_size=examples,
            learning_rate=1e-6,
            bf16=load.training.precision == "bfloat16",
        ),
        what="measuring",
        train_dataset=random_examples(load, 4 * examples),
        data_collator=Collator(),
        callbacks=[clock],
    ).train()
    return clock.times()
