"""Cluster: the points of a scan, or calls of any function, spread over the workers of `dask.distributed`.

What all calls share (model, examples, directions) is sent once, and workers fetch it from one another. They may leave,
die and join: dask gives their calls to others. Results come back to the client's side, which alone keeps them.
"""

import logging
import os
import pickle
import time
import uuid
from collections.abc import Callable, Collection, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import torch

from ..environment import check_device
from ..errors import UserError
from ..progress import SWITCH
from .precision import Point, Rounds

logger = logging.getLogger(__name__)
PATIENCE = 600.0  # seconds without any worker after which a call gives up
POLL = 0.005  # seconds between two looks at what is in flight
LOOKS = 200  # after so many it is asked who has joined

Client = Any  # a `distributed.Client`, of which the tests have a simulated one


# A worker computes in one thread of its process: torch's thread count and no_grad are a thread's own.
_computing = ThreadPoolExecutor(1, "landscape_utils")
_opened: dict[str, Any] = {}  # the walk that this process is on, by its parcel's name


@dataclass(frozen=True, eq=False)
class Parcel:
    """A walk as it is sent to the workers, the precision, and the device that they are to do it on."""

    walk: Any  # a `walker.Walk`: of it, only where it is, how it is taken elsewhere and how it is begun are used
    precision: str
    device: str
    name: str = field(default_factory=lambda: uuid.uuid4().hex)


def alone(threads: int, function: Callable[..., Any], *arguments: Any) -> Any:
    """`function(*arguments)` in the thread that computes, with `threads` threads for its sums."""

    def computed() -> Any:
        torch.set_num_threads(threads)
        os.environ[SWITCH] = "off"  # the bars that are seen are the client's
        return function(*arguments)

    return _computing.submit(computed).result()


def visit(parcel: Parcel, point: Point) -> np.ndarray:
    """The row of a point. The walk is opened at a worker's first point, and stays open until `finish`."""
    if parcel.name not in _opened:
        close()
        # a copy, for other workers may fetch what was sent
        here = parcel.walk.to(check_device(parcel.device))
        _opened[parcel.name] = here.open(parcel.precision).__enter__()
    return _opened[parcel.name](point).numpy().ravel()


def close() -> None:
    """Give back the memory of the walk that was open, and the settings that it changed."""
    while _opened:
        _opened.popitem()[1].__exit__(None, None, None)


def finish(name: str) -> None:
    """Close a walk once the point in flight is done; the caller, a worker's event loop, does not wait for it."""
    _computing.submit(lambda: close() if name in _opened else None)


@dataclass(frozen=True, eq=False)
class Spread:
    """A walk that the workers of a client do, each with a copy of the model on `device` (None: as the model here)."""

    client: Client
    walk: Any  # a `walker.Walk`
    device: str | None = None

    def visits(self, rounds: Rounds, precision: str) -> Generator[tuple[int, np.ndarray]]:
        """(index, row) of every point, as they come, round after round; see `Walk.visits`."""
        here = self.walk.device.type
        walk = self.walk if here == "cpu" else self.walk.to("cpu")
        parcel = Parcel(walk, precision, self.device or here)
        try:
            tasks = (((i, (point,)) for i, point in points) for points in rounds)
            yield from call(self.client, visit, parcel, tasks)
        finally:
            self.client.run(finish, parcel.name, on_error="ignore")


def call(
    client: Client,
    function: Callable[..., Any],
    subject: Any,
    rounds: Iterable[Iterable[tuple[Any, tuple[Any, ...]]]],
) -> Generator[tuple[Any, Any]]:
    """(name, function(subject, *arguments)) of every task, (name, arguments), computed by the workers, as they come.

    Workers use as many threads as are used here, for the same sums in the same order. Tasks are taken as workers become
    free, so whoever ends them early waits for none; those of a round once all before them are done.
    """
    import dask
    from cloudpickle import dumps
    from distributed import KilledWorker

    threads = torch.get_num_threads()
    flying: dict[Any, tuple[Any, str]] = {}  # future -> name, the worker meant
    workers_of(client)
    # A task like the others, so that dask computes it again if all that have its result are lost.
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1TB"}):
        shared = client.submit(pickle.loads, dumps(subject), pure=False)
    try:
        for tasks in map(iter, rounds):
            while True:
                for worker, count in workers_of(client).items():
                    free = count - sum(meant == worker for _, meant in flying.values())
                    for name, arguments in islice(tasks, max(0, free)):
                        # Left to itself dask spares the transfer of what is shared, and lets workers idle.
                        place = {"workers": [worker], "allow_other_workers": True, "pure": False}
                        future = client.submit(alone, threads, function, shared, *arguments, **place)
                        flying[future] = name, worker
                if not flying:
                    break
                for future in landed(flying):
                    name, _ = flying.pop(future)
                    yield name, future.result()
    except KilledWorker:
        raise UserError(
            "all workers that tried a task were lost (too little memory?); start again: what was computed is kept"
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
