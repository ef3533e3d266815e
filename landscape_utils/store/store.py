"""Results by recipe: computed once, found again, and never half there."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import filelock
import numpy as np

from ..errors import Lacking, UserError
from .export import csv_bytes, netcdf_bytes
from .files import check_writable, disk_errors, logger, make_folder, put_aside, write_atomically
from .journal import Journal, read_journal
from .recipes import canonical, in_words, recipe_key, safe_name
from .result_file import Damaged, Result, read_result, write_result

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
    """A file of the store as `verify` found it.

    `state` is "sound" or "damaged" (results), "unfinished" (the journal of a result to come), "put aside"
    (damaged files under their new name) or "leftover" (half-written, or of no use any more); `detail` says
    more. `meta` is that of a sound result.
    """

    path: Path
    kind: str
    name: str
    key: str
    size: int
    state: str
    detail: str
    meta: dict[str, Any]


_OURS = re.compile(
    r"(?P<name>.+)-(?P<key>[0-9a-f]{16})\.(?P<type>npz|json|journal)(?P<rest>\.tmp|\.damaged-\d+)?"
)


def _examine(path: Path) -> Entry | None:
    """What `path` is, read and checked; None if it is not the store's, or a lock, or the `.json` of a result."""
    if not (match := _OURS.fullmatch(path.name)):
        return None
    complete = path.with_suffix(".npz").exists()
    state, detail, meta = "leftover", "", {}
    try:
        size = path.lstat().st_size
        if match["rest"]:
            state, detail = ("leftover", "half-written") if match["rest"] == ".tmp" else ("put aside", "")
        elif match["type"] == "npz":
            state, meta = "sound", read_result(path).meta
        elif match["type"] == "json":
            if complete:
                return None
            detail = "its result is missing"
        elif complete:
            detail = "its result is complete"
        else:
            content = read_journal(path)
            state, detail = "unfinished", f"{len(content.rows)} points, {content.skipped} damaged"
    except FileNotFoundError:  # another process has just renamed or removed it
        return None
    except (Damaged, ValueError) as damage:
        state, detail = "damaged", str(damage)
    return Entry(path, path.parent.name, match["name"], match["key"], size, state, detail, meta)


def _sound(path: Path) -> Result:
    try:
        return read_result(path)
    except FileNotFoundError:
        raise UserError(f"there is no result {path}: `results list` shows those there are") from None
    except Damaged as damage:
        raise UserError(f"{path} is damaged ({damage}): what needs it will compute it anew") from None


class Store:
    """The results of a profile: `folder/<kind>/<name>-<key>.npz`.

    Names are made safe (`recipes.safe_name`), so that no path leaves the folder. Whatever the disk refuses
    is a one-line `UserError`. With `read_only`, `load`, `find` and `compute` change nothing on the disk, and
    what is not there, or is damaged, is `Lacking`.
    """

    def __init__(self, folder: Path | str, read_only: bool = False):
        self.folder, self.read_only = Path(folder), read_only

    @staticmethod
    def key(recipe: Mapping[str, Any]) -> str:
        """16 hexadecimal digits that change with everything in `recipe` and with nothing else."""
        return recipe_key(recipe)

    def folder_for(self, kind: str, name: str, recipe: Mapping[str, Any]) -> Path:
        """Where the big things of this recipe (checkpoints) go; the folder is not made."""
        return self.folder / safe_name(kind) / f"{safe_name(name)}-{recipe_key(recipe)}"

    def path(self, kind: str, name: str, recipe: Mapping[str, Any]) -> Path:
        """The result file of this recipe, there or not."""
        folder = self.folder_for(kind, name, recipe)
        return folder.with_name(f"{folder.name}.npz")

    @contextlib.contextmanager
    def lock(self, path: Path, wait: bool = True) -> Iterator[None]:
        """Hold `path` (a result or a folder) for this process; others wait until it leaves or dies.

        With `wait=False`, raises `filelock.Timeout` at once if another holds it. The empty file
        `<path>.lock` stays: to remove it under a process that waits would let two in.
        """
        lock = filelock.FileLock(f"{path}.lock")
        with disk_errors(f"lock {path}"):
            make_folder(path.parent)
            with contextlib.suppress(filelock.Timeout):
                lock.acquire(timeout=PATIENCE if wait else 0)
            if wait and not lock.is_locked:
                logger.info("waiting for another process that works on %s", path)
                lock.acquire()
        if not lock.is_locked:
            raise filelock.Timeout(lock.lock_file)
        try:
            yield
        finally:
            lock.release()

    def load(self, kind: str, name: str, recipe: Mapping[str, Any]) -> Result | None:
        """The result, checked; None if there is none or it is damaged: then it is put aside and reported."""
        path = self.path(kind, name, recipe)
        try:
            return read_result(path)
        except FileNotFoundError:
            return None
        except Damaged as damage:
            if self.read_only:
                raise Lacking(f"{path} is damaged ({damage})") from damage
            try:
                with self.lock(path, wait=False):
                    return self._load_held(path)
            except filelock.Timeout:  # another process has seen to it and computes
                return None
            except UserError as error:
                raise UserError(
                    f"{path} is damaged ({damage}) and must be computed anew, but: {error}"
                ) from error

    def _load_held(self, path: Path) -> Result | None:
        """Load with the lock held: else a damaged file might have just been replaced by a sound one."""
        try:
            return read_result(path)
        except FileNotFoundError:
            return None
        except Damaged as damage:
            put_aside(path, str(damage))
            return None

    def find(self, kind: str, name: str, part: Mapping[str, Any]) -> list[Result]:
        """The sound results whose recipes hold everything in `part`, whatever else they hold."""
        found = []
        for path in sorted((self.folder / safe_name(kind)).glob(f"{safe_name(name)}-*.npz")):
            with contextlib.suppress(FileNotFoundError, Damaged):
                result = read_result(path)
                if result.meta["name"] == name and canonical(part, "part").items() <= result.recipe.items():
                    found.append(result)
        return found

    def save(
        self,
        kind: str,
        name: str,
        recipe: Mapping[str, Any],
        arrays: Mapping[str, np.ndarray],
        *,
        seconds: float = 0.0,
        **meta: Any,
    ) -> Result:
        """Write a result and read it back; `seconds` goes beside the file, `meta` (device, ...) into it."""
        path = self.path(kind, name, recipe)
        with self.lock(path):
            return write_result(path, self._meta(kind, name, recipe, meta), arrays, seconds)

    @staticmethod
    def _meta(kind: str, name: str, recipe: Mapping[str, Any], meta: Mapping[str, Any]) -> dict[str, Any]:
        known = {"kind": kind, "name": name, "recipe": recipe, "versions": library_versions()}
        return canonical({**meta, **known}, "meta")

    def compute(
        self,
        kind: str,
        name: str,
        recipe: Mapping[str, Any],
        function: Callable[[Journal], Mapping[str, np.ndarray]],
        **meta: Any,
    ) -> Result:
        """The result, loaded, or else computed by `function(journal)` and saved.

        One process computes; those that ask meanwhile wait and read, also when the first is killed. What
        `function` puts into the journal is there when it is called again after a kill, an exception or
        Ctrl-C. `meta` (device="cpu", ...) must be known beforehand: rows that another device or another
        version of the libraries computed are put aside, not mixed in.
        """
        path = self.path(kind, name, recipe)
        if result := self.load(kind, name, recipe):
            return result
        if self.read_only:
            raise Lacking(f"{self.folder} lacks {kind} {name}: there is no {path.name}")
        with self.lock(path):
            if result := self._load_held(path):
                return result
            check_writable(path)
            complete = self._meta(kind, name, recipe, meta)
            with Journal(path.with_suffix(".journal"), recipe_key(complete)) as journal:
                arrays = function(journal)
                result = write_result(path, complete, arrays, journal.seconds)
            journal.remove()
        return result

    def verify(self) -> Iterator[Entry]:
        """Every file of the store, read and checked; nothing is changed."""
        return filter(None, map(_examine, sorted(self.folder.glob("*/*"))))

    def entries(self) -> Iterator[Entry]:
        """The results, sound or damaged."""
        return (entry for entry in self.verify() if entry.path.suffix == ".npz")

    def prune(
        self, keep: Collection[str] | None = None, older_than_days: float | None = None, dry_run: bool = True
    ) -> list[Path]:
        """Remove what is of no use: damaged files, half-written ones, journals of complete results.

        Results and unfinished journals go only if `keep` (keys to keep) or `older_than_days` (not written
        to since) is given, and if they fall under all that is given. What a process works on stays. Returns
        the files that were, or with `dry_run` would be, removed. Folders of checkpoints are not touched.
        """
        now, removed = time.time(), []
        for entry in list(self.verify()):
            chosen = (keep is not None or older_than_days is not None) and entry.key not in (keep or ())
            if older_than_days is not None:
                chosen = chosen and now - entry.path.stat().st_mtime > older_than_days * 86400
            if entry.state in ("sound", "unfinished") and not chosen:
                continue
            if dry_run or self._remove(entry):
                removed.append(entry.path)
        return removed

    def _remove(self, entry: Entry) -> bool:
        """Remove one file unless a process holds its result, or has changed it since."""
        result = entry.path.with_name(f"{entry.name}-{entry.key}.npz")
        with contextlib.suppress(filelock.Timeout), self.lock(result, wait=False):
            if _examine(entry.path) == entry:
                with disk_errors(f"remove {entry.path}"):
                    entry.path.unlink()
                    if entry.path == result:
                        entry.path.with_suffix(".json").unlink(missing_ok=True)
                return True
        return False

    @staticmethod
    def explain(path: Path | str) -> str:
        """What a result is and was made from, in words. Raises `UserError` if it is missing or damaged."""
        result = _sound(Path(path))
        meta = dict(result.meta)
        versions = ", ".join(f"{name} {version}" for name, version in meta.pop("versions", {}).items())
        heading = {"result": meta.pop("name"), "kind": meta.pop("kind"), "key": recipe_key(result.recipe)}
        shapes = {name: f"{array.dtype} {array.shape}" for name, array in result.arrays.items()}
        made = {**meta, "computed with": versions, "recipe": result.recipe, "arrays": shapes}
        return "\n".join(in_words(heading | made))

    @staticmethod
    def export(path: Path | str, out: Path | str) -> Path:
        """Write a result as `.csv` (long format) or `.nc` (netCDF, for xarray)."""
        writers = {".csv": csv_bytes, ".nc": netcdf_bytes}
        out = Path(out)
        if out.suffix not in writers:
            raise UserError(f"cannot export to {out}: the name must end in .csv or .nc")
        write_atomically(out, writers[out.suffix](_sound(Path(path))))
        return out
