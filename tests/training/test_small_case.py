"""The small case: made once, of folders and files that are read as anybody's."""

from dataclasses import replace

import pytest
from own_case import refused

from landscape_utils import Checkpoints, in_order, load_profile, read_task
from landscape_utils.errors import Lacking
from landscape_utils.names import HOWS
from landscape_utils.training import small_case
from landscape_utils.training.checkpoints import evaluations, theta_of

EPOCHS = {"pretrained": 2, "scratch": 1}


@pytest.mark.parametrize(("name", "text"), [("sst2", ["first"]), ("rte", ["first", "second"])])
def test_what_it_leaves_is_read_as_anybodys(tmp_path, monkeypatch, name, text):
    monkeypatch.setattr(small_case, "WORDS", replace(small_case.WORDS, steps=3, pairs=64, batch_size=16))
    monkeypatch.setattr(small_case, "EPOCHS", EPOCHS)
    monkeypatch.setattr(small_case, "LIMIT", 32)
    case = small_case.make_case(tmp_path, name)
    trained = {how: in_order(f"{case}/{how}/checkpoint-*") for how in HOWS}
    assert {how: len(folders) - 1 for how, folders in trained.items()} == EPOCHS
    others = {how: case / f"{how}-other" for how in trained}
    files = {split: str(case / f"{name}-{split}.csv") for split in ("train", "dev")}
    task = read_task(trained["pretrained"], load_profile("demo"), **files, text=text, label="label")
    assert (task.name, len(task.train), len(task.dev)) == (name, 32, 400)
    mine = Checkpoints(task, trained, others, results_dir=tmp_path, resolution=2, examples=4)
    starts = {how: mine.run(name, how).theta(0) for how in trained}
    for how, other in (HOWS, HOWS[::-1]):
        for end in (mine.run(name, how).theta(), theta_of(others[how], 2, mine.size)):
            assert 0 < (end - starts[how]).norm() < (end - starts[other]).norm(), "it began at its own start"
    assert set(evaluations(others["scratch"])) == {"loss", "accuracy"}
    run = mine.run(name, "pretrained")
    # Measured by the Trainer, one batch after another, and by us: float32 rounding.
    told = [evaluations(folder) for folder in trained["pretrained"][1:]]
    assert run.dev_loss[1:] == pytest.approx([e["loss"] for e in told], abs=1e-6)
    assert run.dev_accuracy[1:] == pytest.approx([e["accuracy"] for e in told], abs=1e-12)
    monkeypatch.setattr(small_case, "_fill", lambda folder, **options: None)
    assert small_case.make_case(tmp_path, name) == case, "it is there"
    assert small_case.make_case(tmp_path, name, seed=1) != case


def test_where_none_can_be_made_it_is_refused(tmp_path):
    with pytest.raises(Lacking, match="trains nothing, and there is no small case on SST-2"):
        small_case.make_case(tmp_path / "models", "sst2", device="none")
    with refused("unknown task of the embedded language 'cola'; allowed are mnli, rte"):
        small_case.make_case(tmp_path, "cola")
    assert list(tmp_path.iterdir()) == []
