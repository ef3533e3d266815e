"""A scan into a store, in processes that tests kill, starve and lock out.

Run as `python scan_process.py`, it reads jobs (JSON, one a line) from its input and does each in a fork of its own:
numpy only, so that a start takes milliseconds. What a job did is in its log.
"""

import json
import os
import random
import resource
import signal
import sys
import time
import types
from pathlib import Path

import numpy as np

KIND, NAME, RECIPE = "surfaces", "mrpc", {"task": "mrpc", "seed": 1}
TO_DISK = ("write", "fsync", "replace", "rename", "unlink", "mkdir", "truncate")


def row(point, width=3):
    """What the scan finds at a point: (width,) float64, some of it not finite."""
    values = np.random.default_rng(point).normal(size=width)
    values[2] = [np.nan, np.inf, values[2]][point % 3]
    return values


def die_at(number, half):
    """SIGKILL this process at its call `number` that reaches the disk: before it, or with half of its bytes written."""
    count, write = 0, os.write

    def counting(name, original):
        def call(*arguments, **options):
            nonlocal count
            count += 1
            if count == number:
                if half and name == "write":
                    write(arguments[0], arguments[1][: len(arguments[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments, **options)

        return call

    for name in TO_DISK:
        setattr(os, name, counting(name, getattr(os, name)))


def slow_down(seed):
    """Spread writes over time, in pieces, so that a kill at a random moment often falls into one."""
    generator = random.Random(seed)

    def slowly(name, original):
        def call(*arguments, **options):
            time.sleep(generator.random() * 2e-3)
            if name == "write":
                descriptor, data = arguments
                return original(descriptor, data[: generator.randint(1, max(1, len(data)))])
            return original(*arguments, **options)

        return call

    for name in TO_DISK:
        setattr(os, name, slowly(name, getattr(os, name)))


def work(job):
    from landscape_utils.store.store import Store

    log, write = os.open(job["log"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666), os.write

    def note(text):
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limits[1], limits[1]))  # the log is not to be starved
        write(log, f"{text}\n".encode())
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    def scan(journal):
        for point in range(job["points"]):
            if point not in journal:
                note(f"begin {point}")
                time.sleep(job.get("pause", 0))
                journal[point] = row(point, job.get("width", 3))
                note(f"end {point}")
        return {"loss": np.stack([journal[point] for point in range(job["points"])])}

    if "die_at" in job:
        die_at(job["die_at"], job["half"])
    if "slow" in job:
        slow_down(job["slow"])
    if "largest_file" in job:
        resource.setrlimit(resource.RLIMIT_FSIZE, (job["largest_file"], resource.RLIM_INFINITY))
    if "user" in job:
        os.seteuid(job["user"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        Store(job["folder"]).compute(KIND, job.get("name", NAME), RECIPE, scan, device="cpu")
        note("finished")
    except BaseException as error:
        note(f"{type(error).__name__}: {error}")


def serve():
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            try:
                work(json.loads(line))
                os._exit(0)
            finally:
                os._exit(1)
        print(pid, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    # the package without its __init__, which imports torch
    package = types.ModuleType("landscape_utils")
    package.__path__ = [str(Path(__file__).resolve().parents[1] / "landscape_utils")]
    sys.modules["landscape_utils"] = package
    import encodings.cp437  # noqa: F401 - zipfile asks for it late, when another user may not read the interpreter

    from landscape_utils.store.store import library_versions

    library_versions()  # imported and looked up once, for all forks
    serve()
