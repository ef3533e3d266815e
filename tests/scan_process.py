"""A scan into a store, in processes that tests kill, starve and lock out.

Run as `python scan_process.py`, it reads jobs (JSON, one a line) from its input and does each in a fork of its own:
numpy only, so that a start takes milliseconds. It prints the process id, what the job does, and its exit code.
"""

import contextlib
import json
import logging
import os
import resource
import signal
import subprocess
import sys
import types
from pathlib import Path

import numpy as np

KIND, NAME, RECIPE = "surfaces", "mrpc", {"task": "mrpc", "seed": 1}
TO_DISK = ("write", "fsync", "replace", "rename", "unlink", "mkdir", "truncate")


class Worker(contextlib.AbstractContextManager):
    """A process that does jobs, one at a time."""

    def __init__(self):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
        self.process = subprocess.Popen([sys.executable, __file__], **pipes)

    def begin(self, **job):
        """Start a job; its process id."""
        print(json.dumps(job, default=str), file=self.process.stdin)
        self.said = []
        return int(self.process.stdout.readline())

    def wait_for(self, said):
        """Return when the job says this line."""
        while not self.said or self.said[-1] != said:
            line = self.process.stdout.readline()
            assert line, f"the worker ended before it said {said!r}"
            self.said.append(line.strip())

    def end(self):
        """Wait for the job; its exit code, or minus the signal that killed it. What it said is in `said`."""
        self.wait_for("end of job")
        return int(self.process.stdout.readline())

    def do(self, **job):
        self.begin(**job)
        return self.end()

    def __exit__(self, *_):
        self.process.communicate()


def row(point, width=3, code=""):
    """What a scan by this code finds at a point: (width,) float64, some of it not finite."""
    values = np.random.default_rng([point, *code.encode()]).normal(size=width)
    values[2] = [np.nan, np.inf, values[2]][point % 3]
    return values


class Scan:
    """Computes the points that its journal lacks, and notes them; stops once, before `stop_at`, by raising `error`."""

    def __init__(self, points=5, width=3, code="", stop_at=None, error=None):
        self.points, self.width, self.code, self.stop_at, self.error = points, width, code, stop_at, error
        self.computed = []

    def __call__(self, journal):
        for point in range(self.points):
            if point not in journal:
                self.begin(point)
                journal[point] = row(point, self.width, self.code)
                self.done(point)
            assert journal[point].tobytes() == row(point, self.width, self.code).tobytes()
        return {"loss": np.stack([journal[point] for point in range(self.points)])}

    def begin(self, point):
        if point == self.stop_at:
            self.stop_at = None
            raise self.error
        self.computed.append(point)

    def done(self, point):
        pass


WRITE = os.write  # as it is before `die_at`


def say(text):
    WRITE(1, f"{text}\n".encode())


class Telling(Scan):
    """Says what it does, and waits for a signal before the point `pause_at`."""

    pause_at = None

    def begin(self, point):
        if point == self.pause_at:
            say("paused")
            signal.pause()
        say(f"begin {point}")

    def done(self, point):
        say(f"done {point}")


def die_at(number, half):
    """SIGKILL this process at its call `number` that reaches the disk: before it, or with half of its bytes written."""
    count = 0

    def counting(name, original):
        def call(*arguments, **options):
            nonlocal count
            count += 1
            if count == number:
                if half and name == "write":
                    WRITE(arguments[0], arguments[1][: len(arguments[1]) // 2])
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments, **options)

        return call

    for name in TO_DISK:
        setattr(os, name, counting(name, getattr(os, name)))


def work(folder, points, width=3, name=NAME, pause_at=None, die=None, half=False, **limits):
    say(os.getpid())
    scan = Telling(points, width)
    scan.pause_at = pause_at
    store.logger.setLevel(logging.INFO)
    stream = types.SimpleNamespace(write=lambda text: WRITE(1, text.encode()))
    store.logger.handlers = [logging.StreamHandler(stream)]
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if "largest_file" in limits:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limits["largest_file"], resource.RLIM_INFINITY))
    if "user" in limits:
        os.seteuid(limits["user"])
    if die is not None:
        die_at(die, half)
    try:
        store.Store(folder).compute(KIND, name, RECIPE, scan, device="cpu")
        say("finished")
    except BaseException as error:
        say(f"{type(error).__name__}: {error}")


def serve():
    for line in sys.stdin:
        if (pid := os.fork()) == 0:
            try:
                work(**json.loads(line))
                os._exit(0)
            finally:
                os._exit(1)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print(f"end of job\n{code}", flush=True)


if __name__ == "__main__":
    # the package without its __init__, which imports torch
    package = types.ModuleType("landscape_utils")
    package.__path__ = [str(Path(__file__).resolve().parents[1] / "landscape_utils")]
    sys.modules["landscape_utils"] = package
    import encodings.cp437  # noqa: F401 - zipfile asks for it late, when another user may not read the interpreter

    from landscape_utils.store import store

    store.PATIENCE = 0.0
    store.library_versions()  # imported and looked up once, for all forks
    serve()
