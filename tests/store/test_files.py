"""Atomic writing: after a failure at any step the old file is there whole, and nothing else."""

import errno
import os

import pytest

from landscape_utils.errors import UserError
from landscape_utils.store.files import check_writable, put_aside, write_all, write_atomically

STEPS = ("write", "fsync", "replace", "mkdir")


def recorded(monkeypatch, fail_at=None, error=None):
    """Note the calls that reach the disk, in order, and let the one number `fail_at` raise `error`."""
    calls = []

    def noting(name):
        original = getattr(os, name)

        def call(*arguments, **options):
            calls.append(name)
            if len(calls) == fail_at:
                raise error
            return original(*arguments, **options)

        monkeypatch.setattr(os, name, call)

    for name in STEPS:
        noting(name)
    return calls


def test_data_is_on_the_disk_before_the_name_and_the_name_before_the_return(tmp_path, monkeypatch):
    calls = recorded(monkeypatch)
    write_atomically(tmp_path / "a" / "x", b"new")
    assert calls == ["mkdir", "fsync", "write", "fsync", "replace", "fsync"]
    assert (tmp_path / "a" / "x").read_bytes() == b"new"


@pytest.mark.parametrize(
    "error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()], ids=repr
)
@pytest.mark.parametrize("step", [1, 2, 3])
@pytest.mark.parametrize("old", [b"old", None])
def test_a_failure_at_any_step_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, error, step, old):
    path = tmp_path / "x"
    if old is not None:
        path.write_bytes(old)
    with monkeypatch.context() as patch:
        calls = recorded(patch, step, error)
        with pytest.raises((UserError, KeyboardInterrupt)) as caught:
            write_atomically(path, b"new")
        assert len(calls) == step
    assert isinstance(caught.value, KeyboardInterrupt) == isinstance(error, KeyboardInterrupt)
    assert "\n" not in str(caught.value)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == ([("x", old)] if old is not None else [])


def test_the_message_names_the_file_the_reason_and_the_way_out(tmp_path, monkeypatch):
    recorded(monkeypatch, 1, OSError(errno.EROFS, "Read-only file system"))
    with pytest.raises(UserError, match=rf"cannot write {tmp_path}/x: Read-only file system; .*results_dir"):
        check_writable(tmp_path / "x")
    assert not list(tmp_path.iterdir())


def test_it_does_not_write_through_a_link_in_the_way_and_the_check_leaves_what_is_there(tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"old")
    for link in ("x", "x.tmp"):
        (tmp_path / link).symlink_to(victim)
    check_writable(tmp_path / "x")
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["victim", "x"]
    (tmp_path / "x.tmp").symlink_to(victim)
    write_atomically(tmp_path / "x", b"new")
    assert victim.read_bytes() == b"old"
    assert not (tmp_path / "x").is_symlink()


def test_writes_that_take_a_part_are_continued(tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:3]))
    with open(tmp_path / "x", "wb") as file:
        write_all(file.fileno(), b"0123456789")
    assert (tmp_path / "x").read_bytes() == b"0123456789"


def test_put_aside_finds_a_free_number_and_says_so_in_one_line(tmp_path, caplog, monkeypatch):
    path = tmp_path / "x.npz"
    for i in range(3):
        path.write_bytes(bytes([i]))
        put_aside(path, "it is empty")
    assert [(tmp_path / f"x.npz.damaged-{i + 1}").read_bytes() for i in range(3)] == [b"\0", b"\1", b"\2"]
    assert caplog.messages[2] == f"{path} is put aside as x.npz.damaged-3 and computed anew: it is empty"

    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "rename", refuse)
    put_aside(path, "it is empty")
    cannot = f"{path} is not used: it is empty; it cannot be put aside (Permission denied)"
    assert caplog.messages[3:] == [cannot]
