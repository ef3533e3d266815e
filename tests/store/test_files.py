"""Writing: what lies in the way is not written through."""

import os

from landscape_utils.store.files import check_writable, write_all, write_atomically


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
