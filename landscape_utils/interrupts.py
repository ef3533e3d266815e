"""Ctrl-C: the first one lets the point in flight finish, a second one stops at once; here and in worker processes."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import parent_process
from typing import Any, TypeVar

T = TypeVar("T")
APART = hasattr(os, "setpgid")  # elsewhere the terminal's Ctrl-C reaches workers by itself
PATIENCE = "stopping after the point in flight; Ctrl-C again stops at once"


@contextmanager
def until_interrupted(items: Iterable[T], how_to_go_on: str) -> Iterator[Iterator[T]]:
    """`items`, ended early by Ctrl-C: who takes them finishes the last one taken, and no more come.

    A second Ctrl-C interrupts as ever. So does the first outside the main thread, where Python lets nobody handle
    signals, and where somebody else handles them.

    Raises:
        KeyboardInterrupt: on leaving, if there was one; with the line `how_to_go_on`.
    """
    interrupted = False

    def first(number: int, frame: Any) -> None:
        nonlocal interrupted
        interrupted = True
        signal.signal(signal.SIGINT, signal.default_int_handler)
        if parent_process() is None:  # of workers it would be said once for each
            print(PATIENCE, file=sys.stderr)

    def remaining() -> Iterator[T]:
        for item in items:
            if interrupted:
                return
            yield item

    main = threading.current_thread() is threading.main_thread()
    ours = main and signal.getsignal(signal.SIGINT) is signal.default_int_handler
    try:
        if ours:
            signal.signal(signal.SIGINT, first)
        yield remaining()
    finally:
        if ours:
            signal.signal(signal.SIGINT, signal.default_int_handler)
    if interrupted:
        raise KeyboardInterrupt(how_to_go_on)


@contextmanager
def passed_on(workers: Callable[[], Iterable[int]]) -> Iterator[None]:
    """Each Ctrl-C also interrupts the worker processes of these ids, once, be it a terminal's or sent to this process.

    `become_worker` has taken them out of the terminal's reach. Nothing is passed on outside the main thread.
    """
    before, said = signal.getsignal(signal.SIGINT), False

    def also(number: int, frame: Any) -> None:
        nonlocal said
        if not said:
            print(PATIENCE, file=sys.stderr)
        said = True
        for pid in workers():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)
        if callable(before):
            before(number, frame)

    ours = APART and callable(before) and threading.current_thread() is threading.main_thread()
    if ours:
        signal.signal(signal.SIGINT, also)
    try:
        yield
    finally:
        if ours:
            signal.signal(signal.SIGINT, before)


def become_worker() -> None:
    """Make this process one that its parent interrupts and that ends with its parent, however that ends."""
    if APART:
        os.setpgid(0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # while it has nothing to do
    threading.Thread(target=follow, daemon=True).start()


def follow() -> None:
    """A parent that was killed can tell its workers nothing; without it they would wait for work for ever."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


@contextmanager
def interruptible() -> Iterator[None]:
    """A worker's work, which Ctrl-C interrupts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
