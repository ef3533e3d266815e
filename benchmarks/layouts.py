"""The number of threads: the same visits by one process on one thread, on all, and by a process for each core.

All processes of a layout work at the same time, and so are the machine's matrix products measured.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
import torch

from landscape_utils.progress import SWITCH

from .cases import SIZES
from .limit import Limit
from .race import walking

PERIOD = 0.5  # seconds of one measurement
ROUNDS = 5
PATIENCE = 600  # seconds to wait for the other processes
_barrier = None  # of this worker process: no one begins before all are ready


@dataclass(frozen=True)
class Layout:
    """So many processes of so many threads: points a second and operations a second, all processes together."""

    processes: int
    threads: int
    points: float
    rate: float


@contextmanager
def on_threads(count: int) -> Iterator[None]:
    """So many threads while the context lasts; 0: as many as there are."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(count or before)
        yield
    finally:
        torch.set_num_threads(before)


def layouts(size: str, data_dir: str) -> list[Layout]:
    """Every layout, measured on the CPU in float32."""
    cores = torch.get_num_threads()
    ways = dict.fromkeys([(1, 1), (1, cores), (cores, 1)])
    return [measure(size, data_dir, *way) for way in ways]


def measure(size: str, data_dir: str, processes: int, threads: int) -> Layout:
    context = get_context("spawn")
    with context.Pool(processes, begin, (context.Barrier(processes, timeout=PATIENCE), threads)) as pool:
        found = pool.starmap(work, [(size, data_dir)] * processes, chunksize=1)
    points, rate = np.sum(found, axis=0).tolist()
    return Layout(processes, threads, points, rate)


def begin(barrier, threads: int) -> None:
    global _barrier
    _barrier = barrier
    os.environ[SWITCH] = "off"
    torch.set_num_threads(threads)


def work(size: str, data_dir: str) -> tuple[float, float]:
    """Points a second and operations a second of this process: medians of periods in turn with those of the others."""
    case = SIZES[size].case(data_dir)
    limit = Limit(case.model, ("float32",), sample=PERIOD)
    points, rates = [], []
    with torch.no_grad(), walking(case, "float32") as walker:
        walker((1.0, 1.0))
        for _ in range(ROUNDS):
            points.append(frequency(lambda: walker((1.0, 1.0))))
            together()
            rates.append(limit.rate("float32"))
    return float(np.median(points)), float(np.median(rates))


def frequency(visit: Callable[[], object]) -> float:
    """How often in a second, over a period or a little more."""
    together()
    count, started = 0, time.perf_counter()
    while not count or time.perf_counter() - started < PERIOD:
        visit()
        count += 1
    return count / (time.perf_counter() - started)


def together() -> None:
    if _barrier is not None:
        _barrier.wait()
