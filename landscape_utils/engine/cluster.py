"""Cluster: the points of a scan, or calls of any function, spread over the workers of `dask.distributed`.

What all calls share (model, examples, directions) is sent once, and workers fetch it from one another. They may leave,
die and join: dask gives their calls to others. Results come back to the client's side, which alone keeps them.
"""

import logging
import os
import pickle
import time
import uuid
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
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

Tasks = Iterable[tuple[Any, tuple[Any, ...]]]  # (name, arguments) of each
KEPT = "start again: what was computed is kept"
Client = Any  # a `distributed.Client`, of which the tests have a simulated one


# A worker computes in one thread of its process: torch's thread count and no_grad are a thread's own.
_computing = ThreadPoolExecutor(1, "landscape_utils")
# the walk that this process is on, by its name: what ends it, and what measures a point
_opened: dict[str, tuple[ExitStack, Callable[[Point], Any]]] = {}


def alone(threads: int, function: Callable[..., Any], *arguments: Any) -> Any:
    """`function(*arguments)` in the thread that computes, with `threads` threads for its sums."""

    def computed() -> Any:
        torch.set_num_threads(threads)
        os.environ[SWITCH] = "off"  # the bars that are seen are the client's
        return function(*arguments)

    return _computing.submit(computed).result()


def visit(walk: Any, name: str, device: str, precision: str, point: Point) -> np.ndarray:
    """The row of a point. The walk is opened at a worker's first point, and stays open until `finish`."""
    if name not in _opened:
        close()
        # a copy, for other workers may fetch what was sent
        here, stack = walk.to(check_device(device)), ExitStack()
        _opened[name] = stack, stack.enter_context(here.open(precision))
    _, evaluate = _opened[name]
    return evaluate(point).numpy().ravel()


def close() -> None:
    """Give back the memory of the walk that was open, and the settings that it changed."""
    for name in list(_opened):
        stack, _ = _opened.pop(name)
        stack.close()


def finish(name: str) -> None:
    """Close a walk once the point in flight is done; the caller, a worker's event loop, does not wait for it."""
    _computing.submit(lambda: close() if name in _opened else None)


def spread(
    client: Client, walk: Any, device: str | None, rounds: Rounds, precision: str
) -> Generator[tuple[int, np.ndarray]]:
    """`walk.visits(rounds, precision)` by the workers of a client, as they come; each has a copy of the model on
    `device` (None: as the model here)."""
    here = walk.objectives[0].device.type
    sent = walk if here == "cpu" else walk.to("cpu")
    name = uuid.uuid4().hex
    tasks = (((i, (name, device or here, precision, point)) for i, point in points) for points in rounds)
    try:
        yield from call(client, visit, sent, tasks)
    finally:
        client.run(finish, name, on_error="ignore")


def call(
    client: Client, function: Callable[..., Any], subject: Any, rounds: Iterable[Tasks]
) -> Generator[tuple[Any, Any]]:
    """(name, function(subject, *arguments)) of every task, (name, arguments), as they come from workers, which use as
    many threads as are used here, for the same sums in the same order. Tasks are taken as workers become free, so
    whoever ends them early waits for none; those of a round once all before them are done."""
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
        raise UserError(f"all workers that tried a task were lost (too little memory?); {KEPT}") from None
    finally:
        client.cancel([*flying, shared])


def landed(flying: Iterable[Any]) -> list[Any]:
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
            begin = f"start some by `dask worker {address}`, then"
            raise UserError(f"no worker joined {address} within {PATIENCE:g} s; {begin} {KEPT}") from None
    return threads
