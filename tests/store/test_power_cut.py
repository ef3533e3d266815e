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
HOWS = ("missing", "torn", "zeros", "there")


def present(entries):
    return {name: number for name, number in entries.items() if number is not None}


class Disk:
    """What is on the disk for sure, and what is on its way there, followed by watching a folder at every call."""

    def __init__(self, root: Path):
        self.root = root
        self.ids = {}  # path -> number of its file (a folder: -1), as programs see it
        self.entries = {}  # the same, as it is on the disk for sure
        self.renamed = []  # changes of entries since the last fsync of their folder; to None: removed
        self.contents = {}  # file -> what is on the disk for sure
        self.lengths = {}  # file -> as long as programs see it
        self.pending = {}  # file -> (where, what) was written since; None: cut off there
        self.kept = 0  # rows of the journal that is there, as of its last fsync

    def look(self) -> None:
        """Note files that were made, and cut off, without a call that is watched."""
        for path in sorted(self.root.rglob("*")):
            name = str(path.relative_to(self.root))
            if path.suffix == ".lock":
                continue
            if name not in self.ids:
                number = -1 if path.is_dir() else len(self.contents)
                if path.is_file():
                    self.contents[number], self.pending[number], self.lengths[number] = b"", [], 0
                self.change({name: number})
            length = path.stat().st_size
            if path.is_file() and length < self.lengths[self.ids[name]]:
                self.pending[self.ids[name]].append((length, None))
                self.lengths[self.ids[name]] = length

    def change(self, change: dict[str, int | None]) -> None:
        self.renamed.append(change)
        self.ids = present(self.ids | change)

    def name(self, path) -> str:
        return str(Path(path).relative_to(self.root))

    def wrote(self, descriptor: int, data: bytes) -> None:
        number = self.ids[self.name(os.readlink(f"/proc/self/fd/{descriptor}"))]
        self.pending[number].append((self.lengths[number], bytes(data)))
        self.lengths[number] += len(data)

    def synced(self, descriptor: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{descriptor}"))
        if path.is_file():
            number = self.ids[self.name(path)]
            self.contents[number], self.pending[number] = path.read_bytes(), []
            if path.suffix == ".journal":
                self.kept = self.contents[number].count(b"\n") // 2
            return
        for change in [c for c in self.renamed if (self.root / next(iter(c))).parent == path]:
            self.entries = present(self.entries | change)
            self.renamed.remove(change)

    def states(self):
        """Every state that a crash may leave now: folders and files, path -> content (a folder: None)."""
        for kept in itertools.product([False, True], repeat=len(self.renamed)):
            entries = dict(self.entries)
            for change in itertools.compress(self.renamed, kept):
                entries.update(change)
            entries = present(entries)
            reached = [name for name in entries if {*map(str, Path(name).parents)} <= {".", *entries}]
            for contents in itertools.product(*(self.variants(entries[name]) for name in reached)):
                yield dict(zip(reached, contents, strict=True))

    def variants(self, number: int) -> list[bytes | None]:
        if number == -1:
            return [None]
        found = set()
        for hows in itertools.product(HOWS, repeat=len(self.pending[number])):
            content = bytearray(self.contents[number])
            for (place, data), how in zip(self.pending[number], hows, strict=True):
                if how == "missing":
                    continue
                if data is None:
                    del content[place:]
                else:
                    part = {"torn": data[: len(data) // 2], "zeros": bytes(len(data)), "there": data}[how]
                    content.extend(bytes(max(0, place - len(content))))
                    content[place : place + len(part)] = part
            found.add(bytes(content))
        return sorted(found)


def crashes(monkeypatch, root, function, note):
    """Run a function on a folder: the states after a crash at any call, what `note` says then, and rows kept."""
    disk, found = Disk(root), {}

    def crash():
        disk.look()
        for state in disk.states():
            found[frozenset(state.items()), note(), disk.kept] = None

    def call(name, original, *arguments, **options):
        crash()
        done = original(*arguments, **options)
        if name == "fsync":
            disk.synced(*arguments)
        elif name == "write":
            disk.wrote(arguments[0], arguments[1][:done])
        elif name == "unlink":
            disk.change({disk.name(arguments[0]): None})
            disk.kept = 0 if disk.name(arguments[0]).endswith(".journal") else disk.kept
        elif name in ("replace", "rename"):
            old, new = map(disk.name, arguments)
            disk.change({old: None, new: disk.ids[old]})
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
