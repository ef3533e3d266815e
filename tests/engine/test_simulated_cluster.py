"""Scans on a simulated cluster that loses, delays and doubles: the bits of a scan without one, and no hang."""

import gc
import random
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from distributed import KilledWorker
from geometry import Acting, assert_same, interrupt, make_plane
from networks import make_examples, make_model

from landscape_utils import Objective, UserError, scan
from landscape_utils.engine import cluster
from landscape_utils.engine.walker import Walk

SEEDS = 1000  # 10,000 were run once
ALPHA, BETA = np.linspace(-2, 2, 19), np.array([0.5])
FAILURES = 1  # of workers that a task survives; dask allows 3
FOREVER = 50_000  # steps: a scan of 20 points takes some hundred


@dataclass(eq=False)
class Worker:
    name: str
    opened: dict = field(default_factory=dict)  # the state of its process
    data: dict = field(default_factory=dict)  # results that it computed, or fetched from another one


@dataclass(eq=False)
class Future:
    cluster: Any  # whose time passes as it is asked
    call: tuple[Any, ...]
    state: str = "pending"
    failures: int = 0
    error: Exception | None = None

    @property
    def status(self) -> str:
        self.cluster.step()
        return self.state

    def result(self) -> Any:
        if self.cluster.chance() and (holders := self.cluster.holders(self)):
            self.cluster.kill(holders[0].name)  # while the row is on its way
        while self.state == "pending":
            self.cluster.step()
        if self.error:
            raise self.error
        value = self.cluster.holders(self)[0].data[self]
        self.cluster.cancel([self])  # nobody refers to it any more
        return value


class Cluster:
    """A stand-in for dask: scheduler and workers in one thread, whose time passes whenever they are asked something.

    What happens next is drawn from a seed: workers die and take with them what only they held, which is then computed
    again; they are cut off and come back with a late or doubled answer, leave while they are asked, join in the middle.
    """

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.trouble = self.random.choice([0.0, 0.01, 0.05, 0.2])  # how likely something goes wrong at a step
        self.workers: dict[str, Worker] = {}
        self.tasks: list[Future] = []  # that are to be done, or somebody may still ask for
        self.running: list[list] = []  # [steps left, task, worker]
        self.steps, self.happened = 0, Counter[str]()
        for _ in range(self.random.randint(0, 4)):
            self.add_worker()

    # What a client asks

    def nthreads(self) -> dict[str, int]:
        self.step()
        return dict.fromkeys(self.workers, 1)

    def scheduler_info(self) -> dict[str, str]:
        return {"address": "tcp://simulated"}

    def wait_for_workers(self, n_workers: int, timeout: float) -> None:
        for _ in range(100):
            if len(self.workers) >= n_workers:
                return
            self.step()
        raise self.noted("no worker for long", TimeoutError())

    def submit(self, func: Any, *args: Any, pure: bool, **place: Any) -> Future:
        assert not pure, "the same call of another scan would be the same task"
        self.tasks.append(Future(self, (func, *args)))
        return self.want(self.tasks[-1])

    def cancel(self, futures: list[Future]) -> None:
        for future in futures:
            future.state = "cancelled"
            for worker in self.workers.values():
                worker.data.pop(future, None)
        self.tasks = [task for task in self.tasks if task not in futures]

    def run(self, function: Any, *args: Any, on_error: str) -> dict[str, Any]:
        self.step()
        answers = {name: self.at(worker, function, *args) for name, worker in self.workers.items()}
        left = {name: self.noted("left while asked", OSError()) for name in answers if self.chance()}
        return answers | left

    # What happens

    def want(self, task: Future) -> Future:
        task.state = "pending"
        for error in [need.error for need in needs(task) if need.error]:
            self.fail(task, error)
        return task

    def step(self) -> None:
        """Some time passes."""
        self.steps += 1
        assert self.steps < FOREVER, "it hangs"
        if len(self.workers) < 6 and self.random.random() < max(0.03, self.trouble / 2):
            self.add_worker()
        if self.workers and self.chance():
            self.kill(self.random.choice(list(self.workers)))
        for run in list(self.running):
            run[0] -= 1
            if run[0] < 0:
                self.running.remove(run)
                self.finish(*run[1:])
        busy = [worker for _, _, worker in self.running]
        at_work = [task for _, task, worker in self.running if worker.name in self.workers]
        for worker in [worker for worker in self.workers.values() if worker not in busy]:
            waiting = [task for task in self.tasks if task.state == "pending" and task not in at_work]
            if ready := [task for task in waiting if all(map(self.holders, needs(task)))]:
                task = self.random.choice(ready)
                at_work.append(task)
                for need in needs(task):  # not copied: it is not to be changed
                    worker.data.setdefault(need, self.holders(need)[0].data[need])
                slow = self.random.choice([1, 3, 30])
                self.running.append([self.random.randint(0, slow), task, worker])

    def finish(self, task: Future, worker: Worker) -> None:
        """A worker, which may have been taken for dead and now is back, has a result."""
        self.happened["late"] += worker.name not in self.workers
        self.happened["doubled"] += task.state == "finished"
        if task.state not in ("pending", "finished"):
            return
        self.workers[worker.name] = worker
        parts = [worker.data[part] if isinstance(part, Future) else part for part in task.call]
        try:
            worker.data[task] = self.at(worker, *parts)
        except Exception as error:
            self.fail(task, error)
        else:
            task.state = "finished"

    def fail(self, task: Future, error: Exception) -> None:
        """It, and whatever needs it."""
        task.state, task.error = "error", error
        self.tasks.remove(task)
        for other in [other for other in self.tasks if other.state == "pending" and task in needs(other)]:
            self.fail(other, error)

    def kill(self, name: str) -> None:
        worker = self.workers.pop(name)
        self.happened["killed"] += 1
        for run in [run for run in self.running if run[2] is worker]:
            task = run[1]
            task.failures += 1
            if self.random.random() < 0.5:  # or else it is only cut off, and computes on
                self.running.remove(run)
            if task.failures > FAILURES and task.state == "pending":
                self.fail(task, self.noted("killed its workers", KilledWorker("task", worker, FAILURES)))
        for task in [task for task in self.tasks if task.state == "finished" and not self.holders(task)]:
            self.want(self.noted("lost and computed again", task))

    def holders(self, task: Future) -> list[Worker]:
        return [worker for worker in self.workers.values() if task in worker.data]

    def add_worker(self) -> None:
        name = f"worker {self.happened['joined']}"
        self.workers[name] = Worker(self.noted("joined", name))

    def at(self, worker: Worker, function: Any, *args: Any) -> Any:
        """`function(*args)` in the process of a worker."""
        cluster._opened = worker.opened
        try:
            return function(*args)
        finally:
            cluster._computing.submit(int).result()  # what was left to the other thread is done

    def chance(self) -> bool:
        return self.random.random() < self.trouble

    def noted(self, what: str, value: Any) -> Any:
        self.happened[what] += 1
        return value


def needs(task: Future) -> list[Future]:
    return [part for part in task.call if isinstance(part, Future)]


@contextmanager
def known(rows):
    """In the place of a walker: the rows that one found, until it is closed."""
    rows = dict(rows)
    yield lambda point: torch.from_numpy(rows[point])
    rows.clear()


@pytest.fixture(scope="module")
def case():
    """Objectives on a plane, the surfaces that scans of it without a cluster find, and the rows of all points."""
    model, journal = make_model(), {}
    objectives = [Objective(model, make_examples(3, seed=seed)) for seed in (0, 1)]
    where = (objectives, make_plane(model), ALPHA, BETA)
    whole = scan(*where, journal=journal)
    adaptive = scan(*where, tolerance="stderr")
    assert 10 < adaptive[0].computed.sum() < 19, "several rounds"
    points = [*product(ALPHA.tolist(), BETA.tolist()), (0.0, 0.0), (1.0, 0.0)]
    rows = {point: journal[i] for i, point in enumerate(points)}
    return where, {None: whole, "stderr": adaptive}, rows


@pytest.fixture(autouse=True)
def quick(monkeypatch, caplog):
    """No time passes but the simulated; what workers leave open is theirs."""
    monkeypatch.setattr(cluster, "POLL", 0.0)
    monkeypatch.setattr(cluster, "_opened", {})
    caplog.set_level("ERROR", "landscape_utils")
    yield
    # The walkers of several processes, in one thread here, are not closed in order, or only as they are collected.
    cluster._opened.clear()
    gc.collect()
    torch.set_grad_enabled(True)


def scanned(case, seed: int) -> Counter:
    """Scan on the cluster of this seed, perhaps interrupted; go on until it is whole; compare; what happened."""
    where, expected, _ = case
    client, journal = Cluster(seed), {}
    tolerance = "stderr" if seed % 2 else None
    given = {"client": client, "tolerance": tolerance}
    if random.Random(seed).random() < 0.3:
        stopped = Acting(random.Random(-seed).randint(0, 17), interrupt)
        with suppress(KeyboardInterrupt, UserError):
            scan(*where, journal=stopped, **given)
        journal = dict(stopped)
    while True:
        try:
            found = scan(*where, journal=journal, **given)
            break
        except UserError as error:  # all is lost, is said in a line: somebody looks after the cluster
            assert "what was computed is kept" in str(error)
            client.happened["given up"] += 1
            client.trouble = 0.0
    assert_same(found, expected[tolerance])
    assert len(journal) == found[0].computed.sum() + 3, "the marks and the probe, and not one more than alone"
    assert not client.tasks, "what nobody waits for is neither computed nor kept"
    assert not any(worker.opened for worker in client.workers.values()), "no walk stays open behind its scan"
    return client.happened


def test_whatever_happens_the_bits_are_the_same(case, monkeypatch):
    monkeypatch.setattr(Walk, "open", lambda walk, precision: known(case[2]))
    monkeypatch.setattr(Walk, "to", lambda walk, device: walk)
    # nothing of a walk is read here, and to send a thousand models takes most of the time
    monkeypatch.setattr(Walk, "__getstate__", lambda walk: None, raising=False)
    happened = Counter()
    for seed in range(SEEDS):
        try:
            happened += scanned(case, seed)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
    trouble = "killed, killed its workers, lost and computed again, late, doubled, left while asked"
    for what in f"joined, {trouble}, no worker for long, given up".split(", "):
        assert happened[what], what


@pytest.mark.parametrize("seed", range(5))
def test_walkers_of_workers_find_the_same_bits_too(case, seed):
    scanned(case, seed)
