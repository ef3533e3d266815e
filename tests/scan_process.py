"""A scan into a store, in processes that tests kill, starve and lock out: forks, so that a start takes milliseconds."""

import encodings.cp437  # noqa: F401 - zipfile asks for it late, when another user may not read the interpreter
import logging
import os
import resource
import signal
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from landscape_utils.store import store

KEY = KIND, NAME, RECIPE = "surfaces", "mrpc", {"task": "mrpc", "seed": 1}


def row(point, width=3, code=""):
    """What a scan by this code finds at a point: (width,) float64, some of it not finite."""
    values = np.random.default_rng([point, *code.encode()]).normal(size=width)
    values[2] = [np.nan, np.inf, values[2]][point % 3]
    return values


class Scan:
    """Computes the points that its journal lacks, notes them, and says when it begins and has done one."""

    def __init__(self, points=5, width=3, code="", say=str):
        self.points, self.width, self.code, self.say = points, width, code, say
        self.computed = []

    def __call__(self, journal):
        for point in range(self.points):
            if point not in journal:
                self.say(f"begin {point}")
                self.computed.append(point)
                journal[point] = row(point, self.width, self.code)
                self.say(f"done {point}")
            assert journal[point].tobytes() == row(point, self.width, self.code).tobytes()
        return {"loss": np.stack([journal[point] for point in range(self.points)])}


class Process:
    """A process of its own that computes a scan, and says line by line what it begins, has done and meets with.

    Before the point `pause_at` it waits for a signal; after SIGUSR1 it goes on. `largest_file` and `user`: what it may
    write, and as whom it runs.
    """

    def __init__(self, folder, points, width=3, **how):
        store.library_versions()  # looked up once, for all forks
        reader, writer = os.pipe()
        self.said, self.lines = [], os.fdopen(reader)
        self.fork = get_context("fork").Process(target=work, args=(writer, folder, points, width), kwargs=how)
        self.fork.start()
        os.close(writer)

    def wait_for(self, said):
        while not self.said or self.said[-1] != said:
            self.said.append(next(self.lines).strip())

    def end(self):
        """It, with all that it said."""
        with self.lines:
            self.said += map(str.strip, self.lines)
        self.fork.join()
        return self

    def points(self, what):
        return [int(line.split()[1]) for line in self.said if line.startswith(what)]


def path_of(target):
    """Of a path, or of an open file's descriptor."""
    return Path(os.readlink(f"/proc/self/fd/{target}") if isinstance(target, int) else target)


def on_disk(call, put):
    """Let call(name, original, *arguments) stand for each function of `os` that reaches the disk."""
    for name in ("write", "fsync", "replace", "rename", "unlink", "mkdir", "truncate"):
        put(os, name, partial(call, name, getattr(os, name)))


def work(pipe, folder, points, width, name=NAME, pause_at=None, **limits):
    out = os.fdopen(pipe, "w", buffering=1)

    def say(what):
        if what == f"begin {pause_at}":
            print("paused", file=out)
            signal.pause()
        print(what, file=out)

    signal.alarm(600)  # seconds: of a test that fails nobody ends it
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGUSR1, lambda *_: None)
    store.logger.handlers, store.PATIENCE = [logging.StreamHandler(out)], 0.0
    store.logger.setLevel(logging.INFO)
    if "largest_file" in limits:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limits["largest_file"], resource.RLIM_INFINITY))
    if "user" in limits:
        os.seteuid(limits["user"])
    try:
        store.Store(folder).compute(KIND, name, RECIPE, Scan(points, width, say=say), device="cpu")
        say("finished")
    except BaseException as error:
        say(f"{type(error).__name__}: {error}")
