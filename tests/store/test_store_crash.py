"""The store under SIGKILL, full disks, locked folders, rivals and power cuts: the same bits in the end."""

import itertools
import os
import re
import shutil
import signal
from pathlib import Path

import numpy as np
import pytest
from scan_process import KEY, KIND, Process, Scan, on_disk, path_of, row

from landscape_utils.errors import Lacking
from landscape_utils.store import files
from landscape_utils.store import store as store_module
from landscape_utils.store.store import Store

RUN = ("runs", "mrpc", {"seed": 1})
POINTS = 6


def check_is_complete(folder, points, width=3):
    path, undisturbed = Store(folder).path(*KEY), Store(folder.with_name("undisturbed"))
    expected = undisturbed.compute(*KEY, Scan(points, width), device="cpu")
    assert path.read_bytes() == expected.path.read_bytes()
    assert {p.name for p in path.parent.iterdir()} == {path.name, f"{path.name}.lock"}
    assert expected.arrays["loss"].tobytes() == np.stack([row(i, width) for i in range(points)]).tobytes()


@pytest.mark.parametrize(
    ("number", "code", "done"),
    [(signal.SIGUSR1, 0, 10), (signal.SIGKILL, -signal.SIGKILL, 5), (signal.SIGINT, 0, 5)],
    ids=["goes on", "is killed", "is stopped"],
)
def test_while_one_computes_others_wait_and_compute_what_it_leaves(memory, number, code, done):
    job = {"folder": memory / "x", "points": 10}
    first = Process(**job, pause_at=5)
    first.wait_for("paused")
    others = [Process(**job), Process(**job)]
    for other in others:
        other.wait_for(f"waiting for another process that works on {Store(job['folder']).path(*KEY)}")
    os.kill(first.fork.pid, number)
    assert first.end().fork.exitcode == code
    assert ("KeyboardInterrupt:" in first.said) == (number == signal.SIGINT)
    assert sorted(other.end().points("begin") for other in others) == [[], list(range(done, 10))]
    check_is_complete(**job)


@pytest.mark.parametrize("largest_file", [0, 1000, 2**20 - 1, 2**20 + 999])
def test_a_limit_on_what_can_be_written_stops_in_one_line_and_loses_no_point(memory, largest_file):
    job = {"folder": memory / "x", "points": 500, "width": 300}  # 1.2 MB of rows: more than the check
    first = Process(**job, largest_file=largest_file).end()
    assert first.said[-1].startswith("UserError: cannot write")
    assert "File too large" in first.said[-1]
    before_the_work = largest_file < 2**20  # what the check before the work tries to write
    assert (first.points("begin") == []) == before_the_work
    left = [p.suffix for p in (memory / "x" / KIND).iterdir() if p.suffix != ".lock"]
    assert left == ([] if before_the_work else [".journal"])
    assert not {*first.points("done")} & {*Process(**job).end().points("begin")}
    check_is_complete(**job)


def test_a_folder_of_another_user_serves_what_it_has_and_refuses_the_rest_at_once(memory):
    job, path = {"folder": memory / "x", "points": 3}, Store(memory / "x").path(*KEY)
    Process(**job).end()
    memory.chmod(0o755)
    path.parent.chmod(0o555)
    other = {"user": 65534} if os.geteuid() == 0 else {}  # to root nothing is read-only
    assert Process(**job, **other).end().said == ["finished"]
    (refused,) = Process(**job, **other, name="rte").end().said
    assert re.match("UserError: cannot lock .*Permission denied", refused)
    path.write_bytes(b"")
    (damaged,) = Process(**job, **other).end().said
    assert damaged.startswith(f"UserError: cannot lock {path}: Permission denied")
    path.parent.chmod(0o755)


class File:
    """The writes to a file, in order, and how many of them are on the disk for sure."""

    def __init__(self):
        self.writes, self.sure = [], 0

    def variants(self) -> list[bytes | None]:
        """Every content that it may have after a crash."""
        if self is FOLDER:
            return [None]
        whole = b"".join(self.writes[: self.sure])
        found, end = {whole}, len(whole)
        for data in self.writes[self.sure :]:
            parts = data[: len(data) // 2], bytes(len(data)), data
            found |= {content.ljust(end, b"\0") + part for content in found for part in parts}
            end += len(data)
        return sorted(found)


FOLDER = File()


class Disk:
    """What is on the disk for sure, and what is on its way there, followed by watching a folder at every call.

    What POSIX allows after a power cut is modelled. Of what was written to a file since its last fsync, each write may
    be there, missing, torn in its middle, or there in length alone (zeros). Of the entries of a folder that changed
    since its last fsync (files made, renamed, removed), each change may be there or not, in any combination. What a
    kill leaves is one of these states: everything is there, or the last write is torn.
    """

    def __init__(self, root: Path):
        self.root = root
        self.files = {}  # path -> its file, as programs see it; None: removed
        self.entries = {}  # the same, as it is on the disk for sure
        self.renamed = []  # changes of entries since the last fsync of their folder
        self.kept = 0  # rows of the journal that is there, as of its last fsync
        self.phase = "start"
        self.states = {}  # what a crash may leave, folders and files, path -> content (a folder: None); phase; kept

    def name(self, path) -> str:
        return str(Path(path).relative_to(self.root))

    def change(self, change: dict[str, File | None]) -> None:
        self.renamed.append(change)
        self.files |= change

    def crash(self) -> None:
        """Note what was made without a call that is watched (nothing is written, or cut off, without one), and every
        state that a crash may leave now."""
        for path in sorted(self.root.rglob("*")):
            name = self.name(path)
            if path.suffix == ".lock":
                continue
            if not self.files.get(name):
                self.change({name: FOLDER if path.is_dir() else File()})
            assert path.is_dir() or path.read_bytes() == b"".join(self.files[name].writes)
        for kept in itertools.product([False, True], repeat=len(self.renamed)):
            entries = dict(self.entries)
            for change in itertools.compress(self.renamed, kept):
                entries |= change
            entries = {name: file for name, file in entries.items() if file}
            reached = [name for name in entries if {*map(str, Path(name).parents)} <= {".", *entries}]
            for contents in itertools.product(*(entries[name].variants() for name in reached)):
                self.states[frozenset(zip(reached, contents, strict=True)), self.phase, self.kept] = None

    def call(self, act, original, target, *arguments, **options):
        """Do what a program asks of the disk, and follow it."""
        self.crash()
        done = original(target, *arguments, **options)
        path = path_of(target)
        name = self.name(path)
        file = self.files.get(name)
        if act == "fsync" and path.is_file():
            file.sure = len(file.writes)
            if path.suffix == ".journal":
                self.kept = b"".join(file.writes).count(b"\n") // 2
        elif act == "fsync":
            for change in [c for c in self.renamed if (self.root / next(iter(c))).parent == path]:
                self.entries |= change
                self.renamed.remove(change)
        elif act == "write":
            file.writes.append(bytes(arguments[0][:done]))
        elif act == "unlink":
            self.change({name: None})
            self.kept = 0 if path.suffix == ".journal" else self.kept
        elif act in ("replace", "rename"):
            self.change({name: None, self.name(arguments[0]): file})
        return done


def test_every_state_after_a_power_cut_ends_in_the_same_bits(memory, monkeypatch):
    """A folder of checkpoints, a scan, and the same scan by other code, which takes the place of the first result."""
    root, again = memory / "disk", memory / "again"
    root.mkdir()
    store, disk = Store(root / "results"), Disk(root)
    with monkeypatch.context() as patch:
        ticks = itertools.count(0.0, 0.3)  # seconds: every fourth row comes with an fsync
        patch.setattr("time.monotonic", lambda: next(ticks))
        patch.setattr(store_module, "check_writable", lambda path: files.check_writable(path, 8))
        on_disk(disk.call, patch.setattr)
        files.make_folder(store.folder_for(*RUN))
        for disk.phase, code in (("folder", "a"), ("first", "b")):
            store.compute(*KEY, Scan(POINTS, code=code), code=code)
        disk.phase = "second"
        disk.crash()
    alone = {code: Store(memory / code).compute(*KEY, Scan(POINTS, code=code), code=code) for code in "ab"}
    wanted = {code: result.path.read_bytes() for code, result in alone.items()}
    for state, phase, kept in disk.states:
        shutil.rmtree(again, ignore_errors=True)
        again.mkdir()
        for name, content in sorted(state):
            (again / name).mkdir() if content is None else (again / name).write_bytes(content)
        reopened = Store(again / "results")
        assert phase == "start" or reopened.folder_for(*RUN).is_dir()
        path = reopened.path(*KEY)
        there = path.read_bytes() if path.exists() else b""
        # what was complete once is there, or what took its place
        assert phase != "first" or there in wanted.values()
        assert phase != "second" or there == wanted["b"]
        try:
            served = Store(reopened.folder, read_only=True).load(*KEY, "b")
            assert served is None or there in wanted.values()
            assert served is None or served.made_by("b") == (there == wanted["b"])
        except Lacking:
            assert there not in wanted.values()
        list(reopened.verify())
        for code in "ab" if phase in ("start", "folder") else "b":
            scan = Scan(POINTS, code=code)
            result = reopened.compute(*KEY, scan, code=code)
            assert result.path.read_bytes() == wanted[code]
            assert not (scan.computed and list(result.path.parent.glob("*.tmp")))
            computing = code == ("b" if phase == "first" else "a")
            assert len(scan.computed) <= (0 if there == wanted[code] else POINTS - kept * computing)
    assert len(disk.states) > 450
