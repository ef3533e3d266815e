"""Whether the hub answers, found out once and in seconds.

The hub's own clients retry for most of a minute before they give up. Here it is asked once; where it does not
answer they are told so, and from then on look into their caches only.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import datasets
import huggingface_hub

TIMEOUT = 10.0  # seconds


def answers() -> bool:
    """True where the hub can be reached; where not, what was fetched before still loads, and nothing else."""
    if huggingface_hub.is_offline_mode():
        return False
    if not _asked():
        _work_offline(True)
    return _asked()


@contextmanager
def left_alone() -> Iterator[None]:
    """Nothing is fetched within: what is not here is not there."""
    before = huggingface_hub.is_offline_mode()
    _work_offline(True)
    try:
        yield
    finally:
        _work_offline(before)


def _work_offline(offline: bool) -> None:
    huggingface_hub.constants.HF_HUB_OFFLINE = offline
    datasets.config.HF_HUB_OFFLINE = offline


@cache
def _asked() -> bool:
    heard = threading.Event()

    def ask() -> None:
        try:
            reply = huggingface_hub.get_session().head(huggingface_hub.constants.ENDPOINT, timeout=TIMEOUT)
        except Exception:  # whatever keeps the answer away
            return
        if reply.status_code < 400:
            heard.set()

    # A thread, because the time that a name takes to resolve is under nobody's limit.
    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(TIMEOUT)
    return heard.is_set()
