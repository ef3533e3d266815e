"""The small case: made once, of folders and files that are read as anybody's."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from landscape_utils import Checkpoints, UserError, in_order, read_task
from landscape_utils.errors import Lacking
from landscape_utils.profiles import load_profile
from landscape_utils.training import small_case
from landscape_utils.training.checkpoints import theta_of
from landscape_utils.training.evaluations import evaluations

TINY = {"EPOCHS": {"pretrained": 2, "scratch": 1}, "LIMIT": 32}


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(small_case, "WORDS", replace(small_case.WORDS, steps=3, pairs=64, batch_size=16))
    for name, value in TINY.items():
        monkeypatch.setattr(small_case, name, value)


@pytest.mark.parametrize(("name", "text"), [("sst2", ["first"]), ("rte", ["first", "second"])])
def test_what_it_leaves_is_read_as_anybodys(tmp_path, monkeypatch, name, text):
    case = small_case.make_case(tmp_path, name)
    trained = {how: in_order(f"{case}/{how}/checkpoint-*") for how in ("pretrained", "scratch")}
    assert {how: len(folders) - 1 for how, folders in trained.items()} == TINY["EPOCHS"]
    others = {how: case / f"{how}-other" for how in trained}
    files = {split: str(case / f"{name}-{split}.csv") for split in ("train", "dev")}
    task = read_task(trained["pretrained"], load_profile("demo"), **files, text=text, label="label")
    assert (task.name, len(task.train), len(task.dev)) == (name, 32, 400)
    mine = Checkpoints(task, trained, others, results_dir=tmp_path, resolution=2, examples=4)
    starts = {how: mine.run(name, how).theta(0) for how in trained}
    for how, other in (("pretrained", "scratch"), ("scratch", "pretrained")):
        for end in (mine.run(name, how).theta(), theta_of(others[how], 2, mine.size)):
            assert 0 < (end - starts[how]).norm() < (end - starts[other]).norm(), "it began at its own start"
    for folder in (*trained["pretrained"][1:], others["scratch"]):
        assert set(evaluations(folder)) == {"loss", "accuracy"}
    run = mine.run(name, "pretrained")
    # Measured by the Trainer, one batch after another, and by us: float32 rounding.
    told = [evaluations(folder) for folder in trained["pretrained"][1:]]
    assert run.dev_loss[1:] == pytest.approx([e["loss"] for e in told], abs=1e-6)
    assert run.dev_accuracy[1:] == pytest.approx([e["accuracy"] for e in told], abs=1e-12)
    monkeypatch.setattr(small_case, "_fill", lambda *_, **__: pytest.fail("made again"))
    assert small_case.make_case(tmp_path, name) == case


def test_another_seed_is_another_case(tmp_path, monkeypatch):
    made = []
    monkeypatch.setattr(small_case, "_fill", lambda folder, **_: made.append(folder))
    folders = [small_case.make_case(tmp_path, "sst2", seed) for seed in (0, 1, 0)]
    assert folders[0] == folders[2] != folders[1]
    assert len(made) == 2


def test_the_number_of_threads_is_left_alone(tmp_path, monkeypatch):
    before, seen = torch.get_num_threads(), []
    monkeypatch.setattr(small_case, "learn_words", lambda *_: seen.append(torch.get_num_threads()))
    monkeypatch.setattr(small_case, "train", lambda *_: None)
    monkeypatch.setattr(small_case.shutil, "move", lambda *_: None)
    torch.set_num_threads(2)
    try:
        small_case.make_case(tmp_path, "sst2")
        assert (seen, torch.get_num_threads()) == ([1], 2)
    finally:
        torch.set_num_threads(before)


def test_on_device_none_none_is_made(tmp_path):
    with pytest.raises(
        Lacking, match=r"trains nothing, and there is no small case on SST-2 in .*checkpoints of"
    ):
        small_case.make_case(tmp_path / "models", "sst2", device="none")
    assert list(tmp_path.iterdir()) == []


def test_a_task_that_the_language_has_not_is_refused(tmp_path):
    with pytest.raises(
        UserError, match="unknown task of the embedded language 'cola'; allowed are mnli, rte"
    ):
        small_case.make_case(tmp_path, "cola")
