"""Progress bars: in a terminal and in JupyterLab, and none in the rendered book."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from tqdm.auto import tqdm

SWITCH = "LANDSCAPE_PROGRESS"  # of a process: "off" while the book is made, whose pages would keep a dead bar
_hidden = ContextVar("hidden", default=False)  # of a thread


@contextmanager
def no_bars() -> Iterator[None]:
    """No bar is drawn by this thread while the context lasts: something else shows the progress."""
    token = _hidden.set(True)
    try:
        yield
    finally:
        _hidden.reset(token)


def shown() -> bool:
    """Whether bars are wanted in this process and thread."""
    return os.environ.get(SWITCH, "on") != "off" and not _hidden.get()


def bar(iterable: Iterable[Any] | None = None, *, what: str = "", **options: Any) -> tqdm:
    """A bar over `iterable`, or one of `total` steps to be updated by hand; it appears after two seconds."""
    return tqdm(iterable, desc=what, delay=2, disable=not shown(), leave=False, **options)


@contextmanager
def quiet() -> Iterator[None]:
    """No bars and no reports of `transformers` within."""
    from transformers.utils import logging

    verbosity, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bars:
            logging.enable_progress_bar()
