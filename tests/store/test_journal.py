"""The journal: whatever happens to its file, what is read back is what was written, and only torn rows are lost."""

import base64
import errno
import os
import zlib
from unittest.mock import Mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scan_process import row

from landscape_utils.errors import UserError
from landscape_utils.store.journal import Journal

STAMP = "0123456789abcdef"


def check_holds(journal, indices):
    assert {i: found.tobytes() for i, found in journal.items()} == {i: row(i).tobytes() for i in indices}


@pytest.fixture
def path(memory):
    return memory / "x.journal"


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(-2, 3), st.lists(st.binary(min_size=8, max_size=8)), st.booleans())))
def test_it_is_a_dict_that_survives_to_the_bit(tmp_path_factory, rows):
    path = tmp_path_factory.mktemp("journal") / "x.journal"
    journal, model = Journal(path, STAMP), {}
    for index, numbers, reopen in [*rows, (0, [], True)]:
        model[index] = b"".join(numbers)  # NaN with any payload, infinities, -0.0, subnormals
        journal[index] = np.frombuffer(model[index])
        if reopen:
            journal.close()
            journal = Journal(path, STAMP)
        assert {i: r.tobytes() for i, r in journal.items()} == model


def test_a_row_that_was_handed_out_or_in_cannot_change_the_journal_and_what_is_no_row_is_refused(path):
    journal, given_row = Journal(path, STAMP), np.zeros(2)
    journal[0] = given_row
    given_row[:] = 1
    with pytest.raises(ValueError, match="read-only"):
        journal[0][:] = 2
    with pytest.raises(ValueError, match="rows of numbers"):
        journal[0] = [[1.0]]
    assert journal[0].tolist() == [0, 0]


def test_truncated_at_every_byte_it_goes_on_and_a_flip_of_any_bit_costs_one_row_at_most(path, caplog):
    Journal(path, STAMP).update((i, row(i)) for i in range(4))
    whole = path.read_bytes()
    ends = [i + 1 for i in range(1, len(whole)) if whole[i : i + 1] == b"\n" != whole[i - 1 : i]]
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        journal = Journal(path, STAMP)
        sound = range(sum(end <= length for end in ends))
        check_holds(journal, sound)
        journal.update((i, row(i)) for i in range(len(sound), 4))
        check_holds(Journal(path, STAMP), range(4))
    assert caplog.messages == []  # a torn file is no damage
    for bit in range(8 * len(whole)):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        caplog.clear()
        journal = Journal(path, STAMP)
        assert len(journal) >= 3
        check_holds(journal, list(journal))
        assert len(caplog.messages) <= 1


def test_rows_with_a_right_checksum_that_are_no_rows_are_damage(path, caplog):
    contents = [b"", b"x", b"a b c", STAMP.encode() + b" 1 " + base64.b64encode(b"1234567")]
    path.write_bytes(b"".join(b"%08x %s\n" % (zlib.crc32(content), content) for content in contents))
    assert not Journal(path, STAMP)
    assert caplog.messages == [f"{path}: 4 damaged rows are computed anew"]


def test_rows_of_another_recipe_are_not_mixed_in(path, caplog):
    Journal(path, STAMP).update((i, row(i)) for i in range(3))
    journal = Journal(path, "fedcba9876543210")
    assert not journal
    assert "3 rows are computed anew: they are of another code, device or version" in caplog.messages[0]
    journal[0] = row(5)
    check_holds(Journal(path, STAMP), range(3))  # whoever goes back to the first one has its rows


def test_it_does_not_write_through_a_link(path):
    path.symlink_to(path.with_name("victim"))
    with pytest.raises(UserError, match="cannot write"):
        Journal(path, STAMP)[0] = row(0)
    assert not path.with_name("victim").exists()


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_row_that_does_not_fit_spoils_no_other(path, monkeypatch, error):
    journal, write = Journal(path, STAMP), os.write
    journal[0] = row(0)

    def half(descriptor, data):
        patch.setattr(os, "write", Mock(side_effect=error))
        return write(descriptor, data[: len(data) // 2])

    with monkeypatch.context() as patch, pytest.raises((UserError, KeyboardInterrupt)) as caught:
        patch.setattr(os, "write", half)
        journal[1] = row(1)
    assert "\n" not in str(caught.value)
    check_holds(journal, [0])
    journal[2] = row(2)  # room again: the process goes on in the same file
    check_holds(journal, [0, 2])
    check_holds(Journal(path, STAMP), [0, 2])


def test_rows_reach_the_disk_within_about_a_second(path, monkeypatch):
    clock, synced = [0.0], []
    monkeypatch.setattr("time.monotonic", lambda: clock[0])
    journal = Journal(path, STAMP)
    journal[0] = row(0)
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(clock[0]))
    for i in range(100):
        clock[0] = i / 10
        journal[i] = row(i)
    gaps = np.diff([0.0, *synced])
    assert gaps.min() > 1.0 - 1e-9  # not at every row, which would cost more than a small model's point
    assert gaps.max() < 1.2
