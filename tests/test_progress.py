"""Bars are drawn where they are wanted."""

from concurrent.futures import ThreadPoolExecutor

from landscape_utils.progress import SWITCH, bar, no_bars, shown


def test_a_thread_or_a_process_can_do_without_bars(monkeypatch):
    monkeypatch.delenv(SWITCH, raising=False)
    with no_bars(), ThreadPoolExecutor(1) as another:
        assert another.submit(shown).result()
        assert bar([1]).disable
    assert not bar([1]).disable
    monkeypatch.setenv(SWITCH, "off")
    assert not shown()
