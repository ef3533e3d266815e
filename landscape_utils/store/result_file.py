"""The file of one result: arrays and what they come from, checked to the last bit, the same bytes each time.

It is an `.npz` file that holds the arrays and `meta.json`: kind, name, recipe, versions of the libraries,
device. The SHA-256 of all that stands at its end, as the comment of the zip archive, so that a change of
any bit is seen before anything is parsed. The bytes depend on nothing else: a scan that is computed twice on one
machine, killed or not, gives equal ones (a training also says how long it took). Nothing is unpickled.
"""

import errno
import hashlib
import io
import json
import math
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, BadZipFile, ZipFile, ZipInfo

import numpy as np

from ..errors import UserError
from .recipes import recipe_key, safe_name

_DIGEST_LENGTH = 64  # hexadecimal digits of a SHA-256
# what parsing raises for content with a right checksum that was made to fail; not MemoryError, which is no fault of it
_HOSTILE = (ValueError, KeyError, TypeError, EOFError, RuntimeError, struct.error, BadZipFile, zlib.error)


class Damaged(Exception):
    """A file that is not what was saved: truncated, altered, or not a result of this name."""


@dataclass(frozen=True)
class Result:
    """A result as it was saved; `meta`: kind, name, versions of the libraries, device, code, ..."""

    path: Path
    recipe: dict[str, Any]
    meta: dict[str, Any]
    arrays: dict[str, np.ndarray]

    def made_by(self, code: str) -> bool:
        """Whether it says that code of this fingerprint made it; "" stands for any code."""
        return code in ("", self.meta.get("code"))


def encode(meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> bytes:
    """The bytes of a result file: equal for equal content, at any time and in any order of the mappings."""
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as archive:
        # a ZipInfo made by hand is dated 1980, not now
        archive.writestr(ZipInfo("meta.json"), json.dumps(meta, sort_keys=True, indent=1))
        for name in sorted(arrays):
            with archive.open(ZipInfo(f"{name}.npy"), "w", force_zip64=True) as member:
                array = np.asarray(arrays[name], order="C")
                np.lib.format.write_array(member, array, (1, 0), allow_pickle=False)
        archive.comment = bytes(_DIGEST_LENGTH)
    content = buffer.getvalue()[:-_DIGEST_LENGTH]
    return content + hashlib.sha256(content).hexdigest().encode()


def decode(data: bytes) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The meta entry and the arrays of a result file. Raises `Damaged`; never unpickles."""
    content, digest = data[:-_DIGEST_LENGTH], data[-_DIGEST_LENGTH:]
    if hashlib.sha256(content).hexdigest().encode() != digest:
        raise Damaged("its checksum does not match: truncated, altered, or not written by landscape_utils")
    try:
        with ZipFile(io.BytesIO(data)) as archive:
            meta = json.loads(archive.read("meta.json"))
            members = [member for member in archive.infolist() if member.filename != "meta.json"]
            return meta, {m.filename.removesuffix(".npy"): _read_array(archive, m) for m in members}
    except _HOSTILE as error:
        raise Damaged(f"it cannot be read safely ({type(error).__name__})") from error


def _read_array(archive: ZipFile, member: ZipInfo) -> np.ndarray:
    if member.compress_type != ZIP_STORED:
        raise ValueError("a result is not compressed")
    content = archive.read(member)
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("not the version of the format that is written here")
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    if math.prod(shape) * dtype.itemsize != len(content) - file.tell():  # before memory is asked for
        raise ValueError("an array is not as long as it says")
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)


def read_result(path: Path) -> Result:
    """Read and check one file and change nothing.

    Raises `FileNotFoundError`, `Damaged` if the content is not what was saved under this name, and
    `UserError` if the file may not be read.
    """
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise
    except OSError as error:
        if error.errno in (errno.EISDIR, errno.EIO):
            raise Damaged(f"it cannot be read ({error.strerror})") from error
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    meta, arrays = decode(data)
    try:
        recipe, kind, name = meta.pop("recipe"), meta["kind"], meta["name"]
        if not isinstance(recipe, dict):
            raise TypeError
        proper = Path(safe_name(kind), f"{safe_name(name)}-{recipe_key(recipe)}.npz")
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise Damaged("its meta entry is incomplete") from error
    if proper.parts != path.absolute().parts[-2:]:
        raise Damaged(f"it is the result {proper}, under another name")
    return Result(path, recipe, meta, arrays)


def as_arrays(result: Any) -> dict[str, np.ndarray]:
    """The fields of a dataclass of arrays, numbers and words as arrays; see `plain_values`."""
    return {name: np.asarray(value) for name, value in vars(result).items()}


def part_of(arrays: Mapping[str, np.ndarray], part: str) -> dict[str, np.ndarray]:
    """Those of the arrays that are called "<part>.<name>", such as "train.loss", by their own names."""
    prefix = f"{part}."
    return {name.removeprefix(prefix): a for name, a in arrays.items() if name.startswith(prefix)}


def plain_values(arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Arrays as they are, and those of one number or word as that."""
    return {name: array if array.ndim else array.item() for name, array in arrays.items()}


def sound_result(path: Path) -> Result:
    """The result in a file that the user names. Raises `UserError` if it is missing or damaged."""
    if not path.is_file():  # but a folder, or a device, which has no end
        raise UserError(f"there is no result {str(path)!r}: `results list` shows those there are")
    try:
        return read_result(path)
    except Damaged as damage:
        raise UserError(f"{path} is damaged ({damage}): what needs it will compute it anew") from None
