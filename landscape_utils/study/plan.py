"""What a study costs, known before it is paid: visits, operations, memory, files and hours of each of its results.

Nothing is fetched for it: where a data set or a model is not at hand, its published sizes are taken.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import torch

from ..engine.objective import TOKENS_PER_BATCH
from ..engine.precision import RANDOM_CELLS
from ..engine.space import layer_ranges
from ..engine.walker import CACHE_BYTES
from ..errors import UserError
from ..landscape.rollback import AXIS
from ..names import SPLITS
from ..training import hub, pretraining
from .costs import Network, Sizes, network_config, task_sizes
from .jobs import Job, label, plan_jobs
from .keys import DRAWS
from .measuring import Load, Seconds, measure, measuring, side_by_side
from .study import Study


@dataclass(frozen=True)
class Item:
    """The cost of one result: `visits` of points, or steps of a training, with `tokens` tokens each."""

    name: str
    there: bool
    visits: int
    examples: int
    tokens: float
    operations: float
    files: int
    bytes: float
    seconds: float
    chain: float = (
        0.0  # seconds that no number of workers shortens: this training and those that it goes on from
    )


@dataclass(frozen=True)
class Plan:
    """The items of a study; the memory of a scan and of a training on the device, and of a worker beside it."""

    network: Network
    items: tuple[Item, ...]
    scan_bytes: float
    training_bytes: float
    host_bytes: float

    def seconds(self, workers: int) -> float:
        """Of what is not there, on so many workers: points are shared among them, a training is one worker's."""
        missing = [item for item in self.items if not item.there]
        longest = max((item.chain for item in missing), default=0.0)
        return max(sum(item.seconds for item in missing) / workers, longest)


def estimate(study: Study, what: Sequence[str] = (), workers: int = 1) -> Plan:
    """The plan of everything that `what` (default: all) stands for, timed with so many busy workers."""
    if study.store.read_only:
        raise UserError(
            "device 'none' computes nothing, and so there is nothing to plan: give another device"
        )
    jobs = plan_jobs(study, what, has=lambda job: False)
    involved = {job.arguments[0] for job in jobs if job.method != "overfitting"}
    with hub.left_alone():
        sizes = {name: task_sizes(study, name) for name in involved}
        there = {job for job in jobs if is_there(study, job)}
    return Planner(study, sizes, workers).plan(jobs, there)


class Planner:
    """Turns jobs into items, by a network's operations and the seconds measured here."""

    def __init__(self, study: Study, sizes: dict[str, Sizes], workers: int):
        self.study, self.sizes, self.workers = study, sizes, workers
        self.config = network_config(study)
        self.network = Network.of(self.config)
        self.threads = 1 if study.profile.side_by_side else torch.get_num_threads()
        self.lengths = [length for s in sizes.values() for length in (s.train_length, s.dev_length)]
        self.load = Load(
            config=self.config,
            training=study.profile.training,
            precision=study.profile.precision if study.profile.precision != "auto" else "float32",
            length=max(round(sum(self.lengths) / len(self.lengths)), 2),
            examples=max(sum(self.sample(name)) for name in sizes),
            batch=max(study.profile.tasks[name].scratch.batch_size for name in sizes),
            threads=self.threads,
            device=study.device,
        )

    def plan(self, jobs: Sequence[Job], there: set[Job]) -> Plan:
        self.rates = measure(self.load, self.workers)
        makers = {
            "run": self.run,
            "rollback": self.rollback,
            "cube": self.cube,
            "trajectory": self.path,
            "overfitting": self.path,
        }
        items = [makers.get(job.method, self.scan)(job, job in there) for job in jobs]
        batch_tokens = TOKENS_PER_BATCH["cuda" if self.study.device.startswith("cuda") else "cpu"]
        longest = max(self.lengths)
        return Plan(
            self.network,
            (*self.pretraining(), *items),
            self.network.scan_bytes(batch_tokens, self.load.precision),
            self.network.training_bytes(self.load.batch * longest, longest),
            self.network.host_bytes(max(s.train * s.train_length for s in self.sizes.values())),
        )

    def sample(self, name: str) -> tuple[int, int]:
        """Examples of train and dev that a surface is computed on."""
        size, of = self.sizes[name], self.study.profile.sample
        return min(of.train or size.train, size.train), min(of.dev or size.dev, size.dev)

    def run(self, job: Job, there: bool) -> Item:
        name, how = job.arguments[:2]
        size, settings = self.sizes[name], self.study.keys.settings(name, how)
        steps = settings.epochs * math.ceil(size.train / settings.batch_size)
        trained = settings.epochs * size.train * size.train_length  # tokens
        watched = (settings.epochs + 1) * size.dev * size.dev_length  # the dev split after each epoch
        # Going forward, all that the dev split needs, is a third of a step's operations; it took half its time.
        step = self.rates.step
        seconds = step.start + steps * step(trained / steps) + watched * step.per_token / 2
        before = sum(self.run(need, there).chain for need in job.needs)
        return Item(
            label(job),
            there,
            visits=steps,
            examples=settings.batch_size,
            tokens=trained / steps,
            operations=3 * self.network.forward(trained, size.train_length)
            + self.network.forward(watched, size.dev_length),
            files=settings.epochs + 5,
            bytes=4.0 * self.network.parameters * (settings.epochs + 1),
            seconds=seconds,
            chain=seconds + before,
        )

    def scan(self, job: Job, there: bool) -> Item:
        name, grid = job.arguments[0], self.study.profile.grid
        points = 2 + (grid.curve_resolution if job.method == "curve" else grid.resolution**2)
        first = layer_ranges(self.network.layers)[job.arguments[1]][0] if job.method == "layer_surface" else 0
        train, dev = self.sample(name)
        size = self.sizes[name]
        splits = (train, size.train_length), (dev, size.dev_length)
        item = self.visits(job, there, [(points, first)], *splits)
        item = replace(item, bytes=len(SPLITS) * points * (32 + 8 * DRAWS) + 16_000)
        if self.load.precision == "float32":
            return item
        probe = 2 ** (1 if job.method == "curve" else 2) + 2 + RANDOM_CELLS  # corners, marks, cells at random
        each = self.rates.exact(item.tokens) + item.seconds / points
        return replace(item, seconds=item.seconds + probe * each)

    def rollback(self, job: Job, there: bool) -> Item:
        """Three points for each layer group, of which the first goes through all layers."""
        size = self.sizes[job.arguments[0]]
        first = [layer for layer, _ in layer_ranges(self.network.layers).values()]
        legs = [(len(first), 0), *((2, layer) for layer in first)]
        return self.visits(job, there, legs, (size.dev, size.dev_length), point=self.rates.exact)

    def cube(self, job: Job, there: bool) -> Item:
        """A plane of the middle and the high layers for each place of the low ones."""
        size, (_, dev) = self.sizes[job.arguments[0]], self.sample(job.arguments[0])
        planes, middle = len(AXIS), layer_ranges(self.network.layers)["middle"][0]
        legs = [(planes, 0), (planes**3 - planes, middle)]
        return self.visits(job, there, legs, (dev, size.dev_length), point=self.rates.exact)

    def visits(
        self,
        job: Job,
        there: bool,
        legs: Sequence[tuple[int, int]],
        *splits: tuple[int, float],
        point: Seconds | None = None,
    ) -> Item:
        """Visits on splits of (examples, length), in legs of so many points each at which the layers from a first one
        on move; `point`: in the study's precision unless told otherwise.
        """
        point = point or self.rates.point
        tokens = sum(examples * length for examples, length in splits)
        replayed = min(1.0, CACHE_BYTES / (4 * tokens * self.network.width))
        forward = sum(self.network.forward(examples * length, length) for examples, length in splits)
        points = sum(count for count, _ in legs)
        whole = sum(  # visits of all layers that would be as much work
            count * (1 - replayed * (1 - self.network.moving_share(first))) for count, first in legs
        )
        return Item(
            label(job),
            there,
            visits=points,
            examples=sum(examples for examples, _ in splits),
            tokens=tokens,
            operations=whole * forward,
            files=2,
            bytes=64.0 * points + 16_000,
            seconds=point.start + points * point.fixed + whole * point.per_token * tokens,
        )

    def path(self, job: Job, there: bool) -> Item:
        legs = [need.arguments[:2] for need in job.needs if need.arguments[0] == job.needs[0].arguments[0]]
        epochs = sum(self.study.keys.settings(*leg).epochs for leg in dict.fromkeys(legs))
        products = 8.0 * self.network.parameters * (epochs + 1)
        return Item(label(job), there, epochs + 1, 0, 0.0, products, 2, 16_000, self.rates.point.start)

    def pretraining(self) -> Iterator[Item]:
        """The demo's own: where the profile brings its model with it."""
        if self.study.profile.model.source != "demo":
            return
        recipe = pretraining.DEMO
        there = (self.study.store.folder / "models" / f"demo-{pretraining.recipe_key()}").exists()
        seconds = 0.0 if there else max(side_by_side(seconds_of_pretraining, self.threads, self.workers))
        tokens = recipe.batch_size * 17.0
        yield Item(
            "pre-training",
            there,
            visits=recipe.steps,
            examples=recipe.batch_size,
            tokens=tokens,
            operations=3 * self.network.forward(recipe.steps * tokens, 17.0),
            files=5,
            bytes=5.0 * self.network.parameters,
            seconds=seconds,
            chain=seconds,
        )


def seconds_of_pretraining(threads: int) -> float:
    """Of all its steps, from a few."""
    few, more = 4, 16
    taken = []
    with measuring(threads):
        for steps in (few, more):
            started = time.perf_counter()
            pretraining.pretrain(replace(pretraining.DEMO, steps=steps, pairs=2000))
            taken.append(time.perf_counter() - started)
    return taken[0] + (pretraining.DEMO.steps - few) * (taken[1] - taken[0]) / (more - few)


def is_there(study: Study, job: Job) -> bool:
    """Whether the store has a result; what cannot be told without its model or data is not there."""
    try:
        return study.has(job)
    except UserError:
        return False


LINE = "{:<30}{:>10}{:>10}{:>12}{:>12}{:>7}{:>10}{:>10}  {}"


def report(plan: Plan, workers: Sequence[int]) -> Iterator[str]:
    """The plan as lines: a table of its items, then memory, disk and time."""
    heads = ("result", "visits", "examples", "tokens", "operations", "files", "MB", "time", "")
    yield LINE.format(*heads).rstrip()
    for item in plan.items:
        counts = (f"{item.visits:,}", f"{item.examples:,}", f"{item.tokens:,.0f}", f"{item.operations:.1e}")
        size, time_ = f"{item.bytes / 1e6:,.1f}", duration(item.seconds)
        there = "in the store" if item.there else ""
        yield LINE.format(item.name, *counts, item.files, size, time_, there).rstrip()
    missing = [item for item in plan.items if not item.there]
    yield (
        f"to do: {len(missing)} of {len(plan.items)} results, {sum(i.operations for i in missing):.1e} operations, "
        f"{sum(i.files for i in missing):,} files of {sum(i.bytes for i in missing) / 1e9:,.2f} GB"
    )
    yield (
        f"memory on the device: {plan.scan_bytes / 1e9:.2f} GB for a scan, {plan.training_bytes / 1e9:.2f} GB for a "
        f"training; on the host: {plan.host_bytes / 1e9:.2f} GB for each worker"
    )
    yield "time on this machine: " + ", ".join(
        f"{duration(plan.seconds(n))} with {n} workers" for n in workers
    )


def duration(seconds: float) -> str:
    """In the unit that leaves a number below a hundred or so: "48 s", "31 min", "5.2 h", "9.1 days"."""
    for unit, size, limit in (("s", 1, 100), ("min", 60, 6000), ("h", 3600, 360_000)):
        if seconds < limit:
            return f"{seconds / size:.{0 if size < 3600 else 1}f} {unit}"
    return f"{seconds / 86_400:.1f} days"
