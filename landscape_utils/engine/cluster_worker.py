"""What a worker of a cluster does, one thing at a time, in the one thread of its process that computes.

A worker computes on a copy of what it was given, so that it can pass that on to another one in the middle of a walk.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ..environment import check_device
from ..errors import UserError
from ..progress import SWITCH
from .precision import Point
from .walker import Walk, Walker

_computing = ThreadPoolExecutor(1, "landscape_utils")  # torch's thread count and no_grad are a thread's own
_opened: dict[str, Walker] = {}  # the walk that this process is on, by its parcel's name


@dataclass(frozen=True, eq=False)
class Parcel:
    """A walk as it is sent to the workers, the precision, and the device that they are to do it on."""

    walk: Walk
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


def ask(subject: Any, folder: Path, method: str, arguments: tuple[Any, ...]) -> Any:
    """`subject.method(*arguments)`, where the worker sees `folder`."""
    close()
    if not folder.is_dir():  # a worker that joined after `join` had asked them all
        raise UserError(f"a worker does not see {folder}, which all machines must share")
    return getattr(subject, method)(*arguments)
