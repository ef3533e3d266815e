"""A scan's memory: the rows that are done, appended to a file that a kill at any byte cannot spoil.

The file is a header (magic, stamp, width, CRC-32) and then records of one size (index, held or deleted,
seconds, row, CRC-32), little endian. One record is one append; a torn one at the end is cut off at the next
start, and one with a wrong checksum is skipped.
"""

from __future__ import annotations

import contextlib
import os
import struct
import time
import zlib
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from io import FileIO
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from ..errors import UserError
from .files import disk_errors, logger, put_aside, write_all

_MAGIC = b"LUJRNL1\n"
_HEADER = struct.Struct("<8s16sHI")  # magic, stamp, width, CRC-32 of what stands before it
_SYNC_SECONDS = 1.0


def _record_type(width: int) -> np.dtype:
    fields = [("index", "<i8"), ("held", "<u1"), ("seconds", "<f8"), ("row", "<f8", (width,)), ("crc", "<u4")]
    return np.dtype(fields)


@dataclass(frozen=True)
class JournalContent:
    """What a journal file holds; `size`: where its last whole record ends, `skipped`: wrong checksums."""

    stamp: str
    width: int
    rows: dict[int, np.ndarray]  # index -> (width,) float64
    seconds: float
    size: int
    skipped: int


def read_journal(path: Path) -> JournalContent:
    """Read a journal and change nothing. Raises `ValueError` if the header is not that of a journal."""
    data = path.read_bytes()
    if len(data) < _HEADER.size and _MAGIC.startswith(data[:8]):
        return JournalContent("", 0, {}, 0.0, 0, 0)  # killed before its first row
    magic, stamp, width, crc = _HEADER.unpack(data[: _HEADER.size].ljust(_HEADER.size))
    if magic != _MAGIC or crc != zlib.crc32(data[: _HEADER.size - 4]):
        raise ValueError("it is not a journal, or its header is damaged")
    kind = _record_type(width)
    count = (len(data) - _HEADER.size) // kind.itemsize
    rows: dict[int, np.ndarray] = {}
    seconds, skipped = 0.0, 0
    for record in np.frombuffer(data, kind, count, _HEADER.size):
        if zlib.crc32(record.tobytes()[:-4]) != record["crc"]:
            skipped += 1
            continue
        seconds += float(record["seconds"])
        if record["held"]:
            rows[int(record["index"])] = record["row"].astype(np.float64)
        else:
            rows.pop(int(record["index"]), None)
    return JournalContent(
        stamp.decode("ascii"), width, rows, seconds, _HEADER.size + count * kind.itemsize, skipped
    )


class Journal(MutableMapping[int, np.ndarray]):
    """The rows of a computation by index: (width,) float64, kept to the bit, NaN and infinities too.

    What was set before a SIGKILL is there afterwards, and what was set a second or two before a power cut.
    The first row sets the width. One process at a time may hold a journal: the store's lock sees to it.

    `stamp`: 16 ASCII characters that say what the rows are of; a file with another stamp is put aside.
    Raises `UserError` when the disk is full, and `ValueError` for a row of another width.
    """

    def __init__(self, path: Path | str, stamp: str):
        self.path = Path(path)
        self._stamp = stamp
        self._file: FileIO | None = None
        self._rows: dict[int, np.ndarray] = {}
        self._width = self._size = 0
        self._seconds = 0.0
        self._started = self._synced = time.monotonic()
        with disk_errors(f"read {self.path}"):
            self._replay()

    def _replay(self) -> None:
        try:
            content = read_journal(self.path)
        except FileNotFoundError:
            return
        except ValueError as error:
            put_aside(self.path, str(error))
            return
        if content.size and content.stamp != self._stamp:
            put_aside(self.path, "it was begun with another recipe, device or version of the libraries")
            return
        if content.skipped:
            logger.warning("%s: %d damaged rows are computed anew", self.path, content.skipped)
        self._rows, self._width, self._size = content.rows, content.width, content.size
        self._seconds = content.seconds

    def _open(self, width: int) -> FileIO:
        if self._size == 0:
            header = _HEADER.pack(_MAGIC, self._stamp.encode("ascii"), width, 0)[:-4]
            self.path.unlink(missing_ok=True)
            with open(self.path, "xb", buffering=0) as file:
                write_all(file.fileno(), header + struct.pack("<I", zlib.crc32(header)))
            self._width, self._size = width, _HEADER.size
        os.truncate(self.path, self._size)
        return open(self.path, "ab", buffering=0)

    def _append(self, index: int, row: np.ndarray, held: bool) -> None:
        now = time.monotonic()
        record = np.zeros((), _record_type(len(row)))
        record["index"], record["held"], record["row"] = index, held, row
        record["seconds"] = now - self._started
        record["crc"] = zlib.crc32(record.tobytes()[:-4])
        with disk_errors(f"write {self.path}"):
            if self._file is None:
                self._file = self._open(len(row))
            try:
                write_all(self._file.fileno(), record.tobytes())
            except BaseException:
                self._file.truncate(self._size)  # or the next record would follow half a one
                raise
            self._size += record.nbytes
            if now - self._synced > _SYNC_SECONDS:
                os.fsync(self._file.fileno())
                self._synced = now
        self._seconds += float(record["seconds"])
        self._started = now

    @property
    def seconds(self) -> float:
        """The wall time of the rows, over all the starts they took, and of what came since the last row."""
        return self._seconds + time.monotonic() - self._started

    def __getitem__(self, index: int) -> np.ndarray:
        return self._rows[index].copy()

    def __setitem__(self, index: int, row: ArrayLike) -> None:
        values = np.array(row, dtype=np.float64)
        if values.ndim != 1 or not 0 < len(values) < 2**16:
            raise ValueError(
                f"a journal takes rows of 1 to 65535 numbers, not an array of shape {values.shape}"
            )
        if self._width not in (0, len(values)):
            raise UserError(
                f"{self.path} holds rows of {self._width} numbers, not {len(values)}: remove that file"
            )
        self._append(index, values, held=True)
        self._rows[int(index)] = values

    def __delitem__(self, index: int) -> None:
        row = self._rows[index]
        self._append(index, row, held=False)
        del self._rows[index]

    def __iter__(self) -> Iterator[int]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file, if any; the rows stay."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def remove(self) -> None:
        """Close the journal and remove its file: the result is in place."""
        self.close()
        with contextlib.suppress(OSError):  # all is saved: `prune` can have what is left
            self.path.unlink()
