"""The store in one process: computed once, damage found and mended, nothing outside its folder."""

import errno
import os

import numpy as np
import pytest
from scan_process import Scan, on_disk

from landscape_utils.errors import Lacking, UserError
from landscape_utils.store.store import Store

RECIPE = {"task": "mrpc", "seed": 1, "grid": {"alpha": np.linspace(-1, 1, 9)}}
KEY = ("curves", "mrpc", RECIPE)
POINTS = 5


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results" / "demo")


def files(store):
    return sorted(path.name for path in store.folder.rglob("*") if path.is_file() and path.suffix != ".lock")


def compute(store, scan=None, name="mrpc", recipe=RECIPE):
    return store.compute("curves", name, recipe, scan or Scan(), device="cpu")


@pytest.mark.parametrize("name", ["mrpc", "../../x"])
def test_computed_once_then_loaded_and_to_look_is_not_to_write(store, name):
    assert store.load("curves", name, RECIPE) is None
    assert not store.folder_for("curves", name, RECIPE).exists()
    assert not store.folder.exists()
    scan = Scan()
    first, second = compute(store, scan, name), compute(store, scan, name)
    assert scan.computed == list(range(POINTS))
    assert first.path == second.path == store.path("curves", name, RECIPE)
    assert first.path.resolve().parent.parent == store.folder.resolve()
    assert first.arrays["loss"].tobytes() == second.arrays["loss"].tobytes()
    assert first.recipe == RECIPE | {"grid": {"alpha": RECIPE["grid"]["alpha"].tolist()}}
    assert {"device": "cpu", "kind": "curves", "name": name}.items() <= first.meta.items()
    assert {"numpy", "torch", "transformers"} <= first.meta["versions"].keys()
    assert files(store) == [first.path.name]
    assert store.load("curves", name, RECIPE | {"seed": 2}) is None


def test_a_store_that_only_reads_computes_and_changes_nothing(store):
    path = compute(store).path
    before = sorted(store.folder.rglob("*"))
    reading, scan = Store(store.folder, read_only=True), Scan()
    assert compute(reading, scan).path == path
    with pytest.raises(Lacking, match=r"lacks curves rte: there is no rte-[0-9a-f]{16}\.npz"):
        compute(reading, scan, name="rte")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Lacking, match="is damaged"):
        compute(reading, scan)
    assert scan.computed == []
    assert sorted(store.folder.rglob("*")) == before


@pytest.mark.parametrize("first", ["load", "compute"])
def test_a_damaged_file_is_put_aside_reported_in_one_line_and_computed_anew(store, caplog, first):
    path = compute(store).path
    sound = path.read_bytes()
    path.write_bytes(sound[:-9])
    scan = Scan()
    if first == "load":
        assert store.load(*KEY) is None
        assert not path.exists()
    compute(store, scan)
    assert scan.computed == list(range(POINTS))
    assert path.read_bytes() == sound
    assert path.with_name(f"{path.name}.damaged").read_bytes() == sound[:-9]
    (line,) = caplog.messages
    assert line.startswith(f"{path} is put aside as {path.name}.damaged and computed anew: its checksum")


def test_a_damaged_file_that_another_process_mends_meanwhile_is_taken(store, monkeypatch, caplog):
    """The other one held the lock until now, and has mended the file."""
    path, lock = compute(store).path, store.lock
    sound = path.read_bytes()
    monkeypatch.setattr(store, "lock", lambda asked: [asked.write_bytes(sound), lock(asked)][1])
    path.write_bytes(b"")
    assert store.load(*KEY).path == path
    assert (path.read_bytes(), caplog.messages) == (sound, [])


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
def test_a_disk_that_fills_up_at_the_end_costs_no_point_and_leaves_no_half(store, monkeypatch, error, step):
    scan, path = Scan(), store.path(*KEY)

    def call(name, original, target, *arguments, **options):
        file = os.readlink(f"/proc/self/fd/{target}") if isinstance(target, int) else str(target)
        if scan.computed and name == step and file.endswith(".npz.tmp"):
            raise error
        return original(target, *arguments, **options)

    with monkeypatch.context() as patch, pytest.raises((UserError, KeyboardInterrupt)) as caught:
        on_disk(call, patch.setattr)
        compute(store, scan)
    said = rf"^cannot write {path}: No space left on device; .*results_dir.*$"
    assert caught.match(said) if isinstance(error, OSError) else caught.value is error
    assert path.with_suffix(".journal").name in files(store)
    assert not path.exists()
    assert not any(name.endswith(".tmp") for name in files(store))
    compute(store, scan)
    assert scan.computed == list(range(POINTS))
    assert files(store) == [path.name]


def test_results_are_found_by_a_part_of_their_recipe(store):
    _, second = (compute(store, recipe=RECIPE | {"seed": seed}) for seed in (1, 2))
    compute(store, name="mrpc-2")
    for part, seeds in ({"task": "mrpc", "grid": RECIPE["grid"]}, [1, 2]), ({"seed": 2.0}, [2]):
        found = [result.recipe["seed"] for result in store.find("curves", "mrpc", part)]
        assert sorted(found) == seeds
    assert store.find("curves", "mrpc", {"seed": 3}) == store.find("surfaces", "mrpc", {}) == []
    second.path.write_bytes(second.path.read_bytes()[:-1])
    assert store.find("curves", "mrpc", {"seed": 2}) == []


def test_verify_finds_the_state_of_every_file_and_changes_nothing(store):
    sound, damaged = compute(store).path, compute(store, name="rte").path
    damaged.write_bytes(damaged.read_bytes()[:-1])
    states = {sound: "sound", damaged: "damaged"}
    for ending, state in (("damaged", "put aside"), ("tmp", "half-written"), ("journal", "unfinished")):
        states[sound.with_name(f"mrpc-0.{ending}")] = state
    for path in (*states, sound.with_name("mrpc-0.txt")):
        path.touch()
    (store.folder / "runs" / "mrpc-0123456789abcdef").mkdir(parents=True)
    before = files(store)
    found = {entry.path: entry for entry in store.verify()}
    assert {path: entry.state for path, entry in found.items()} == states
    assert files(store) == before
    assert "checksum does not match" in found[damaged].detail
    assert list(store.entries()) == [found[sound], found[damaged]]
    assert found[sound].size == sound.stat().st_size
