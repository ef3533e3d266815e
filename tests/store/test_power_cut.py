"""Power cuts: every state that a crash may leave on the disk reopens as sound or is computed anew, to the same bits.

What POSIX allows is modelled here. Of what was written to a file since its last fsync, each write may be there,
missing, torn in its middle, or there in length alone (zeros). Of the entries of a folder that changed since its last
fsync (files made, renamed, removed), each change may be there or not, in any combination. What a kill leaves is one of
these states: everything is there, or the last write is torn.
"""

import itertools
import os
import shutil
from pathlib import Path

from scan_process import Scan, on_disk

from landscape_utils.errors import Lacking
from landscape_utils.store import files
from landscape_utils.store import store as store_module
from landscape_utils.store.store import Store

KEY = ("surfaces", "mrpc", {"task": "mrpc"})
RUN = ("runs", "mrpc", {"seed": 1})
POINTS = 6


class File:
    """The writes to a file, in order, and how many of them are on the disk for sure."""

    def __init__(self):
        self.writes, self.sure = [], 0

    def variants(self) -> list[bytes | None]:
        """Every content that it may have after a crash."""
        if self is FOLDER:
            return [None]
        whole, pending, found = b"".join(self.writes[: self.sure]), self.writes[self.sure :], set()
        left = ((None, data[: len(data) // 2], bytes(len(data)), data) for data in pending)
        for parts in itertools.product(*left):
            content, end = whole, len(whole)
            for part, data in zip(parts, pending, strict=True):
                content = content if part is None else content.ljust(end, b"\0") + part
                end += len(data)
            found.add(content)
        return sorted(found)


FOLDER = File()


def present(entries):
    return {name: file for name, file in entries.items() if file is not None}


def path_of(descriptor: int) -> Path:
    return Path(os.readlink(f"/proc/self/fd/{descriptor}"))


class Disk:
    """What is on the disk for sure, and what is on its way there, followed by watching a folder at every call."""

    def __init__(self, root: Path):
        self.root = root
        self.files = {}  # path -> its file, as programs see it
        self.entries = {}  # the same, as it is on the disk for sure
        self.renamed = []  # changes of entries since the last fsync of their folder; to None: removed
        self.kept = 0  # rows of the journal that is there, as of its last fsync

    def name(self, path) -> str:
        return str(Path(path).relative_to(self.root))

    def look(self) -> None:
        """Note what was made without a call that is watched; nothing is written, or cut off, without one."""
        for path in sorted(self.root.rglob("*")):
            name = self.name(path)
            if path.suffix == ".lock":
                continue
            if name not in self.files:
                self.change({name: FOLDER if path.is_dir() else File()})
            assert path.is_dir() or path.read_bytes() == b"".join(self.files[name].writes)

    def change(self, change: dict[str, File | None]) -> None:
        self.renamed.append(change)
        self.files = present(self.files | change)

    def synced(self, path: Path) -> None:
        if path.is_file():
            file = self.files[self.name(path)]
            file.sure = len(file.writes)
            if path.suffix == ".journal":
                self.kept = b"".join(file.writes).count(b"\n") // 2
            return
        for change in [c for c in self.renamed if (self.root / next(iter(c))).parent == path]:
            self.entries = present(self.entries | change)
            self.renamed.remove(change)

    def states(self):
        """Every state that a crash may leave now: folders and files, path -> content (a folder: None)."""
        for kept in itertools.product([False, True], repeat=len(self.renamed)):
            entries = dict(self.entries)
            for change in itertools.compress(self.renamed, kept):
                entries |= change
            entries = present(entries)
            reached = [name for name in entries if {*map(str, Path(name).parents)} <= {".", *entries}]
            for contents in itertools.product(*(entries[name].variants() for name in reached)):
                yield frozenset(zip(reached, contents, strict=True))


def crashes(monkeypatch, root, function, note):
    """Run a function on a folder: the states after a crash at any call, what `note` says then, and rows kept."""
    disk, found = Disk(root), {}

    def crash():
        disk.look()
        for state in disk.states():
            found[state, note(), disk.kept] = None

    def call(name, original, *arguments, **options):
        crash()
        done = original(*arguments, **options)
        if name == "fsync":
            disk.synced(path_of(*arguments))
        elif name == "write":
            disk.files[disk.name(path_of(arguments[0]))].writes.append(bytes(arguments[1][:done]))
        elif name == "unlink":
            disk.change({disk.name(arguments[0]): None})
            disk.kept = 0 if disk.name(arguments[0]).endswith(".journal") else disk.kept
        elif name in ("replace", "rename"):
            old, new = map(disk.name, arguments)
            disk.change({old: None, new: disk.files[old]})
        return done

    with monkeypatch.context() as patch:
        ticks = itertools.count(0.0, 0.3)  # seconds: every fourth row comes with an fsync
        patch.setattr("time.monotonic", lambda: next(ticks))
        patch.setattr(store_module, "check_writable", lambda path: files.check_writable(path, 8))
        on_disk(call, patch.setattr)
        function()
        crash()
    return list(found)


def lay_out(state: frozenset, root: Path) -> None:
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    for name, content in sorted(state):
        (root / name).mkdir() if content is None else (root / name).write_bytes(content)


def test_every_state_after_a_power_cut_ends_in_the_same_bits(memory, monkeypatch):
    """A folder of checkpoints, a scan, and the same scan by other code, which takes the place of the first result."""
    root = memory / "disk"
    root.mkdir()
    store = Store(root / "results")
    phases = ["start"]

    def study():
        files.make_folder(store.folder_for(*RUN))
        for done, code in (("folder", "a"), ("first", "b")):
            phases.append(done)
            store.compute(*KEY, Scan(POINTS, code=code), code=code)
        phases.append("second")

    states = crashes(monkeypatch, root, study, lambda: phases[-1])
    alone = {code: Store(memory / code).compute(*KEY, Scan(POINTS, code=code), code=code) for code in "ab"}
    wanted = {code: result.path.read_bytes() for code, result in alone.items()}
    again = memory / "again"
    for state, phase, kept in states:
        lay_out(state, again)
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
    assert len(states) > 450
