"""The store in one process: computed once, damage found and mended, nothing outside its folder."""

import errno
import logging
import os
import threading

import numpy as np
import pytest
import yaml
from scan_process import Scan

from landscape_utils.errors import Lacking, UserError
from landscape_utils.store.recipes import canonical, recipe_key
from landscape_utils.store.store import Store

RECIPE = {"task": "mrpc", "seed": 1, "grid": {"alpha": np.linspace(-1, 1, 9)}}
POINTS = 5


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "results" / "demo")


def files(store):
    """The names of all files but the locks."""
    return sorted(path.name for path in store.folder.rglob("*") if path.is_file() and path.suffix != ".lock")


def compute(store, scan=None, name="mrpc", recipe=RECIPE, **meta):
    return store.compute("curves", name, recipe, scan or Scan(), **({"device": "cpu"} | meta))


def test_computed_once_then_loaded(store):
    scan = Scan()
    first = compute(store, scan)
    second = compute(store, scan)
    assert scan.computed == list(range(POINTS))
    assert first.path == second.path == store.path("curves", "mrpc", RECIPE)
    assert first.arrays["loss"].tobytes() == second.arrays["loss"].tobytes()
    assert first.recipe == {"task": "mrpc", "seed": 1, "grid": {"alpha": RECIPE["grid"]["alpha"].tolist()}}
    assert {"device": "cpu", "kind": "curves", "name": "mrpc"}.items() <= first.meta.items()
    assert {"numpy", "torch", "transformers"} <= first.meta["versions"].keys()
    assert first.meta["seconds"] >= 0
    assert files(store) == [first.path.with_suffix(".json").name, first.path.name]


def test_what_is_not_there_is_none_and_to_look_is_not_to_write(store):
    assert store.load("curves", "mrpc", RECIPE) is None
    assert not store.folder.exists()
    computed = compute(store)
    assert store.load("curves", "mrpc", RECIPE).meta == computed.meta
    assert store.load("curves", "mrpc", RECIPE | {"seed": 2}) is None


@pytest.mark.parametrize("error", [KeyboardInterrupt(), RuntimeError("out of memory")], ids=repr)
def test_an_interrupted_computation_goes_on_where_it_was(store, error):
    scan = Scan(stop_at=3, error=error)
    with pytest.raises(type(error)):
        compute(store, scan)
    assert files(store) == [store.path("curves", "mrpc", RECIPE).with_suffix(".journal").name]
    resumed = compute(store, scan)  # in the same process: the lock is free
    assert scan.computed == list(range(POINTS))
    undisturbed = compute(Store(store.folder.parent / "other"))
    assert resumed.path.read_bytes() == undisturbed.path.read_bytes()


@pytest.mark.parametrize("meta", [{"device": "cuda"}, {"versions_of": "tomorrow"}])
def test_rows_of_another_device_or_version_are_not_mixed_in(store, caplog, meta):
    with pytest.raises(KeyboardInterrupt):
        compute(store, Scan(stop_at=3, error=KeyboardInterrupt()))
    scan = Scan()
    compute(store, scan, **meta)
    assert scan.computed == list(range(POINTS))
    assert len(caplog.messages) == 1
    assert "of another code, device or version" in caplog.messages[0]


DAMAGES = {
    "truncated": lambda data: data[:-9],
    "flipped": lambda data: data[:99] + bytes([data[99] ^ 4]) + data[100:],
    "empty": lambda data: b"",
    "foreign": lambda data: b"PK\x03\x04 not ours",
}


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("first", ["load", "compute"])
def test_a_damaged_file_is_put_aside_reported_in_one_line_and_computed_anew(store, caplog, how, first):
    path = compute(store).path
    sound = path.read_bytes()
    damaged = DAMAGES[how](sound)
    path.write_bytes(damaged)
    scan = Scan()
    if first == "load":
        assert store.load("curves", "mrpc", RECIPE) is None
        assert not path.exists()
    compute(store, scan)
    assert scan.computed == list(range(POINTS))
    assert path.read_bytes() == sound
    assert path.with_name(f"{path.name}.damaged-1").read_bytes() == damaged
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert str(path) in caplog.messages[0]
    assert "\n" not in caplog.messages[0]


def test_the_sound_result_of_another_recipe_is_not_taken_for_this_one(store, caplog):
    other = compute(store, recipe=RECIPE | {"seed": 2}).path
    path = store.path("curves", "mrpc", RECIPE)
    path.write_bytes(other.read_bytes())
    assert store.load("curves", "mrpc", RECIPE) is None
    assert "under another name" in caplog.messages[0]


HOSTILE = ["../../x", "/etc/passwd", "a/b", "..", "", "CON", "x" * 999, "\0", "a\\..\\b", "~root"]


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: repr(name[:12]))
def test_hostile_names_stay_in_the_folder(store, name):
    result = store.compute(name, name, RECIPE, lambda journal: {"x": np.zeros(1)})
    assert result.path.parent.parent == store.folder
    assert result.path.resolve().is_relative_to(store.folder.resolve())
    assert store.load(name, name, RECIPE).meta["name"] == name
    assert store.folder_for(name, name, RECIPE) == result.path.with_suffix("")
    everything = {path for path in store.folder.parents[1].rglob("*") if path.is_file()}
    assert everything == {path for path in store.folder.rglob("*") if path.is_file()}


def test_folder_for_goes_by_the_recipe_and_is_not_made(store):
    folder = store.folder_for("runs", "mrpc", RECIPE)
    assert folder == store.folder / "runs" / f"mrpc-{recipe_key(RECIPE)}"
    with store.lock(folder):
        assert not folder.exists()


def test_who_waits_for_another_says_so_once_and_takes_what_that_one_has_mended(store, monkeypatch, caplog):
    monkeypatch.setattr("landscape_utils.store.store.PATIENCE", 0.0)
    path = compute(store).path
    sound, held, free = path.read_bytes(), threading.Event(), threading.Event()

    def mend():
        with Store(store.folder).lock(path):
            held.set()
            free.wait()
            path.write_bytes(sound)

    class Freeing(logging.Handler):
        def emit(self, record):
            free.set()  # whoever waits has said so

    path.write_bytes(b"")
    other, handler = threading.Thread(target=mend), Freeing()
    other.start()
    held.wait()
    logging.getLogger("landscape_utils").addHandler(handler)
    with caplog.at_level(logging.INFO, "landscape_utils"):
        assert store.load("curves", "mrpc", RECIPE).path.read_bytes() == sound
    logging.getLogger("landscape_utils").removeHandler(handler)
    other.join()
    assert caplog.messages == [f"waiting for another process that works on {path}"]


def test_a_recipe_that_cannot_be_is_refused_before_any_work(store):
    scan = Scan()
    with pytest.raises(TypeError, match="recipe"):
        compute(store, scan, recipe={"x": object()})
    with pytest.raises(UserError, match="meta holds a number that is not finite"):
        compute(store, scan, loss=float("nan"))
    assert scan.computed == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_disk_that_takes_nothing_stops_before_the_work_in_one_line(store, monkeypatch, number):
    scan = Scan()

    def refuse(*_):
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", refuse)
        with pytest.raises(UserError, match=os.strerror(number)) as caught:
            compute(store, scan)
    assert "\n" not in str(caught.value)
    assert scan.computed == []
    assert files(store) == []
    compute(store, scan)


@pytest.mark.parametrize("failing", [".json.tmp", ".npz.tmp"])
def test_a_disk_that_fills_up_at_the_end_costs_no_point(store, monkeypatch, failing):
    scan = Scan()
    write = os.write

    def full(descriptor, data):
        if scan.computed and os.readlink(f"/proc/self/fd/{descriptor}").endswith(failing):
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data)

    path = store.path("curves", "mrpc", RECIPE)
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        with pytest.raises(UserError, match="No space left on device"):
            compute(store, scan)
    assert path.with_suffix(".journal").name in files(store)
    assert not path.exists()
    assert not any(name.endswith(".tmp") for name in files(store))
    compute(store, scan)
    assert scan.computed == list(range(POINTS))
    assert files(store) == [path.with_suffix(".json").name, path.name]


def test_results_are_found_by_a_part_of_their_recipe(store):
    first, second = (compute(store, recipe=RECIPE | {"seed": seed}) for seed in (1, 2))
    compute(store, name="mrpc-2")
    found = store.find("curves", "mrpc", {"task": "mrpc", "grid": RECIPE["grid"]})
    assert {result.path for result in found} == {first.path, second.path}
    assert [r.recipe["seed"] for r in store.find("curves", "mrpc", {"seed": 2.0})] == [2]
    assert store.find("curves", "mrpc", {"seed": 3}) == store.find("surfaces", "mrpc", {}) == []
    second.path.write_bytes(second.path.read_bytes()[:-1])
    assert store.find("curves", "mrpc", {"seed": 2}) == []


def test_a_store_that_only_reads_computes_and_changes_nothing(store):
    path = compute(store).path
    before = sorted(store.folder.rglob("*"))
    reading = Store(store.folder, read_only=True)
    assert compute(reading, scan=None).path == path
    scan = Scan()
    with pytest.raises(Lacking, match=r"lacks curves rte: there is no rte-[0-9a-f]{16}\.npz"):
        compute(reading, scan, name="rte")
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Lacking, match="is damaged"):
        compute(reading, scan)
    assert scan.computed == []
    assert sorted(store.folder.rglob("*")) == before


def littered(store):
    """A store with a file of every state; path -> state and detail."""
    sound, damaged = compute(store).path, compute(store, name="rte").path
    damaged.write_bytes(damaged.read_bytes()[:-1])
    aside, half = (sound.with_name(f"{sound.name}{end}") for end in (".damaged-1", ".tmp"))
    aside.touch()
    half.write_bytes(b"PK")
    with pytest.raises(KeyboardInterrupt):
        compute(store, Scan(stop_at=2, error=KeyboardInterrupt()), name="sst2")
    unfinished = store.path("curves", "sst2", RECIPE).with_suffix(".journal")
    (store.folder / "curves" / "notes.txt").write_text("not ours")
    (store.folder / "runs" / "mrpc-0123456789abcdef").mkdir(parents=True)
    checksum = "its checksum does not match: truncated, altered, or not written by landscape_utils"
    return {
        sound: ("sound", ""),
        damaged: ("damaged", checksum),
        aside: ("put aside", ""),
        half: ("half-written", ""),
        unfinished: ("unfinished", "2 points, 0 damaged"),
    }


def test_verify_finds_the_state_of_every_file_and_changes_nothing(store):
    states = littered(store)
    before = files(store)
    found = {entry.path: entry for entry in store.verify()}
    assert {path: (entry.state, entry.detail) for path, entry in found.items()} == states
    assert files(store) == before
    assert [(entry.name, entry.state) for entry in store.entries()] == [("mrpc", "sound"), ("rte", "damaged")]
    assert list(Store(store.folder / "missing").entries()) == []
    sound = found[next(iter(states))]
    assert (sound.kind, sound.name, sound.size) == ("curves", "mrpc", sound.path.stat().st_size)


def test_explain_tells_the_recipe_in_words(store):
    told = store.explain(compute(store).path)
    assert told.startswith("name: mrpc\nkind: curves\nkey: ")
    told = yaml.safe_load(told)
    assert told["recipe"] == canonical(RECIPE)
    assert told["arrays"] == {"loss": "float64 (5, 3)"}
    assert told["device"] == "cpu"
    assert {"numpy", "torch"} <= told["versions"].keys()


def test_export(store, tmp_path):
    arrays = {"alpha": np.array([0.0, 0.5]), "loss": np.array([1.0, np.inf])}
    path = store.compute("curves", "mrpc", RECIPE, lambda journal: arrays).path
    assert store.export(path, tmp_path / "out.csv").read_text() == "alpha,loss\n0.0,1.0\n0.5,inf\n"
    assert store.export(str(path), str(tmp_path / "out.nc")).read_bytes()[:3] == b"CDF"
    with pytest.raises(UserError, match=r"out\.xlsx: the name must end in \.csv or \.nc"):
        store.export(path, tmp_path / "out.xlsx")
    path.write_bytes(b"")
    for ask in (store.explain, lambda path: store.export(path, tmp_path / "out.csv")):
        with pytest.raises(UserError, match="there is no result"):
            ask(path.with_name("x.npz"))
        with pytest.raises(UserError, match="is damaged"):
            ask(path)
