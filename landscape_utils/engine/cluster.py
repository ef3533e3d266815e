"""Cluster: the points of a scan, or calls of any object's methods, spread over the workers of `dask.distributed`.

What all calls share (model, examples, directions) is sent to the workers once; a worker that joins later fetches it
from another one. Workers may leave and die: dask gives their calls to others, and what was lost with its last holder is
sent anew. Results come back to the client's side, which alone keeps them.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from concurrent.futures import CancelledError
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..environment import check_device, device_name
from ..errors import UserError
from .cluster_worker import Parcel, alone, ask, finish, visit
from .precision import Point
from .walker import Walk

logger = logging.getLogger(__name__)
ANSWER = 10.0  # seconds for a scheduler to answer
PATIENCE = 600.0  # seconds without any worker after which a call gives up
POLL = 0.005  # seconds between two looks at what is in flight
LOOKS = 200  # after so many it is asked who has joined
LOSSES = 3  # times that all in flight may be lost before anything comes back

Client = Any  # a `distributed.Client`, of which the tests have a simulated one
Task = tuple[Any, tuple[Any, ...]]  # a name, and the arguments of a function


def connect(address: str) -> Any:
    """A client of the scheduler at `address`, such as tcp://host:8786.

    Raises:
        UserError: dask is not installed, nobody answers there.
    """
    try:
        from distributed import Client
    except ImportError:
        raise UserError("a cluster needs dask: pip install 'landscape_utils[cluster]'") from None
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
        device: where the workers compute; None: where the model is here.
    """

    client: Client
    walk: Walk
    device: str | None = None

    def visits(
        self, points: Iterable[tuple[int, Point]], precision: str
    ) -> Generator[tuple[int, np.ndarray]]:
        """(index, row) of every point, as they come; see `Walk.visits`."""
        here = self.walk.objectives[0].device.type
        walk = self.walk if here == "cpu" else self.walk.to("cpu")
        parcel = Parcel(walk, precision, self.device or here)
        try:
            yield from call(self.client, visit, parcel, ((i, (point,)) for i, point in points))
        finally:
            self.client.run(finish, parcel.name, on_error="ignore")


def apart(
    client: Client, subject: Any, calls: Iterable[tuple[Any, str, tuple[Any, ...]]], folder: Path
) -> Iterator[tuple[Any, Any]]:
    """(name, result) of calls, (name, method of `subject`, arguments), each by one worker that sees `folder`, as they
    come."""
    return call(client, ask, subject, ((name, (folder, *asked)) for name, *asked in calls))


def call(
    client: Client, function: Callable[..., Any], subject: Any, tasks: Iterable[Task]
) -> Generator[tuple[Any, Any]]:
    """(name, function(subject, *arguments)) of every task, computed by the workers, as they come.

    Workers use as many threads as are used here, for the same sums in the same order. Tasks are taken as workers become
    free, so whoever ends them early waits for none.

    Raises:
        UserError: no worker for `PATIENCE` seconds; workers die of whatever they are given.
        Exception: what the function raises.
    """
    threads = torch.get_num_threads()
    remaining, lost = iter(tasks), list[Task]()
    flying: dict[Any, tuple[Task, Any]] = {}
    shared, losses = None, 0
    try:
        while True:
            shared = shared or sent(client, subject)
            free = max(1, sum(client.nthreads().values())) - len(flying)
            if lost:
                remaining, lost = chain(lost, remaining), []
            for task in islice(remaining, max(0, free)):
                future = client.submit(alone, threads, function, shared, *task[1], pure=False)
                flying[future] = task, shared
            if not flying:
                return
            for future in landed(flying):
                task, given = flying.pop(future)
                if answer := fetched(future):
                    losses = 0
                    yield task[0], answer[0]
                    continue
                lost.append(task)
                if given is shared:  # which may be lost as well
                    logger.warning("a worker was lost: its tasks are sent again")
                    shared, losses = None, losses + 1
            if losses == LOSSES:
                raise UserError(
                    f"all workers that tried one of {len(lost) + len(flying)} tasks were lost; see their logs (too "
                    f"little memory?), then start again: what was computed is kept"
                )
    finally:
        client.cancel(list(flying))


def sent(client: Client, subject: Any) -> Any:
    """The subject at the workers: what tasks are submitted with."""
    while True:
        wait_for_worker(client)
        try:
            return client.scatter(subject, broadcast=True, hash=False)
        except TimeoutError:  # the only worker has left meanwhile
            logger.warning("no worker took what was sent")


def landed(flying: Collection[Any]) -> list[Any]:
    """The futures that are done or lost, as soon as there are some; after a second without any, none."""
    for _ in range(LOOKS):
        if done := [future for future in flying if future.status != "pending"]:
            return done
        time.sleep(POLL)
    return []


def fetched(future: Any) -> tuple[Any] | None:
    """The result in a tuple; None if it was lost with its worker, be it on the way here."""
    from distributed import KilledWorker

    if future.status in ("cancelled", "lost"):  # which `result` would wait for
        return None
    try:
        return (future.result(),)
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
        UserError: they differ, or `folder` is not the same one there as here.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".shared-") as file:
        seen = everywhere(client, os.path.exists, file.name)  # what may not be looked at is not seen either
    if blind := [worker for worker, sees in seen.items() if not sees]:
        raise UserError(
            f"{blind[0]} and {len(blind) - 1} other workers do not see {folder}; a study on a cluster needs a "
            f"results folder that all machines share: name one by results_dir"
        )
    devices = everywhere(client, check_device, device)
    if len(set(devices.values())) > 1:
        raise UserError(f"the workers compute on unlike devices, {devices}; choose one by device")
    return next(iter(devices.values()))


def device_names(client: Client, device: str) -> str:
    """What a result says it was computed on; the workers' sums have as many threads as there are here."""
    if device == "cpu":
        return device_name(device)
    return ", ".join(sorted(set(everywhere(client, device_name, device).values())))
