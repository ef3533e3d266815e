"""Cluster: the points of a scan, or calls of any object's methods, spread over the workers of `dask.distributed`.

What all calls share (model, examples, directions) is sent once, and workers fetch it from one another. They may leave,
die and join: dask gives their calls to others. Results come back to the client's side, which alone keeps them.
"""

from __future__ import annotations

import logging
import os
import pickle
import tempfile
import time
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
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

Client = Any  # a `distributed.Client`, of which the tests have a simulated one


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
    client: Client, function: Callable[..., Any], subject: Any, tasks: Iterable[tuple[Any, tuple[Any, ...]]]
) -> Generator[tuple[Any, Any]]:
    """(name, function(subject, *arguments)) of every task, (name, arguments), computed by the workers, as they come.

    Workers use as many threads as are used here, for the same sums in the same order. Tasks are taken as workers become
    free, so whoever ends them early waits for none.

    Raises:
        UserError: no worker for `PATIENCE` seconds; workers die of a task.
        Exception: what the function raises.
    """
    import dask
    from cloudpickle import dumps
    from distributed import KilledWorker

    threads, remaining = torch.get_num_threads(), iter(tasks)
    flying: dict[Any, tuple[Any, str]] = {}  # future -> name, the worker meant
    present = workers_of(client)
    # A task like the others, so that dask computes it again if all that have its result are lost.
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TB"}):
        shared = client.submit(pickle.loads, dumps(subject), pure=False)
    try:
        while True:
            for worker, count in present.items():
                free = count - sum(meant == worker for _, meant in flying.values())
                for name, arguments in islice(remaining, max(0, free)):
                    # Left to itself dask spares the transfer of what is shared, and lets workers idle.
                    place = {"workers": [worker], "allow_other_workers": True, "pure": False}
                    future = client.submit(alone, threads, function, shared, *arguments, **place)
                    flying[future] = name, worker
            if not flying:
                return
            for future in landed(flying):
                name, _ = flying.pop(future)
                yield name, future.result()
            present = workers_of(client)
    except KilledWorker:
        raise UserError(
            "all workers that tried a task were lost; see their logs (too little memory?), then start again: what was "
            "computed is kept"
        ) from None
    finally:
        client.cancel([*flying, shared])


def landed(flying: Collection[Any]) -> list[Any]:
    """The futures that are done, as soon as there are some; after a second without any, none."""
    for _ in range(LOOKS):
        if done := [future for future in flying if future.status != "pending"]:
            return done
        time.sleep(POLL)
    return []


def workers_of(client: Client) -> dict[str, int]:
    """How many threads each worker has, as soon as there is one. Raises UserError if there is none for `PATIENCE`."""
    while not (threads := client.nthreads()):
        address = client.scheduler_info()["address"]
        logger.warning("no worker at %s; waiting for one", address)
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise UserError(
                f"no worker joined {address} within {PATIENCE:g} s; start some by `dask worker {address}`, "
                f"then start again: what was computed is kept"
            ) from None
    return threads


def everywhere(client: Client, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
    """{worker: function(*arguments)}, which raises no OSError; a worker that leaves meanwhile is left out.

    Raises:
        UserError: no worker for `PATIENCE` seconds, or all of them left.
        Exception: what the function raises at a worker.
    """
    workers_of(client)
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
