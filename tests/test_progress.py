"""Bars are drawn where they are wanted."""

from __future__ import annotations

import threading

from landscape_utils.progress import SWITCH, bar, no_bars, shown


def test_a_thread_or_a_process_can_do_without_bars(monkeypatch):
    monkeypatch.delenv(SWITCH, raising=False)
    seen: list[bool] = []
    with no_bars():
        thread = threading.Thread(target=lambda: seen.append(shown()))
        thread.start()
        thread.join()
        assert bar([1]).disable
    assert seen == [True], "another thread keeps its bars"
    assert not bar([1]).disable
    monkeypatch.setenv(SWITCH, "off")
    assert not shown()
