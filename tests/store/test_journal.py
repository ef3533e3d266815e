"""The journal: whatever happens to the file, what is read back is what was written, and only torn rows are lost."""

import errno
import os
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from landscape_utils.errors import UserError
from landscape_utils.store.journal import Journal, read_journal

STAMP = "0123456789abcdef"
OTHER = "fedcba9876543210"
HEADER = 30  # 8 + 16 + 2 + 4 bytes
RECORD = 8 + 1 + 8 + 3 * 8 + 4  # of a row of three numbers


def filled(path, rows=4):
    with Journal(path, STAMP) as journal:
        for i in range(rows):
            journal[i] = row(i)
    return path.read_bytes()


def row(i):
    return np.random.default_rng(i).normal(size=3)


def check_holds(journal, indices):
    assert sorted(journal) == sorted(indices)
    for i in indices:
        assert journal[i].tobytes() == row(i).tobytes()


@settings(max_examples=50)
@given(st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=5))
def test_bits_are_kept(tmp_path_factory, contents):
    path = tmp_path_factory.mktemp("journal") / "x.journal"
    with Journal(path, STAMP) as journal:
        for i, content in enumerate(contents):
            journal[i] = np.frombuffer(content)  # NaN with any payload, infinities, -0.0, subnormals
            assert journal[i].tobytes() == content
    again = Journal(path, STAMP)
    assert [again[i].tobytes() for i in range(len(contents))] == contents


OPERATIONS = st.lists(
    st.tuples(st.sampled_from(["set", "set", "delete", "reopen"]), st.integers(-2, 3), st.floats(width=64)),
    max_size=25,
)


@settings(max_examples=60, deadline=None)
@given(OPERATIONS)
def test_it_is_a_dict_that_survives(tmp_path_factory, operations):
    path = tmp_path_factory.mktemp("journal") / "x.journal"
    journal, model = Journal(path, STAMP), {}
    for what, index, value in [*operations, ("reopen", 0, 0.0)]:
        if what == "set":
            journal[index] = model[index] = np.array([value, index])
        elif what == "delete" and index in model:
            del journal[index], model[index]
        elif what == "delete":
            with pytest.raises(KeyError):
                del journal[index]
        else:
            journal.close()
            journal = Journal(path, STAMP)
        assert {i: r.tobytes() for i, r in journal.items()} == {i: r.tobytes() for i, r in model.items()}


def test_a_row_that_was_handed_out_or_in_cannot_change_the_journal(tmp_path):
    journal = Journal(tmp_path / "x.journal", STAMP)
    given_row = np.zeros(2)
    journal[0] = given_row
    given_row[:] = 1
    journal[0][:] = 2
    assert journal[0].tolist() == [0, 0]


def test_truncated_at_every_byte_it_goes_on(tmp_path):
    path = tmp_path / "x.journal"
    whole = filled(path)
    assert len(whole) == HEADER + 4 * RECORD
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        sound = range(max(0, length - HEADER) // RECORD)
        with Journal(path, STAMP) as journal:
            check_holds(journal, sound)
            for i in range(len(sound), 4):
                journal[i] = row(i)
        check_holds(Journal(path, STAMP), range(4))
    assert list(tmp_path.iterdir()) == [path]  # a torn file is no damage: nothing was put aside


def test_a_flip_in_any_byte_costs_one_row_at_most_unless_it_hits_the_header(tmp_path, caplog):
    path = tmp_path / "x.journal"
    whole = filled(path, rows=3)
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        caplog.clear()
        journal = Journal(path, STAMP)
        hit = (place - HEADER) // RECORD
        check_holds(journal, [] if hit < 0 else [i for i in range(3) if i != hit])
        assert len(caplog.messages) == 1
        assert "\n" not in caplog.messages[0]
        assert path.exists() == (hit >= 0)
        for aside in tmp_path.glob("*.damaged-*"):
            assert hit < 0
            aside.unlink()


def test_blocks_of_zeros_after_a_power_cut_are_no_rows(tmp_path):
    path = tmp_path / "x.journal"
    path.write_bytes(filled(path, rows=2) + bytes(5 * RECORD + 7))
    with Journal(path, STAMP) as journal:
        check_holds(journal, range(2))
        journal[2] = row(2)
    check_holds(Journal(path, STAMP), range(3))


@pytest.mark.parametrize("content", [b"hello", b"PK\x03\x04" * 99, bytes(200)], ids=["text", "zip", "zeros"])
def test_a_foreign_file_is_put_aside_and_reported_in_one_line(tmp_path, caplog, content):
    path = tmp_path / "x.journal"
    path.write_bytes(content)
    with Journal(path, STAMP) as journal:
        journal[0] = row(0)
    check_holds(Journal(path, STAMP), [0])
    assert (tmp_path / "x.journal.damaged-1").read_bytes() == content
    assert len(caplog.messages) == 1
    assert "x.journal.damaged-1" in caplog.messages[0]


def test_rows_of_another_recipe_are_not_mixed_in(tmp_path):
    path = tmp_path / "x.journal"
    filled(path)
    assert not Journal(path, OTHER)
    assert read_journal(tmp_path / "x.journal.damaged-1").stamp == STAMP


def test_it_does_not_write_through_a_link(tmp_path):
    victim = tmp_path / "victim"
    path = tmp_path / "x.journal"
    path.symlink_to(victim)
    with Journal(path, STAMP) as journal:
        journal[0] = row(0)
    assert not victim.exists()
    check_holds(Journal(path, STAMP), [0])


def test_a_row_of_another_width_is_refused(tmp_path):
    path = tmp_path / "x.journal"
    filled(path)
    with pytest.raises(UserError, match="rows of 3 numbers, not 2"):
        Journal(path, STAMP)[9] = [1.0, 2.0]


@pytest.mark.parametrize("bad", [[], 1.0, [[1.0]], np.zeros(2**16)])
def test_what_is_no_row_is_refused(tmp_path, bad):
    with pytest.raises(ValueError, match="rows of 1 to 65535 numbers"):
        Journal(tmp_path / "x.journal", STAMP)[0] = bad
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_row_that_does_not_fit_leaves_no_half(tmp_path, monkeypatch, error):
    path = tmp_path / "x.journal"
    journal = Journal(path, STAMP)
    journal[0] = row(0)
    write = os.write

    def half(descriptor, data):
        if len(data) == RECORD:
            return write(descriptor, data[: RECORD // 2])
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", half)
        with pytest.raises(UserError if isinstance(error, OSError) else KeyboardInterrupt) as caught:
            journal[1] = row(1)
    assert "\n" not in str(caught.value)
    check_holds(journal, [0])
    journal[2] = row(2)  # room again: the process goes on in the same file
    check_holds(journal, [0, 2])
    check_holds(Journal(path, STAMP), [0, 2])


def test_rows_reach_the_disk_within_about_a_second(tmp_path, monkeypatch):
    clock, synced = [0.0], []
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(clock[0]))
    journal = Journal(tmp_path / "x.journal", STAMP)
    for i in range(100):
        clock[0] = i / 10
        journal[i] = row(i)
    gaps = np.diff([0.0, *synced])
    assert gaps.min() > 1.0 - 1e-9  # not at every row, which would cost more than a small model's point
    assert gaps.max() < 1.2


def test_seconds_add_up_over_all_starts(tmp_path, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    path = tmp_path / "x.journal"
    for start in (100.0, 7000.0):  # killed after two rows of 3 s, of 5 s
        clock[0] = start
        journal = Journal(path, STAMP)
        for _ in range(2):
            clock[0] += 3 if start == 100 else 5
            journal[len(journal)] = row(0)
        clock[0] += 1000  # the time of a row that the kill took with it does not count
    clock[0] = 9000.0
    journal = Journal(path, STAMP)
    clock[0] += 0.5
    assert journal.seconds == 2 * 3 + 2 * 5 + 0.5


def test_the_format_is_what_the_docstring_says(tmp_path):
    whole = filled(tmp_path / "x.journal")
    assert struct.unpack_from("<8s16sH", whole) == (b"LUJRNL1\n", STAMP.encode(), 3)
    assert struct.unpack_from("<qB", whole, HEADER + RECORD) == (1, 1)
    assert struct.unpack_from("<3d", whole, HEADER + RECORD + 17) == tuple(row(1))


def test_remove(tmp_path):
    path = tmp_path / "x.journal"
    journal = Journal(path, STAMP)
    journal.remove()  # nothing there yet
    journal[0] = row(0)
    journal.remove()
    assert not path.exists()
