"""Results by recipe: computed once, found again, and never half there."""

import contextlib
import functools
import importlib.metadata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import numpy as np
import yaml

from ..errors import Lacking
from .files import check_writable, disk_errors, intact, logger, make_folder, put_aside, write_atomically
from .journal import Journal
from .recipes import canonical, recipe_key, safe_name
from .result_file import Damaged, Result, encode, read_result, sound_result

PATIENCE = 2.0  # seconds of waiting for another process that are not worth a line


@functools.cache
def library_versions() -> dict[str, str]:
    """The versions of what computes, as installed."""
    versions = {}
    for name in ("landscape_utils", "numpy", "torch", "transformers"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


@dataclass(frozen=True)
class Entry:
    """A file of the store as `verify` found it. `state` of a result: "sound", "earlier" (of other code than would
    compute it now) or "damaged"; of other files "unfinished" (a journal), "half-written", or "put aside"."""

    path: Path
    size: int
    state: str
    detail: str


def _state(path: Path, current: Callable[[Result], str]) -> tuple[str, str]:
    """State and detail of a file, or of a training's folder; ("", "") if it is none of ours, or a lock."""
    if path.suffix == ".npz":
        try:
            result = read_result(path)
        except Damaged as damage:
            return "damaged", str(damage)
        if not result.made_by(current(result)):
            return "earlier", "computed by an earlier version of the code"
        return "sound", ""
    if path.is_dir() and not intact(path):
        return "damaged", "a file in it is not what was saved"
    others = {".journal": "unfinished", ".tmp": "half-written", ".damaged": "put aside"}
    return others.get(path.suffix, ""), ""


class Store:
    """The results of a profile: `folder/<kind>/<name>-<key>.npz`.

    Names are made safe (`recipes.safe_name`), so that no path leaves the folder. Whatever the disk refuses
    is a one-line `UserError`. With `read_only`, `load`, `find` and `compute` change nothing on the disk, and
    what is not there, or is damaged, is `Lacking`.
    """

    def __init__(self, folder: Path | str, read_only: bool = False):
        self.folder, self.read_only = Path(folder), read_only

    def folder_for(self, kind: str, name: str, recipe: Mapping[str, Any]) -> Path:
        """Where the big things of this recipe (checkpoints) go; the folder is not made."""
        return self.folder / safe_name(kind) / f"{safe_name(name)}-{recipe_key(recipe)}"

    def path(self, kind: str, name: str, recipe: Mapping[str, Any]) -> Path:
        """The result file of this recipe, there or not."""
        folder = self.folder_for(kind, name, recipe)
        return folder.with_name(f"{folder.name}.npz")

    @contextlib.contextmanager
    def lock(self, path: Path) -> Iterator[None]:
        """Hold `path` (a result or a folder) for this process; others wait until it leaves or dies."""
        # The empty file stays: to remove it under a process that waits would let two in.
        lock = filelock.FileLock(f"{path}.lock")
        with disk_errors(f"lock {path}"):
            make_folder(path.parent)
            try:
                lock.acquire(timeout=PATIENCE)
            except filelock.Timeout:
                logger.info("waiting for another process that works on %s", path)
                lock.acquire()
        try:
            yield
        finally:
            lock.release()

    def load(self, kind: str, name: str, recipe: Mapping[str, Any], code: str = "") -> Result | None:
        """The result, checked; None if there is none made by this `code`, or if it is damaged, and then put aside.

        A store that is read_only serves what other code has made too: see `Result.made_by`.
        """
        return self._load(self.path(kind, name, recipe), code, held=False)

    def _load(self, path: Path, code: str, held: bool) -> Result | None:
        """`held`: whether this process has the lock; else a file may be mended as soon as it was found damaged."""
        try:
            result = read_result(path)
        except FileNotFoundError:
            return None
        except Damaged as damage:
            if self.read_only:
                raise Lacking(f"{path} is damaged ({damage})") from damage
            if held:
                put_aside(path, str(damage))
                return None
            with self.lock(path):
                return self._load(path, code, held=True)
        return result if self.read_only or result.made_by(code) else None

    def find(self, kind: str, name: str, part: Mapping[str, Any]) -> list[Result]:
        """The sound results whose recipes hold everything in `part`, whatever else they hold."""
        found = []
        for path in sorted((self.folder / safe_name(kind)).glob(f"{safe_name(name)}-*.npz")):
            with contextlib.suppress(FileNotFoundError, Damaged):
                result = read_result(path)
                if result.meta["name"] == name and canonical(part, "part").items() <= result.recipe.items():
                    found.append(result)
        return found

    def compute(
        self,
        kind: str,
        name: str,
        recipe: Mapping[str, Any],
        function: Callable[[Journal], Mapping[str, np.ndarray]],
        *,
        code: str = "",
        **meta: Any,
    ) -> Result:
        """The result, loaded, or else computed by `function(journal)` and saved.

        One process computes; those that ask meanwhile wait and read, also when the first is killed. What
        `function` puts into the journal is there when it is called again after a kill, an exception or
        Ctrl-C. Rows of other `code` (see `code_of`), `meta` (device="cpu", ...) or versions of the libraries
        are not mixed in, and a result of other code is replaced.
        """
        path = self.path(kind, name, recipe)
        if result := self._load(path, code, held=False):
            return result
        if self.read_only:
            raise Lacking(f"{self.folder} lacks {kind} {name}: there is no {path.name}")
        with self.lock(path):
            if result := self._load(path, code, held=True):
                return result
            check_writable(path)
            known = {"kind": kind, "name": name, "recipe": recipe, "versions": library_versions()}
            complete = canonical({**meta, **known} | ({"code": code} if code else {}), "meta")
            with contextlib.closing(Journal(path.with_suffix(".journal"), recipe_key(complete))) as journal:
                write_atomically(path, encode(complete, function(journal)))
            journal.remove()
            return read_result(path)

    def verify(self, current: Callable[[Result], str] = lambda result: "") -> Iterator[Entry]:
        """Every file of the store, read and checked; nothing is changed.

        `current`: the fingerprint of the code that would compute a result now, "" for any.
        """
        for path in sorted(self.folder.glob("*/*")):
            with contextlib.suppress(FileNotFoundError):  # another process has just renamed or removed it
                state, detail = _state(path, current)
                if state:
                    yield Entry(path, path.lstat().st_size, state, detail)

    def entries(self) -> Iterator[Entry]:
        """The results, sound or damaged."""
        return (entry for entry in self.verify() if entry.path.suffix == ".npz")

    @staticmethod
    def explain(path: Path | str) -> str:
        """What a result is and was made from, as YAML. Raises `UserError` if it is missing or damaged."""
        result = sound_result(Path(path))
        shapes = {name: f"{array.dtype} {array.shape}" for name, array in result.arrays.items()}
        heading = {"name": result.meta["name"], "kind": result.meta["kind"], "key": recipe_key(result.recipe)}
        told = heading | result.meta | {"recipe": result.recipe, "arrays": shapes}
        return yaml.safe_dump(told, sort_keys=False)
