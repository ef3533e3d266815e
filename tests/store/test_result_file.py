"""The result file: any change of it is seen, nothing in it can run, and its bytes depend on its content alone."""

import hashlib
import io
import json
import os
import pickle
import time
import zipfile
from contextlib import suppress
from unittest.mock import Mock

import numpy as np
import pytest

from landscape_utils.store.recipes import recipe_key
from landscape_utils.store.result_file import Damaged, decode, encode, read_result

RECIPE = {"seed": 1, "task": "mrpc"}
META = {"kind": "curves", "name": "mrpc", "recipe": RECIPE, "device": "cpu"}
ARRAYS = {"loss": np.array([1.0, np.nan]), "marks": np.array(["end"])}
MADE = {"meta.json": json.dumps(META).encode()}


def sealed(members: dict[str, bytes], compression=zipfile.ZIP_STORED) -> bytes:
    """A zip archive with the checksum it would have, had landscape_utils written it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)
        file.comment = bytes(64)
    return signed(buffer.getvalue()[:-64])


def signed(content: bytes) -> bytes:
    return content + hashlib.sha256(content).hexdigest().encode()


def npy(array) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def test_arrays_come_back_to_the_bit():
    made = {
        "number": np.float64(3.5),
        "empty": np.zeros((0, 4)),
        "columns": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "odd": np.array([np.nan, np.inf, -0.0, 5e-324]),
        "flags": np.array([True, False]),
        **{np.dtype(kind).name: np.arange(4, dtype=kind) for kind in (np.uint8, np.float16, ">i4")},
        "words": np.array(["fine-tuned", "日"]),
        "every third": np.arange(12)[::3],
    }
    meta, arrays = decode(encode(META, made))
    assert meta == META
    for name, array in made.items():
        assert (arrays[name].dtype, arrays[name].shape) == (array.dtype, array.shape)
        assert arrays[name].tobytes() == array.tobytes()


def test_it_is_an_npz_file_whose_bytes_depend_neither_on_the_time_nor_on_the_order(monkeypatch):
    data = encode(META, ARRAYS)
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        np.testing.assert_array_equal(archive["loss"], ARRAYS["loss"])
        assert archive.zip.testzip() is None
        assert json.loads(archive.zip.read("meta.json")) == META
    monkeypatch.setattr(time, "time", lambda: 2e9)
    assert encode(dict(reversed(META.items())), dict(reversed(ARRAYS.items()))) == data


def test_a_flip_of_any_bit_truncation_at_every_byte_and_an_appended_byte_are_seen():
    data = encode(META, ARRAYS)
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(Damaged, match="checksum"):
            decode(bytes(damaged))
    for end in (*range(len(data)), None):
        with pytest.raises(Damaged):
            decode(data + b"\0" if end is None else data[:end])


def test_what_was_made_to_fail_with_a_right_checksum_is_damage_and_no_pickle_is_run(tmp_path, monkeypatch):
    class Bomb:
        """Makes a folder when it is unpickled."""

        def __reduce__(self):
            return os.mkdir, ("touched",)

    monkeypatch.chdir(tmp_path)
    pickled = npy([Bomb()] + 99 * [None])
    header = pickled.index(b"\n") + 1
    pickled = pickled.ljust(header + 100 * 8, b"\0")  # as long as a shape of 100 pointers says
    bomb = pickle.dumps(Bomb())
    for members in (MADE | {"loss.npy": pickled}, MADE | {"loss.npy": bomb}, {"meta.json": bomb}):
        with pytest.raises(Damaged, match="cannot be read safely"):
            decode(sealed(members))
        assert not os.listdir()
    np.load(io.BytesIO(sealed({"loss.npy": pickled})), allow_pickle=True)["loss"]
    assert os.listdir() == ["touched"]  # the bomb is live
    huge = npy([1.0]).replace(b"(1,)", b"(9999999999999,)")
    packed = sealed(MADE | {"x.npy": npy(np.zeros(10**6))}, zipfile.ZIP_DEFLATED)
    for data in (sealed(MADE | {"x.npy": b"\x93NUMPY"}), sealed(MADE | {"x.npy": huge}), packed):
        with pytest.raises(Damaged):
            decode(data)


def test_whatever_bit_is_flipped_and_sealed_anew_the_file_is_read_or_damaged():
    """Every bit, and every place at which the directory may say that its first entry begins."""
    archive = sealed(MADE | {"x.npy": npy([1.0])})[:-64]
    whole = int.from_bytes(archive, "little")
    at = archive.index(b"PK\x01\x02") + 42
    for bit in range(8 * len(archive)):
        with suppress(Damaged):
            decode(signed((whole ^ 1 << bit).to_bytes(len(archive), "little")))
    for place in range(len(archive)):
        with suppress(Damaged):
            decode(signed(archive[:at] + place.to_bytes(4, "little") + archive[at + 4 :]))


def test_a_machine_without_memory_is_no_damage(monkeypatch):
    monkeypatch.setattr(zipfile.ZipFile, "read", Mock(side_effect=MemoryError))
    with pytest.raises(MemoryError):
        decode(encode(META, ARRAYS))


def test_what_is_under_another_name_a_folder_without_a_meta_entry_or_nothing_is_told_apart(tmp_path):
    path = tmp_path / "curves" / f"mrpc-{recipe_key(RECIPE)}.npz"
    path.parent.mkdir()
    with pytest.raises(FileNotFoundError):
        read_result(path)
    for meta in (None, b"{", b"[]", b"3", b"{}", b'{"recipe": 3, "kind": "curves", "name": "mrpc"}'):
        path.write_bytes(sealed({} if meta is None else {"meta.json": meta}))
        with pytest.raises(Damaged, match=r"meta entry|safely"):
            read_result(path)
    path.write_bytes(encode(META, ARRAYS))
    assert read_result(path).recipe == RECIPE
    for name in (f"rte-{recipe_key(RECIPE)}.npz", "mrpc-0123456789abcdef.npz"):
        with pytest.raises(Damaged, match="under another name"):
            read_result(path.rename(path.with_name(name)))
        path.with_name(name).rename(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(Damaged, match="directory"):
        read_result(path)
