"""Ctrl-C in a scan: the point in flight is finished and kept, then the scan stops; a second one stops at once."""

from __future__ import annotations

import os
import signal
import threading

import numpy as np
import pytest
from test_scan import make_plane

from landscape_utils.engine.objective import Objective
from landscape_utils.interrupts import until_interrupted
from landscape_utils.landscape.scan import scan

ALPHA, BETA = np.linspace(-1, 1, 4), np.linspace(-1, 1, 3)


class Interrupted(Objective):
    """An objective during whose evaluation number `at` Ctrl-C is pressed so many times."""

    def __init__(self, model, examples, at: int, times: int = 1):
        super().__init__(model, examples)
        self.at, self.times, self.count = at, times, 0

    def outcomes(self, logits):
        self.count += 1
        for _ in range(self.times if self.count == self.at else 0):
            os.kill(os.getpid(), signal.SIGINT)
        return super().outcomes(logits)


def test_first_ctrl_c_keeps_the_point_in_flight_and_the_next_scan_goes_on(model, examples, capsys):
    plane = make_plane(model)
    expected = scan(Objective(model, examples), plane, ALPHA, BETA)
    before = plane.origin.clone()
    journal: dict[int, np.ndarray] = {}
    with pytest.raises(KeyboardInterrupt, match="what was computed is kept, and the same call goes on"):
        scan(Interrupted(model, examples, at=5), plane, ALPHA, BETA, journal=journal)
    assert "Ctrl-C again stops at once" in capsys.readouterr().err
    assert len(journal) == 5 + 1  # the points up to the one in flight, and the probe
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert make_plane(model).origin.equal(before)
    found = scan(Objective(model, examples), plane, ALPHA, BETA, journal=journal)
    np.testing.assert_array_equal(found.loss, expected.loss)


def test_ctrl_c_while_a_precision_is_tried_stops_after_the_point_too(model, examples, capsys):
    """The probe has ten points in float32, then ten in the other: the seventh, and the first of the second ten."""
    plane = make_plane(model)
    for at in (7, 11):
        journal: dict[int, np.ndarray] = {}
        objective = Interrupted(model, examples, at=at)
        with pytest.raises(KeyboardInterrupt, match=r"while a lower precision was tried: .* begins anew"):
            scan(objective, plane, ALPHA, BETA, precision="bfloat16", journal=journal)
        assert (objective.count, journal) == (at, {})
        assert "Ctrl-C again stops at once" in capsys.readouterr().err
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert make_plane(model).origin.equal(plane.origin)


def test_second_ctrl_c_stops_at_once(model, examples):
    journal: dict[int, np.ndarray] = {}
    plane = make_plane(model)
    before = plane.origin.clone()
    with pytest.raises(KeyboardInterrupt):
        scan(Interrupted(model, examples, at=5, times=2), plane, ALPHA, BETA, journal=journal)
    assert len(journal) == 4 + 1
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert make_plane(model).origin.equal(before)


def test_without_a_journal_it_says_that_nothing_is_kept(model, examples):
    with pytest.raises(KeyboardInterrupt, match="no journal was given"):
        scan(Interrupted(model, examples, at=2), make_plane(model), ALPHA, BETA)


def test_an_exception_restores_the_handler():
    with pytest.raises(ZeroDivisionError), until_interrupted([1], "again"):
        assert signal.getsignal(signal.SIGINT) is not signal.default_int_handler
        raise ZeroDivisionError
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_handlers_of_others_and_other_threads_are_left_alone():
    def theirs(number, frame):
        raise AssertionError

    signal.signal(signal.SIGINT, theirs)
    try:
        with until_interrupted([1, 2], "again") as items:
            assert signal.getsignal(signal.SIGINT) is theirs
            assert list(items) == [1, 2]
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)

    found: list[int] = []

    def elsewhere():
        with until_interrupted([1, 2], "again") as items:
            found.extend(items)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert found == [1, 2]
