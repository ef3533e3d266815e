"""What a study costs, known before it is paid: one visit of a point and one step of each kind of training are timed on
this machine, and multiplied by what every result takes. Nothing is fetched for it. It may be off by 30 %.
"""

import statistics
import timeit
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
import transformers as hf

from ..engine.objective import Objective
from ..engine.space import ParameterSpace, layer_stack
from ..engine.walker import Walk
from ..environment import one_thread
from ..errors import UserError
from ..profiles.profile import Profile
from ..training import hub
from ..training.models import reading
from ..training.pretraining import DEMO, pretrain, pretrained_path
from ..training.published import GLUE_SIZES, network_config
from .computing import KINDS, with_needs
from .kind import Cost, Scale
from .run_result import RunResult
from .study import Study
from .trainings import cache_of

VISIT_TOKENS, LENGTH = 4096, 32  # of the visit that is timed, and of an example of it
# Visits that are timed after one that warms up; steps, with the set-up of their Trainer, are one more.
TIMES = 3
PRETRAINING = "pre-training of the demo's encoder"
LIBRARIES = 6e8  # resident bytes of a process that has imported this package and done some work


class Item(NamedTuple):
    """The cost of one result, or of the pre-training: what it is, whether it is a training of the study, whether it is
    there, what it takes, and in how many seconds."""

    label: str
    trains: bool
    there: bool
    cost: Cost
    seconds: float


class Rates(NamedTuple):
    """Seconds a token of a visit in the study's precision, of one in float32, and of a training step; and of a step of
    pre-training, 0 where there is none."""

    visit: float
    exact: float
    step: float
    pretraining: float = 0.0

    def seconds(self, cost: Cost) -> float:
        visit = self.exact if cost.exact else self.visit
        return cost.visit_tokens * visit + cost.step_tokens * self.step


def estimate(study: Study, what: Sequence[str] = ()) -> list[Item]:
    """The items of everything that `what` (default: all) stands for; UserError if nothing is known of data or model."""
    if study.store.read_only:
        raise UserError("device 'none' computes nothing, so there is nothing to plan: give another device")
    with hub.left_alone():
        config = network_config(study.profile.model)
        scale = scale_of(study, config)
        there = {kind: study.there(kind) for kind in with_needs(study, what or tuple(KINDS))}
    rates = measure(study.profile, config, study.device)
    items = []
    if rates.pretraining:
        before = pretrained_path(cache_of(study.store)).exists() or all(there.values())
        cost = Cost(steps=DEMO.steps, disk=4.0 * scale.parameters)
        items.append(Item(PRETRAINING, False, before, cost, DEMO.steps * rates.pretraining))
    for kind, kept in there.items():
        cost = kind.cost(study, scale)
        items.append(Item(kind.label, isinstance(kind, RunResult), kept, cost, rates.seconds(cost)))
    return items


def scale_of(study: Study, config: hf.PretrainedConfig) -> Scale:
    """The network's size, and those of the tasks: as published, where the data are not at hand."""
    space = size_of(config)
    stack = layer_stack(space.encoder)
    sizes: dict[str, tuple[int, int, float, float]] = {}
    for name, spec in study.profile.tasks.items():
        try:
            facts = study.facts(name)
        except UserError:
            if spec.source != "glue" or study.profile.data_dir:
                raise
            train, dev, train_length, dev_length = GLUE_SIZES[name]
            sizes[name] = min(spec.train_limit or train, train), dev, train_length, dev_length
        else:
            train, dev = facts["train_examples"], facts["dev_examples"]
            sizes[name] = train, dev, facts["train_tokens"] / train, facts["dev_tokens"] / dev
    return Scale(
        layers=len(stack[1]) if stack else config.num_hidden_layers,
        parameters=space.size,
        examples={name: size[:2] for name, size in sizes.items()},
        tokens={name: size[2:] for name, size in sizes.items()},
    )


def size_of(config: hf.PretrainedConfig) -> ParameterSpace:
    """The space of an encoder that has no weights."""
    with torch.device("meta"), reading(config.model_type):
        return ParameterSpace(hf.AutoModelForSequenceClassification.from_config(config))


def measure(profile: Profile, config: hf.PretrainedConfig, device: str) -> Rates:
    """The rates on this machine, with random weights and random tokens, by the code that does the work."""
    with one_thread() if profile.side_by_side else nullcontext():
        visits = {p: seconds_of_visit(config, p, device) for p in {"float32", profile.precision}}
        step = seconds_of_step(profile, config, device)
        before = seconds_of_pretraining_step() if profile.model.source == "demo" else 0.0
        return Rates(visits[profile.precision], visits["float32"], step, before)


def seconds_of_visit(config: hf.PretrainedConfig, precision: str, device: str) -> float:
    model = hf.AutoModelForSequenceClassification.from_config(config).float().to(device)
    objective = Objective(model, random_examples(config))
    origin = ParameterSpace(model).read()
    with Walk([objective], origin, (1e-3 * origin,)).open(precision) as walker:
        seconds = timeit.repeat(lambda: walker((1.0,)), number=1, repeat=TIMES + 1)
    return statistics.median(seconds[1:]) / objective.tokens


def seconds_of_step(profile: Profile, config: hf.PretrainedConfig, device: str) -> float:
    from ..training.trainer import Collator, StepTrainer, arguments

    batch = max(spec.scratch.batch_size for spec in profile.tasks.values())
    examples = random_examples(config)[:batch]
    trainer = StepTrainer(
        model=hf.AutoModelForSequenceClassification.from_config(config).float(),
        args=arguments(
            device=device,
            seed=0,
            max_steps=TIMES + 1,
            per_device_train_batch_size=batch,
            learning_rate=1e-6,
            bf16=profile.training.precision == "bfloat16",
        ),
        what="a step of training",
        train_dataset=examples,
        data_collator=Collator(),
    )
    tokens = sum(len(example["input_ids"]) for example in examples)
    return timeit.timeit(trainer.train, number=1) / (TIMES + 1) / tokens


def seconds_of_pretraining_step() -> float:
    few = replace(DEMO, steps=TIMES + 1, pairs=(TIMES + 1) * DEMO.batch_size)
    return timeit.timeit(lambda: pretrain(few), number=1) / few.steps


def random_examples(config: hf.PretrainedConfig) -> list[dict[str, Any]]:
    """Examples of random ids, which have `VISIT_TOKENS` tokens in all."""
    ids = np.random.default_rng(0).integers(10, config.vocab_size, (VISIT_TOKENS // LENGTH, LENGTH))
    mask = [1] * LENGTH
    return [{"input_ids": row, "attention_mask": mask, "labels": i % 2} for i, row in enumerate(ids.tolist())]


LINE = "{:<44}{:>9}{:>12}{:>9}{:>10}  {}"


def report(study: Study, items: Sequence[Item], workers: Sequence[int]) -> Iterator[str]:
    """The plan as lines: a table of its items, then disk, memory and time."""
    yield LINE.format("result", "visits", "tokens", "MB", "time", "").rstrip()
    for item in items:
        cost = item.cost
        count, tokens = cost.steps or round(cost.visits), cost.step_tokens + cost.visit_tokens
        told = f"{tokens:,.0f}" if tokens else ""  # those of the pre-training are not counted
        there = "in the store" if item.there else ""
        cells = (f"{count:,}", told, f"{cost.disk / 1e6:,.1f}", duration(item.seconds), there)
        yield LINE.format(item.label, *cells).rstrip()
    missing = [item for item in items if not item.there]
    first = sum(item.seconds for item in missing if item.label == PRETRAINING)
    training = first + max((item.seconds for item in missing if item.trains), default=0.0)
    total, disk = sum(item.seconds for item in missing), sum(item.cost.disk for item in missing)
    with hub.left_alone():
        parameters = size_of(network_config(study.profile.model)).size
    yield (
        f"to do: {len(missing)} of {len(items)} results, {disk / 1e9:,.2f} GB on the disk; memory: about "
        f"{(16 * parameters + LIBRARIES) / 1e9:.1f} GB and the activations for a scan or a training"
    )
    times = (f"{duration(max(total / n, training))} with {n} workers" for n in workers)
    at_most = ", if no point of a surface is interpolated" if study.profile.grid.tolerance else ""
    yield f"time on this machine, within 30 %{at_most}: {', '.join(times)}"


def duration(seconds: float) -> str:
    """In the unit that leaves a number below a hundred or so: "48 s", "31 min", "5.2 h"."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
