"""Cluster: the points of a scan and the runs of a study, spread over the workers of a `dask.distributed` client.

What a scan needs (model, examples, directions) is sent to the workers once; a worker that joins later fetches it from
another one. Workers may leave and die: dask gives their points to others, and what was lost with its last holder is
sent anew. Results come back to the client's side, which alone writes to the store.
"""

from __future__ import annotations

import logging
import queue
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..environment import device_name
from ..errors import UserError
from ..store.files import make_folder
from .cluster_worker import Parcel, called, finish, looked_around, moved, probed, visited
from .precision import Point
from .walker import Walker

if TYPE_CHECKING:
    from distributed import Client, Future

    from ..study.runs import Runs

logger = logging.getLogger(__name__)
ANSWER = 10.0  # seconds for a scheduler to answer
PATIENCE = 600.0  # seconds without any worker after which a scan gives up
TICK = 1.0  # seconds between two looks at who has joined and what was lost
MISSING = "a cluster needs dask: pip install 'landscape_utils[cluster]'"

Task = tuple[Any, tuple[Any, ...]]  # a name, and the arguments of a function


def connect(address: str) -> Client:
    """A client of the scheduler at `address`, such as tcp://host:8786.

    Raises:
        UserError: dask is not installed, nobody answers there.
    """
    try:
        from distributed import Client
    except ImportError:
        raise UserError(MISSING) from None
    try:
        return Client(address, timeout=ANSWER)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"no dask scheduler answers at {address!r} ({type(error).__name__}); start one by `dask scheduler` and "
            f"give the address that it prints, such as tcp://host:8786"
        ) from None


@dataclass(frozen=True, eq=False)
class Spread:
    """A walk that the workers of a client do, each with a copy of the model on its own device.

    Args:
        client: of `dask.distributed`.
        walk: makes a Walker of a given precision.
        device: where the workers compute; None: where the model is here.
        threads: of a worker while it computes; as many as here give the same sums in the same order.
    """

    client: Client
    walk: partial[Walker]
    device: str | None = None
    threads: int = field(default_factory=torch.get_num_threads)

    def probe(self, points: list[Point], precision: str, bound: float) -> np.ndarray:
        """`precision.probe`, by one of the workers."""
        ((_, row),) = results(self.client, self._parcel, probed, [("probe", (points, precision, bound))])
        return row

    def visits(
        self, points: Iterable[tuple[int, Point]], precision: str
    ) -> Generator[tuple[int, np.ndarray]]:
        """(index, row) of every point, as they come."""
        tasks = ((i, (precision, point)) for i, point in points)
        walkers = set[str]()
        try:
            for i, (row, address) in results(self.client, self._parcel, visited, tasks):
                walkers.add(address)
                yield i, row
        finally:
            if here := list(walkers & self.client.nthreads().keys()):
                self.client.run(finish, workers=here, on_error="ignore")

    @property
    def _parcel(self) -> Parcel:
        here = self.walk.args[0][0].device
        walk = self.walk if here.type == "cpu" else moved(self.walk, "cpu")
        return Parcel(walk, self.device or here.type, self.threads)


def results(
    client: Client, payload: Any, function: Callable[..., Any], tasks: Iterable[Task]
) -> Iterator[tuple[Any, Any]]:
    """(name, function(payload, *arguments)) of every task, computed by the workers, as they come.

    Tasks are taken as workers become free, so whoever ends them early waits only for those in flight.

    Raises:
        UserError: no worker for `PATIENCE` seconds; workers die of whatever they are given.
    """
    remaining, again = iter(tasks), list[Task]()
    while True:
        wait_for_worker(client)
        lost, arrived = list[Task](), 0
        for task, result in flight(client, payload, function, chain(again, remaining)):
            if result is None:
                lost.append(task)
            else:
                arrived += 1
                yield task[0], result
        if not lost:
            return
        if not arrived:
            raise UserError(
                f"all workers that tried one of {len(lost)} tasks were lost; see their logs (too little memory?), "
                f"then start again: what was computed is kept"
            )
        logger.warning("%d tasks were lost with their workers: they are sent again", len(lost))
        again = lost


def flight(
    client: Client, payload: Any, function: Callable[..., Any], tasks: Iterator[Task]
) -> Iterator[tuple[Task, Any]]:
    """The tasks and their results, None for what was lost; after a loss no further tasks are taken."""
    shared = client.scatter(payload, broadcast=True, hash=False)
    flying: dict[Future, Task] = {}
    arrivals: queue.SimpleQueue[Future] = queue.SimpleQueue()
    sound = True
    try:
        while True:
            free = max(1, sum(client.nthreads().values())) - len(flying) if sound else 0
            for _, task in zip(range(free), tasks, strict=False):
                future = client.submit(function, shared, *task[1], pure=False)
                flying[future] = task
                future.add_done_callback(arrivals.put)
            if not flying:
                return
            for future in landed(arrivals, flying):
                result = fetched(future)
                sound = sound and result is not None
                yield flying.pop(future), result
    finally:
        client.cancel(list(flying))


def landed(arrivals: queue.SimpleQueue[Future], flying: Iterable[Future]) -> list[Future]:
    """The next future that is done, or within a tick none, or those that are lost: dask calls nobody back for them."""
    try:
        return [arrivals.get(timeout=TICK)]
    except queue.Empty:
        return [future for future in flying if future.status in ("cancelled", "lost")]


def fetched(future: Future) -> Any:
    """The result, which is not None; None if it was lost with its worker, be it on the way here."""
    from distributed import CancelledError, KilledWorker

    if future.status in ("cancelled", "lost"):
        return None
    try:
        return future.result()
    except (CancelledError, KilledWorker):
        return None


def wait_for_worker(client: Client) -> None:
    """Return as soon as there is a worker. Raises UserError if there is none for `PATIENCE` seconds."""
    if client.nthreads():
        return
    address = client.scheduler_info()["address"]
    logger.warning("no worker at %s; waiting for one", address)
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        raise UserError(
            f"no worker joined {address} within {PATIENCE:g} s; start some by `dask worker {address}`, "
            f"then start again: what was computed is kept"
        ) from None


def everywhere(client: Client, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
    """{worker: function(*arguments)}, which raises no OSError; a worker that leaves meanwhile is left out.

    Raises:
        UserError: no worker for `PATIENCE` seconds, or all of them left.
        Exception: what the function raises at a worker.
    """
    wait_for_worker(client)
    answers = client.run(function, *arguments, on_error="return")
    stayed = {worker: answer for worker, answer in answers.items() if not isinstance(answer, OSError)}
    for answer in stayed.values():
        if isinstance(answer, Exception):
            raise answer
    if not stayed:
        raise UserError(
            f"all workers left while they were asked, {', '.join(answers)}; see their logs, start again"
        )
    return stayed


def join(client: Client, device: str, folder: Path) -> str:
    """The device that `device` ("auto", ...) means at every worker.

    Raises:
        UserError: they differ, or `folder` is not the same one there as here: a study's snapshots go there.
    """
    make_folder(folder)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".shared-") as file:
        found = everywhere(client, looked_around, device, Path(file.name))
    blind = [worker for worker, (_, sees) in found.items() if not sees]
    if blind:
        raise UserError(
            f"{blind[0]} and {len(blind) - 1} other workers do not see {folder}; a study on a cluster needs a "
            f"results folder that all machines share: name one by results_dir"
        )
    devices = {device: worker for worker, (device, _) in found.items()}
    if len(devices) > 1:
        raise UserError(f"the workers compute on unlike devices, {devices}; choose one by device")
    return next(iter(devices))


def device_names(client: Client, device: str) -> str:
    """What a result says it was computed on; the workers' sums have as many threads as there are here."""
    if device == "cpu":
        return device_name(device)
    return ", ".join(sorted(set(everywhere(client, device_name, device).values())))


def apart(
    client: Client, study: Runs, calls: Iterable[tuple[Any, str, tuple[Any, ...]]]
) -> Iterator[tuple[Any, Any]]:
    """(name, result) of methods of a study, each by one worker, as they come; `calls`: name, method, arguments."""
    threads = torch.get_num_threads()
    tasks = ((name, (threads, method, arguments)) for name, method, arguments in calls)
    return results(client, study, called, tasks)
