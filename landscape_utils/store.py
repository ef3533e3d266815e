"""Results by recipe: computed once, found again, and never half there."""

from __future__ import annotations

import contextlib
import functools
import importlib.metadata
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import filelock
import numpy as np

from .errors import UserError
from .files import check_writable, disk_errors, logger, make_folder, put_aside
from .journal import Journal
from .recipes import canonical, recipe_key, safe_name
from .result_file import Damaged, Result, read_result, write_result


@functools.cache
def library_versions() -> dict[str, str]:
    """The versions of what computes, as installed."""
    versions = {}
    for name in ("landscape_utils", "numpy", "torch", "transformers"):
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


class Store:
    """The results of a profile: `folder/<kind>/<name>-<key>.npz`.

    Names are made safe (`recipes.safe_name`), so that no path leaves the folder. Whatever the disk refuses
    is a one-line `UserError`.
    """

    def __init__(self, folder: Path | str):
        self.folder = Path(folder)

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
        with disk_errors(f"lock {path}"):
            make_folder(path.parent)
            lock = filelock.FileLock(f"{path}.lock")
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout:
                if not wait:
                    raise
                logger.info("waiting for another process that works on %s", path)
                lock.acquire()
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
