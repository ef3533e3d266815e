"""Jobs: what a study is to compute, in order of need, and side by side where networks are tiny.

A network of half a million weights is slower on two threads than on one. So where a profile says `side_by_side`, each
core works on a job of its own, on one thread.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from functools import partial
from multiprocessing import active_children, get_all_start_methods, get_context
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from ..engine.cluster import apart
from ..interrupts import at_work, become_worker, passed_on
from ..names import CONTINUED, GROUPS, HOWS, METHODS, one_of
from ..progress import SWITCH, bar
from ..store.files import logger

if TYPE_CHECKING:
    from distributed import Client

    from .study import Study

WHAT = (
    "runs",
    "curves",
    "surfaces",
    "trajectories",
    "overfitting",
    "layers",
    "rollbacks",
    "cubes",
)


class Job(NamedTuple):
    """A call of a study's method, and the jobs that it builds upon."""

    method: str
    arguments: tuple[Any, ...]
    needs: tuple[Job, ...] = ()


def plan_jobs(study: Study, what: Sequence[str] = (), has: Callable[[Job], bool] | None = None) -> list[Job]:
    """The jobs that `what` (default: everything) stands for, those that others need first, the longest first.

    Left out are those of which `has` (default: the store) says that they are done.

    Raises:
        UserError: an unknown kind of result.
    """
    for kind in what:
        one_of("kind of result", kind, WHAT)
    wanted = set(what) or set(WHAT)
    pairs = [(task, how) for how in reversed(HOWS) for task in study.tasks]  # from scratch takes longest
    tried = [
        Job("run", (t, "pretrained", study.seed, rate))
        for t in study.tasks
        for rate in study.profile.tasks[t].tried
    ]
    overfit = study.profile.overfitting.task
    jobs: list[Job] = []
    if "runs" in wanted:
        # first one that pre-trains the demo's encoder: the others train from scratch meanwhile, and none waits for it
        jobs += [run_job(study, *pairs[-1], study.seed)]
        jobs += [run_job(study, task, how, seed) for task, how in pairs for seed in study.seeds]
        jobs += tried
    if "surfaces" in wanted:
        jobs += [Job("surface", pair, plane_jobs(study, *pair)) for pair in pairs]
    if "layers" in wanted:
        needs = {task: plane_jobs(study, task, "pretrained") for task in study.layer_tasks}
        jobs += [Job("layer_surface", (task, group), needs[task]) for task in needs for group in GROUPS]
    if "overfitting" in wanted:
        jobs += [Job("surface", (overfit, "pretrained"), plane_jobs(study, overfit, "pretrained"))]
        needed = (*plane_jobs(study, overfit, "pretrained"), run_job(study, overfit, CONTINUED, study.seed))
        jobs += [Job("overfitting", (method,), needed) for method in METHODS]
    if "curves" in wanted:
        jobs += [Job("curve", pair, plane_jobs(study, *pair)) for pair in pairs]
    if "trajectories" in wanted:
        jobs += [Job("trajectory", (*pair, m), plane_jobs(study, *pair)) for pair in pairs for m in METHODS]
    if "rollbacks" in wanted:
        jobs += [Job("rollback", (t,), (run_job(study, t, "pretrained", study.seed),)) for t in study.tasks]
        jobs += [Job("rollback", (run.arguments[0], run.arguments[-1]), (run,)) for run in tried]
    if "cubes" in wanted:
        jobs += [Job("cube", (t,), (run_job(study, t, "pretrained", study.seed),)) for t in study.layer_tasks]
    missing: dict[Job, None] = {}

    def add(job: Job) -> None:
        if not (has or study.has)(job):
            for need in job.needs:
                add(need)
            missing[job] = None

    for job in jobs:
        add(job)
    return list(missing)


def label(job: Job) -> str:
    """What a job makes, in words: "layer surface mrpc low"."""
    return " ".join([job.method.replace("_", " "), *map(str, job.arguments)])


def run_job(study: Study, task: str, how: str, seed: int) -> Job:
    needs = (run_job(study, task, "pretrained", seed),) if how == CONTINUED else ()
    return Job("run", (task, how, seed), needs)


def plane_jobs(study: Study, task: str, how: str) -> tuple[Job, ...]:
    """The two runs that span a plane."""
    other = study.profile.tasks[task].other
    return (run_job(study, task, how, study.seed), run_job(study, other, how, study.seed))


def usual_workers(study: Study) -> int:
    """How many work at once unless told otherwise: one on each core where the profile says `side_by_side`, else one."""
    return cores() if study.profile.side_by_side else 1


def cores() -> int:
    """Those that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_jobs(study: Study, jobs: Sequence[Job], workers: int) -> None:
    """Do the jobs, each as soon as those that it needs are done, `workers` at a time in processes of their own."""
    if study.client is not None:
        spread_jobs(study, study.client, jobs)
        return
    if workers == 1 or len(jobs) < 2:
        for job in bar(jobs, what="study", unit="job"):
            getattr(study, job.method)(*job.arguments)
        return
    threads = max(cores() // workers, 1)  # more of them than cores would wait for one another
    prepare = partial(quiet, study, logger.getEffectiveLevel(), threads)
    with worker_pool(min(workers, len(jobs)), prepare) as pool:
        share_out(jobs, pool, workers)


@contextmanager
def worker_pool(workers: int, prepare: Callable[[], None] | None = None) -> Iterator[ProcessPoolExecutor]:
    """Processes that `prepare`, and in the end are waited for; Ctrl-C stops what they are `at_work` on."""
    others = set(active_children())
    with passed_on(lambda: [c.pid for c in active_children() if c.pid and c not in others]) as follows:
        pool = ProcessPoolExecutor(workers, process_context(), start, (follows, prepare))
        try:
            yield pool
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def start(follows: bool, prepare: Callable[[], None] | None) -> None:
    become_worker(follows)
    if prepare:
        prepare()


def share_out(jobs: Sequence[Job], pool: ProcessPoolExecutor, workers: int) -> None:
    """No more jobs than workers at any time: whoever ends them early waits only for those in flight."""
    waiting, running, done = list(jobs), dict[Future, Job](), set[Job]()
    with bar(total=len(jobs), what=f"study, {workers} side by side", unit="job") as progress:
        while waiting or running:
            ready = [job for job in waiting if not (set(job.needs) & set(jobs)) - done]
            for job in ready[: workers - len(running)]:
                waiting.remove(job)
                running[pool.submit(at_work, work, job.method, job.arguments)] = job
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                future.result()
                done.add(running.pop(future))
                progress.update()


def spread_jobs(study: Study, client: Client, jobs: Sequence[Job]) -> None:
    """Do the jobs on a cluster: first the runs, a worker for each, then one result after another by all workers."""
    runs = [job for job in jobs if job.method == "run"]
    with bar(total=len(jobs), what="study on a cluster", unit="job") as progress:
        for ready in ([job for job in runs if not job.needs], [job for job in runs if job.needs]):
            calls = [(job, "train", (study.keys.run(*job.arguments),)) for job in ready]
            for job, _ in apart(client, study, calls):
                study.run(*job.arguments)
                progress.update()
        for job in jobs:
            if job not in runs:
                getattr(study, job.method)(*job.arguments)
                progress.update()


def process_context() -> Any:
    """How workers start: from a server that has imported everything once, where the system has such a thing."""
    if "forkserver" not in get_all_start_methods():
        return get_context("spawn")
    context = get_context("forkserver")
    context.set_forkserver_preload(["landscape_utils"])
    return context


_study: Study | None = None  # of this worker process


def quiet(study: Study, level: int, threads: int) -> None:
    """Make a process a worker: one bar is shown, the parent's; what is logged for the parent's reader is printed."""
    global _study
    logging.basicConfig(format="%(message)s")
    logger.setLevel(level)
    os.environ[SWITCH] = "off"
    torch.set_num_threads(threads)
    _study = study


def work(method: str, arguments: tuple[Any, ...]) -> None:
    """Compute one result into the store; the parent reads it there."""
    getattr(_study, method)(*arguments)
