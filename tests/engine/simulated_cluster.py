"""A stand-in for dask: a scheduler and its workers in one thread, whose time passes whenever they are asked something.

What happens next is drawn from a seed: workers die and take with them what only they held, go on unseen and answer
late, leave while they are asked, join in the middle. What a client can see of it is what dask shows.
"""

from __future__ import annotations

import pickle
import random
from collections import Counter
from concurrent.futures import CancelledError
from dataclasses import dataclass, field
from typing import Any

from distributed import KilledWorker

from landscape_utils.engine import cluster_worker

FAILURES = 1  # of workers that a task survives; dask allows 3
FOREVER = 50_000  # steps: a scan of 20 points takes some hundred


@dataclass(eq=False)
class Worker:
    name: str
    opened: dict = field(default_factory=dict)  # the state of its process
    copies: dict = field(default_factory=dict)  # what it has of what was scattered


@dataclass(eq=False)
class Future:
    cluster: Cluster  # whose time passes as the status is asked
    call: tuple[Any, ...] = ()
    data: Any = None
    state: str = "pending"
    value: Any = None
    failures: int = 0

    @property
    def status(self) -> str:
        self.cluster.step()
        return self.state

    def result(self) -> Any:
        if isinstance(self.value, Exception):
            raise self.value
        return self.value


class Cluster:
    """A client of the simulated scheduler.

    Attributes:
        copies: whether workers have copies of what they are sent, or the same objects, which is faster.
        trouble: how likely something goes wrong at a step.
        happened: how often what did.
    """

    def __init__(self, seed: int, copies: bool = True):
        self.copies = copies
        self.random = random.Random(seed)
        self.trouble = self.random.choice([0.0, 0.01, 0.05, 0.2])
        self.workers: dict[str, Worker] = {}
        self.waiting: list[Future] = []
        self.running: list[list] = []  # [steps left, task, worker's name, the worker]
        self.scattered: list[Future] = []
        self.steps = 0
        self.happened: Counter[str] = Counter()
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

    def scatter(self, data: Any, *, broadcast: bool, hash: bool) -> Future:
        assert not hash, "what was lost would not be sent again"
        self.step()
        if not self.workers:
            raise self.noted("nobody to scatter to", TimeoutError("No valid workers found"))
        future = Future(self, data=data, state="finished")
        self.scattered.append(future)
        for worker in self.workers.values():
            worker.copies[future] = None
        return future

    def submit(self, func: Any, *args: Any, pure: bool) -> Future:
        assert not pure, "a task that was lost would be the same one again"
        task = Future(self, call=(func, *args))
        self.waiting.append(task)
        return task

    def cancel(self, futures: list[Future]) -> None:
        for future in futures:
            future.state = "cancelled"
        self.waiting = [task for task in self.waiting if task not in futures]

    def run(self, function: Any, *args: Any, on_error: str) -> dict[str, Any]:
        self.step()
        answers = {name: self.at(worker, function, *args) for name, worker in self.workers.items()}
        left = {name: self.noted("left while asked", OSError()) for name in answers if self.chance()}
        return answers | left

    # What happens

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
        busy = {name for _, _, name, _ in self.running}
        for worker in list(self.workers.values()):
            if self.waiting and worker.name not in busy:
                self.begin(self.waiting.pop(self.random.randrange(len(self.waiting))), worker)

    def begin(self, task: Future, worker: Worker) -> None:
        shared = next(part for part in task.call if isinstance(part, Future))
        holders = [other for other in self.workers.values() if shared in other.copies]
        if not holders:
            task.state = self.noted("lost with what it needs", self.random.choice(["lost", "cancelled"]))
        else:
            worker.copies.setdefault(shared)
            slow = self.random.choice([1, 3, 30])
            self.running.append([self.random.randint(0, slow), task, worker.name, worker])

    def finish(self, task: Future, name: str, worker: Worker) -> None:
        """A worker, which may be taken for dead, has a result."""
        if task.state == "cancelled":
            return
        self.happened["late"] += name not in self.workers
        self.happened["doubled"] += task.state == "finished"
        try:
            value = self.at(worker, *(self.copy(worker, part) for part in task.call))
        except Exception as error:
            task.state, task.value = "error", error
            return
        if self.chance():  # the worker dies while the row is on its way
            task.state, task.value = self.noted("lost on the way", ("finished", CancelledError()))
        else:
            task.state, task.value = "finished", value

    def copy(self, worker: Worker, part: Any) -> Any:
        if not isinstance(part, Future):
            return part
        if worker.copies.get(part) is None:
            worker.copies[part] = pickle.loads(pickle.dumps(part.data)) if self.copies else part.data
        return worker.copies[part]

    def kill(self, name: str) -> None:
        worker = self.workers.pop(name)
        self.happened["killed"] += 1
        for run in [run for run in self.running if run[2] == name]:
            task = run[1]
            task.failures += 1
            if self.random.random() < 0.5:  # or else it is only cut off, and computes on
                self.running.remove(run)
            if task.failures > FAILURES:
                failure = KilledWorker("task", worker, FAILURES)
                task.state, task.value = self.noted("killed its workers", ("error", failure))
            elif task.state == "pending":
                self.waiting.append(task)
        for future in self.scattered:
            if not any(future in other.copies for other in self.workers.values()):
                future.state = "lost"

    def add_worker(self) -> None:
        name = f"worker {self.happened['joined']}"
        self.workers[name] = Worker(self.noted("joined", name))

    def at(self, worker: Worker, function: Any, *args: Any) -> Any:
        """`function(*args)` in the process of a worker."""
        cluster_worker._opened = worker.opened
        try:
            return function(*args)
        finally:
            cluster_worker._computing.submit(int).result()  # what was left to the other thread is done

    def chance(self) -> bool:
        return self.random.random() < self.trouble

    def noted(self, what: str, value: Any) -> Any:
        self.happened[what] += 1
        return value
