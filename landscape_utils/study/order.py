"""In which order a study's results are computed, and by whom: here, by processes side by side, or by a cluster.

A network of half a million weights is slower on two threads than on one. So where a profile says `side_by_side`, each
core works on a result of its own, on one thread. A process that is killed loses no more than the point in flight.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import torch
from joblib import Parallel, cpu_count, delayed

from ..engine.cluster import apart
from ..progress import SWITCH, bar
from ..store.files import logger
from .kind import Kind, Subject
from .results import KINDS


def missing_of(study: Subject, what: Sequence[str]) -> list[Kind]:
    """What the store lacks of the kinds in the given folders, and of what they need, which comes before them."""
    missing: dict[Kind, None] = {}

    def add(kind: Kind) -> None:
        if kind not in missing and not study.has(kind):
            for need in kind.needs(study):
                add(need)
            missing[kind] = None

    for folder, kinds in KINDS.items():
        for kind in kinds.all(study) if folder in what else ():
            add(kind)
    return list(missing)


def levels(study: Subject, kinds: Iterable[Kind]) -> Iterator[list[Kind]]:
    """The kinds in groups, each of which needs only what is in those before it."""
    waiting = list(kinds)
    while waiting:
        ready = [kind for kind in waiting if not set(kind.needs(study)) & set(waiting)]
        yield ready
        waiting = [kind for kind in waiting if kind not in ready]


def compute_all(study: Subject, missing: Sequence[Kind], workers: int | None = None) -> None:
    """Compute results that are missing, by so many processes, or by the study's client.

    `workers`: by default one on each core where the profile says `side_by_side`, else one.
    """
    workers = workers or (cpu_count() if study.profile.side_by_side else 1)
    with bar(total=len(missing), what="study", unit="result") as progress:
        for level in levels(study, missing):
            if study.client is not None:
                done: Iterable[Any] = on_cluster(study, study.client, level)
            elif workers > 1 and len(level) > 1:
                done = side_by_side(study, level, workers)
            else:
                done = map(study.get, level)
            for _ in done:
                progress.update()


def side_by_side(study: Subject, kinds: Sequence[Kind], workers: int) -> Iterator[None]:
    """Compute results in processes of their own; an item for each as it is done."""
    threads = max(cpu_count() // workers, 1)  # more of them than cores would wait for one another
    call = delayed(compute_one)
    return Parallel(workers, batch_size=1, return_as="generator_unordered")(
        call(study, kind, threads, logger.getEffectiveLevel()) for kind in kinds
    )


def compute_one(study: Subject, kind: Kind, threads: int, level: int) -> None:
    """Compute one result in a worker process; one bar is shown, the parent's, which reads the result in the store."""
    logging.basicConfig(format="%(message)s")
    logger.setLevel(level)
    os.environ[SWITCH] = "off"
    torch.set_num_threads(threads)
    study.get(kind)


def on_cluster(study: Subject, client: Any, kinds: Sequence[Kind]) -> Iterator[None]:
    """Compute results by a client's workers: first those that one worker computes, then one by one the scans."""
    calls: list[Any] = [(kind, "computed", (kind, {})) for kind in kinds if not kind.by_points]
    for kind, arrays in apart(client, study, calls, study.store.folder):
        yield study.keep(kind, partial(lambda found, journal: found, arrays))
    for kind in kinds:
        if kind.by_points:
            yield study.get(kind)
