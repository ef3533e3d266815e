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
PATIENCE = "stopping after the point in flight; Ctrl-C again stops at once"
PASSED_ON = "stopping; scans finish the points in flight first, Ctrl-C again stops them at once"


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
        if not _follows:
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
def passed_on(workers: Callable[[], Iterable[int]]) -> Iterator[bool]:
    """Each Ctrl-C also interrupts the worker processes of these ids, once, be it a terminal's or sent to this process.

    Yields whether it is so: not outside the main thread, nor where nobody handles Ctrl-C, nor without process groups.
    Workers that `become_worker` takes out of the terminal's reach are then out of that of its Ctrl-Z too.
    """
    before, said = signal.getsignal(signal.SIGINT), False

    def also(number: int, frame: Any) -> None:
        nonlocal said
        if not said:
            print(PASSED_ON, file=sys.stderr)
        said = True
        for pid in workers():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)
        if callable(before):
            before(number, frame)

    main = threading.current_thread() is threading.main_thread()
    ours = main and callable(before) and hasattr(os, "setpgid")
    if ours:
        signal.signal(signal.SIGINT, also)
    try:
        yield ours
    finally:
        if ours:
            signal.signal(signal.SIGINT, before)


_follows = False  # whether this is a worker to which its parent passes Ctrl-C on, and has said so
_told = False  # whether it was told to stop while it had nothing to do


def become_worker(follows: bool) -> None:
    """Make this process one that ends with its parent, however that ends, and that stops its work when told to."""
    global _follows
    _follows = follows
    if follows:
        os.setpgid(0, 0)
    signal.signal(signal.SIGINT, remember)
    threading.Thread(target=follow, daemon=True).start()


def follow() -> None:
    """A parent that was killed can tell its workers nothing; without it they would wait for work for ever."""
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def remember(number: int, frame: Any) -> None:
    """Ctrl-C between two pieces of work: the next one may be on its way already, and is not to begin."""
    global _told
    _told = True


def at_work(function: Callable[..., T], *arguments: Any) -> T:
    """`function(*arguments)`, a worker's work, which Ctrl-C interrupts."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        if _told:
            raise KeyboardInterrupt
        return function(*arguments)
    finally:
        signal.signal(signal.SIGINT, remember)
