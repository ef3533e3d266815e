"""A scan's memory: the rows that are done, appended to a file that a kill at any byte cannot spoil.

A row is a line of ASCII between two line feeds: CRC-32, stamp, index, and the float64 numbers, little endian, in
base64. A torn line at the end is cut off at the next start, and the row of one with a wrong checksum is computed anew.
"""

import base64
import contextlib
import os
import time
import zlib
from collections import UserDict
from io import FileIO
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from .files import disk_errors, logger, sync_folder, write_all

_SYNC_SECONDS = 1.0


def _line(stamp: str, index: int, row: np.ndarray) -> bytes:
    content = b"%s %d %s" % (stamp.encode(), index, base64.b64encode(row.tobytes()))
    return b"\n%08x %s\n" % (zlib.crc32(content), content)


def _parsed(line: bytes) -> tuple[str, int, np.ndarray] | None:
    """Stamp, index and row, which is read-only; None for a line that is damaged."""
    checksum, _, content = line.partition(b" ")
    with contextlib.suppress(ValueError):
        stamp, index, row = content.split(b" ")
        if checksum == b"%08x" % zlib.crc32(content):
            return stamp.decode(), int(index), np.frombuffer(base64.b64decode(row), "<f8")
    return None


class Journal(UserDict[int, np.ndarray]):
    """The rows of a computation by index: (n,) float64, read-only, kept to the bit, NaN and infinities too.

    It only grows. What was set before a SIGKILL is there afterwards, and what was set a second or two before
    a power cut. One process at a time may hold a journal: the store's lock sees to it. Rows with another `stamp`,
    a word that says what they are of, are not used. Raises `UserError` when the disk is full.
    """

    def __init__(self, path: Path, stamp: str):
        super().__init__()
        self._path, self._stamp, self._synced = path, stamp, time.monotonic()
        self._file: FileIO | None = None
        with disk_errors(f"read {path}"), contextlib.suppress(FileNotFoundError):
            self._replay()

    def _replay(self) -> None:
        records = [_parsed(line) for line in self._path.read_bytes().split(b"\n")[:-1] if line]
        sound = [record for record in records if record]
        self.data = {index: row for stamp, index, row in sound if stamp == self._stamp}
        if damaged := len(records) - len(sound):
            logger.warning("%s: %d damaged rows are computed anew", self._path, damaged)
        if others := sum(stamp != self._stamp for stamp, *_ in sound):
            why = "they are of another code, device or version of the libraries"
            logger.warning("%s: %d rows are computed anew: %s", self._path, others, why)

    def _open(self) -> FileIO:
        """The file, made durably, without the torn line at its end."""
        # a link that somebody laid under this name is not followed
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        file = FileIO(self._path, "a", opener=lambda path, _: os.open(path, flags, 0o666))
        sync_folder(self._path.parent)
        file.truncate(self._path.read_bytes().rfind(b"\n") + 1)
        return file

    def __setitem__(self, index: int, row: ArrayLike) -> None:
        values = np.asarray(row, dtype="<f8")
        if values.ndim != 1:
            raise ValueError(f"a journal takes rows of numbers, not an array of shape {values.shape}")
        values = np.frombuffer(values.tobytes(), "<f8")  # a copy that cannot be written to
        with disk_errors(f"write {self._path}"):
            self._file = self._file or self._open()
            # after a write that failed half-way, the line feed at the start sets this row apart from it
            write_all(self._file.fileno(), _line(self._stamp, index, values))
            now = time.monotonic()
            if now - self._synced > _SYNC_SECONDS:
                os.fsync(self._file.fileno())
                self._synced = now
        self.data[index] = values

    def close(self) -> None:
        """Close the file, if any; the rows stay."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def remove(self) -> None:
        """Close the journal and remove its file: the result is in place."""
        self.close()
        with contextlib.suppress(OSError):  # all is saved, and a journal that is left is not read
            self._path.unlink()
