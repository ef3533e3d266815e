"""Ctrl-C: the first one lets the point in flight finish, a second one stops at once."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")
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
