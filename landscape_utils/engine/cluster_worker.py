"""A cluster's worker: what `cluster` has called there, one thing at a time in the one thread that computes.

A worker computes on a copy of what it was given, so that it can pass that on to another one in the middle of a walk.
"""

from __future__ import annotations

import copy
import os
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..environment import check_device
from ..errors import UserError
from ..progress import SWITCH
from .precision import Point, probe
from .walker import Walker

if TYPE_CHECKING:
    from ..study.study import Study

_computing = ThreadPoolExecutor(1, "landscape_utils")  # torch's thread count and no_grad are a thread's own
_opened: dict[tuple[str, str], Walker] = {}  # the walk that this process is on, by name and precision


@dataclass(frozen=True, eq=False)
class Parcel:
    """What is sent to the workers, unchanged by them, as they send it to each other."""

    walk: partial[Walker]
    device: str
    threads: int
    name: str = field(default_factory=lambda: uuid.uuid4().hex)


def moved(walk: partial[Walker], device: str) -> partial[Walker]:
    """A walk with a copy of the model and its examples on `device`."""
    objectives, origin, directions = walk.args
    objectives = copy.deepcopy(objectives)
    for objective in objectives:
        objective.to(device)
    origin, *directions = (v.to(device) for v in (origin, *directions))
    return partial(Walker, objectives, origin, directions, **walk.keywords)


def alone(function: Callable[[], Any], threads: int) -> Any:
    """`function()` in the one thread of this process that computes, with `threads` threads for its sums."""

    def call() -> Any:
        torch.set_num_threads(threads)
        return function()

    return _computing.submit(call).result()


def visited(parcel: Parcel, precision: str, point: Point) -> tuple[np.ndarray, str]:
    """The row of a point, and this worker's address.

    The walk is opened at a worker's first point and stays open until `finish`.
    """
    from distributed import get_worker

    def row() -> np.ndarray:
        key = parcel.name, precision
        if key not in _opened:
            close()
            _opened[key] = moved(parcel.walk, check_device(parcel.device))(precision=precision).__enter__()
        return _opened[key](point).numpy().ravel()

    return alone(row, parcel.threads), get_worker().address


def probed(parcel: Parcel, points: list[Point], precision: str, bound: float) -> np.ndarray:
    """The row of `precision.probe`."""
    return alone(
        lambda: probe(moved(parcel.walk, check_device(parcel.device)), points, precision, bound),
        parcel.threads,
    )


def looked_around(device: str, file: Path) -> tuple[str, bool]:
    """The device that is meant here, and whether the client's file is to be seen."""
    return check_device(device), os.path.exists(file)  # a file that may not be looked at is not seen either


def called(study: Study, threads: int, method: str, arguments: tuple[Any, ...]) -> Any:
    """What a method of the study returns; the bars that are seen are the client's."""

    def call() -> Any:
        close()
        os.environ[SWITCH] = "off"
        if not study.store.folder.is_dir():  # a worker that joined after `join` had asked them all
            raise UserError(f"a worker does not see {study.store.folder}, which all machines must share")
        return getattr(study, method)(*arguments)

    return alone(call, threads)


def close() -> None:
    """Give back the memory of the walk that was open, and the settings that it changed."""
    while _opened:
        _opened.popitem()[1].__exit__(None, None, None)


def finish() -> None:
    """Close the walk once the point in flight is done; the caller, a worker's event loop, does not wait for it."""
    _computing.submit(close)
