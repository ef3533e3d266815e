"""Writing that survives a crash: a file is there whole under its name, or it is not there."""

import contextlib
import functools
import hashlib
import json
import logging
import os
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

from ..errors import UserError

logger = logging.getLogger("landscape_utils")
CHECKSUMS = "sha256.json"
ELSEWHERE = (
    "make room or choose another results_dir; what is saved is kept, and the same command goes on from there"
)


@contextlib.contextmanager
def disk_errors(doing: str, way_out: str = ELSEWHERE) -> Iterator[None]:
    """Turn an `OSError` (full disk, read-only folder, ...) into a one-line `UserError`."""
    try:
        yield
    except OSError as error:
        raise UserError(f"cannot {doing}: {error.strerror or error}; {way_out}") from error


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`: the system may take only a part at a time."""
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` durable: a rename is on the disk only when its folder is."""
    if os.name != "posix":  # Windows opens no folder
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make `folder` and those above it, durably."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


@contextlib.contextmanager
def _temporary(path: Path, data: bytes) -> Iterator[FileIO]:
    """`data` in a file beside `path`, where to rename it is atomic; removed if it is not renamed."""
    temporary = path.with_name(path.name + ".tmp")
    with disk_errors(f"write {path}"):
        make_folder(path.parent)
        temporary.unlink(missing_ok=True)
        try:
            # "x" never follows a link that somebody laid under this name
            with open(temporary, "xb", buffering=0) as file:
                write_all(file.fileno(), data)
                yield file
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()


def write_atomically(path: Path, data: bytes) -> None:
    """Replace `path` by `data` in one step; after any failure the old file, or none, is there.

    Two writers of one path need a lock between them: they share the temporary file. Raises `UserError`.
    """
    with _temporary(path, data) as file:
        os.fsync(file.fileno())  # before the name: a rename may reach the disk before what it names
        file.close()
        os.replace(file.name, path)
        sync_folder(path.parent)


def check_writable(path: Path, size: int = 1 << 20) -> None:
    """Raise `UserError` now, not after the work, if `size` bytes cannot be written at `path`."""
    with _temporary(path, bytes(size)):
        pass


@contextlib.contextmanager
def full_disk_told(path: Path) -> Iterator[None]:
    """Libraries may write beside `path` within: of a full disk each says another thing, and here it is `UserError`."""
    try:
        yield
    except Exception:
        check_writable(path)
        raise


def put_aside(path: Path, why: str) -> None:
    """Rename a file that cannot be used to `<name>.damaged` and say so in one line."""
    aside = path.with_name(f"{path.name}.damaged")
    with disk_errors(f"put {path} aside"):
        os.replace(path, aside)
    logger.warning("%s is put aside as %s and computed anew: %s", path, aside.name, why)


def keep_checksums(folder: Path) -> None:
    """Write the checksums of the files in a folder beside them."""
    (folder / CHECKSUMS).unlink(missing_ok=True)
    whole = (path for path in sorted(folder.iterdir()) if path.is_file() and path.suffix != ".tmp")
    kept = {path.name: checksum(path) for path in whole}
    write_atomically(folder / CHECKSUMS, json.dumps(kept).encode())


def intact(folder: Path) -> bool:
    """Whether there is a folder whose files are what they were at `keep_checksums`; without checksums they are taken to
    be."""
    kept = folder / CHECKSUMS
    try:
        digests = json.loads(kept.read_bytes()) if kept.exists() else {}
        return folder.is_dir() and all(checksum(folder / name) == d for name, d in digests.items())
    except (OSError, ValueError):
        return False


def checksum(path: Path) -> str:
    """The SHA-256 of a file, read once as long as the file does not change."""
    status = path.stat()
    return _checksum(path, status.st_size, status.st_mtime_ns)


@functools.lru_cache(maxsize=1000)
def _checksum(path: Path, *_: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
