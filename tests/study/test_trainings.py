"""Results read where neither data nor model are: which data set they are of, and what is refused."""

import shutil
import socket
from functools import reduce
from pathlib import Path

import numpy as np
import pytest
from own_case import refused

from landscape_utils import Profile, Study, load_profile
from landscape_utils.environment import ROOT
from landscape_utils.errors import Lacking
from landscape_utils.names import TASK_NAMES
from landscape_utils.study.computing import KINDS, with_needs
from landscape_utils.study.run_result import RunResult
from landscape_utils.training import demo_language, models, sources

TASKS = ("mrpc", "rte")


def write_glue(folder: Path, examples: int = 48) -> Path:
    for name in TASKS:
        layout, task, place = sources.GLUE[name], demo_language.make_task(name), folder / TASK_NAMES[name]
        place.mkdir(parents=True)
        for split, rows in (("train", task.train[:examples]), ("dev", task.dev[:32])):
            lines = [(*layout.text, layout.label), *((*text, layout.written[label]) for text, label in rows)]
            (place / f"{split}.tsv").write_text("\n".join(map("\t".join, lines)) + "\n", "utf-8")
    return folder


@pytest.fixture(scope="module")
def profile(tiny_profile) -> Profile:
    table = load_profile(tiny_profile).model_dump()
    chosen = {name: table["tasks"][name] | {"source": "glue", "train_limit": 0} for name in TASKS}
    layers = {"tasks": ["mrpc"]}
    return Profile.model_validate(table | {"tasks": chosen, "chosen": list(TASKS), "layers": layers})


@pytest.fixture(scope="module")
def first(profile, tmp_path_factory) -> Study:
    folder = tmp_path_factory.mktemp("first")
    study = Study(profile, data_dir=write_glue(folder / "glue"), results_dir=folder / "results")
    list(map(study.facts, TASKS))
    study.run("mrpc")
    return study


@pytest.fixture
def results(first, tmp_path) -> Path:
    """A copy of its results without the snapshots, as a clone of a repository has them."""
    copy = tmp_path / "results"
    shutil.copytree(first.store.folder, copy / "tiny", ignore=shutil.ignore_patterns("*.lock", "epoch-*"))
    shutil.rmtree(copy / "tiny" / "runs" / first.run("mrpc").folder.name)
    return copy


@pytest.fixture
def no_network(monkeypatch):
    for place, name in ((socket, "create_connection"), (socket.socket, "connect"), (socket, "getaddrinfo")):
        monkeypatch.setattr(place, name, lambda *_, **__: pytest.fail("asked the network"))


def state(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("device", ["none", "cpu"])
def test_results_of_one_data_set_are_read_without_it(first, profile, results, no_network, device):
    before = state(results)
    study = Study(profile, results_dir=results, device=device)
    assert study.facts("mrpc") == first.facts("mrpc")
    np.testing.assert_array_equal(study.run("mrpc").loss, first.run("mrpc").loss)
    assert state(results) == before


def test_with_two_data_sets_the_folder_must_be_named_and_is_compared(first, profile, results, tmp_path):
    other = write_glue(tmp_path / "other", 40)
    assert Study(profile, data_dir=other, results_dir=results).facts("mrpc")["train_examples"] == 40
    reading = {"results_dir": results, "device": "none"}
    with refused("results of MRPC of 2 data sets: give data_dir"):
        Study(profile, **reading).facts("mrpc")
    named = Study(profile, data_dir=first.profile.data_dir, **reading).run("mrpc")
    assert named.dev_accuracy.tolist() == first.run("mrpc").dev_accuracy.tolist()
    with refused("lacks runs mrpc-pretrained-0"):
        Study(profile, data_dir=other, **reading).run("mrpc")


@pytest.mark.parametrize(
    ("place", "value"),
    [("tasks.mrpc.train_limit", 16), ("model.max_length", 39), ("tasks.mrpc.pretrained.learning_rate", 2e-3)],
)
def test_a_changed_profile_finds_nothing(profile, results, no_network, place, value):
    *above, name = place.split(".")
    table = profile.model_dump()
    reduce(dict.__getitem__, above, table)[name] = value
    with pytest.raises(Lacking):
        Study(Profile.model_validate(table), results_dir=results, device="none").run("mrpc")


def test_nothing_is_computed_or_loaded_on_no_device(profile, results, no_network):
    before = state(results)
    study = Study(profile, results_dir=results, device="none")
    run = RunResult("mrpc", "pretrained", 0)
    for call, named in (
        (lambda: study.run("mrpc", "scratch"), "lacks runs mrpc-scratch-0"),
        (lambda: study.curve("mrpc"), "lacks curves mrpc-pretrained"),
        (lambda: study.trained(run), "results alone, and the snapshots of mrpc-pretrained-0 are no result"),
        (lambda: study.compute("rollbacks"), r"lacks \d+ results, .* for one"),
        (lambda: study.facts("mrpc") and study.task("mrpc"), "give data_dir"),
    ):
        with refused(named):
            call()
    assert state(results) == before


def test_results_are_not_added_to_from_other_data(profile, results, tmp_path, monkeypatch):
    """What the store lacks is computed from the hub's data: if those are others, that is said."""
    other = write_glue(tmp_path / "other", 40)
    monkeypatch.setattr(sources, "from_hub", lambda name: sources.from_folder(name, other))
    study = Study(profile, results_dir=results)
    study.run("mrpc")  # is there, whatever the hub has
    with refused("were computed on other data of MRPC than the hub has: give data_dir"):
        study.run("mrpc", "scratch")


def test_the_reference_run_is_whole_and_is_read_without_data_model_and_network(no_network, monkeypatch):
    """What the repository has of MiniLM's results, on a machine that has nothing else."""
    monkeypatch.setattr(models, "MINILM_PACKAGE", "no_such_package")
    monkeypatch.setattr(models, "_from_hub", lambda name: pytest.fail(f"wanted {name}"))
    study = Study("minilm", results_dir=ROOT / "results", device="none")
    assert [kind.label for kind in with_needs(study, tuple(KINDS), study.has)] == []
    assert study.seeds_of("rollback", "sst2", "pretrained") == (0, 1, 2), (
        "the extra seeds are shown where they are"
    )
    assert study.seeds_of("surface", "sst2", "pretrained") == study.seeds_of("run", "mnli", "scratch") == (0,)
    assert study.facts("mrpc")["train_examples"] == 3668
    assert study.run("mrpc").epochs == study.profile.tasks["mrpc"].pretrained.epochs


def test_a_partner_that_is_not_in_the_folder_is_asked_for_with_the_reason(profile, tmp_path):
    glue = write_glue(tmp_path / "glue")
    shutil.rmtree(glue / "RTE")
    for task, said in (("mrpc", "; MRPC needs its direction, or another `other`"), ("rte", "")):
        with refused(f"has no folder 'RTE'; it holds 'MRPC'{said}$"):
            Study(profile, tasks=task, data_dir=glue, results_dir=tmp_path)
