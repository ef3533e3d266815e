"""Profiles: the paper's numbers to the letter, overrides, and one clear line for every mistake."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from landscape_utils.names import display_name, task_key
from landscape_utils.profiles import BUILTIN, Profile, builtin_profiles, load_profile


def write(folder: Path, *changes: tuple[str, str], name: str = "mine.toml") -> Path:
    """The minilm profile in a file of its own, with pieces of its text replaced."""
    text = (BUILTIN / "minilm.toml").read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_the_built_in_profiles_load_and_carry_their_names():
    assert builtin_profiles() == ("bert-base", "demo", "minilm", "mpnet", "paper")
    for name in builtin_profiles():
        profile = load_profile(name)
        assert profile.name == name
        assert profile.chosen == ["mnli", "rte", "sst2", "mrpc"] == list(profile.tasks)
        assert (profile.overfitting.task, profile.overfitting.extra_epochs) == ("mrpc", 20)  # Figure 4
        assert profile.tasks["mrpc"].pretrained.epochs == 5
        assert profile.layers.tasks == ["mnli", "mrpc"]  # Figure 7


@pytest.mark.parametrize(
    ("task", "batch", "rate", "scratch_epochs"),
    [("mnli", 64, 3e-5, 16), ("rte", 32, 1e-5, 16), ("sst2", 64, 3e-5, 8), ("mrpc", 32, 1e-5, 16)],
)
def test_the_paper_profile_is_section_4_of_the_paper(task, batch, rate, scratch_epochs):
    paper = load_profile("paper")
    spec = paper.tasks[task]
    assert spec.source == "glue"
    assert spec.train_limit == 0
    assert spec.pretrained.epochs in {3, 4, 5}
    assert spec.scratch.epochs == scratch_epochs
    for training in (spec.pretrained, spec.scratch):
        assert (training.batch_size, training.learning_rate) == (batch, rate)
    assert (paper.model.source, paper.model.max_length) == ("bert-large-cased", 128)
    assert paper.grid.resolution == paper.grid.curve_resolution == 40  # sections 3.1 and 3.2
    assert paper.grid.span == 4.0
    assert (paper.sample.train, paper.sample.dev) == (0, 0)
    assert (paper.training.warmup, paper.training.weight_decay) == (0.1, 0.01)  # Devlin et al. 2018
    assert paper.training.betas == [0.9, 0.999]


def test_overrides_set_what_they_name_and_nothing_else():
    base = load_profile("minilm")
    changed = load_profile(
        "minilm", tasks="SST-2, mrpc", seed=3, resolution=7, span=2, examples=9, data_dir=Path("glue")
    )
    assert changed.chosen == ["sst2", "mrpc"]
    assert changed.seeds == [3]
    assert (changed.grid.resolution, changed.grid.curve_resolution, changed.grid.span) == (7, 7, 2.0)
    assert (changed.sample.train, changed.sample.dev) == (9, 9)
    assert changed.data_dir == "glue"
    assert list(changed.tasks) == list(base.tasks)  # the partners stay, for their directions
    touched = {"chosen", "seeds", "grid", "sample", "data_dir"}
    assert changed.model_dump(exclude=touched) == base.model_dump(exclude=touched)
    assert load_profile("mpnet", seed=5).surface_seeds == []  # which were of the profile's own seeds


def test_the_parameters_defaults_leave_the_profile_as_it_is():
    base = load_profile("demo")
    defaults = {"tasks": "all", "seed": None, "resolution": 0, "span": 0.0, "examples": 0, "data_dir": ""}
    assert load_profile("demo", **defaults) == base
    assert load_profile(base, **defaults) == base
    assert load_profile("demo", seed=0).seeds == [0]  # 0 is a seed, not a default


def test_tasks_are_a_string_or_a_list_and_numbers_may_be_numpys():
    assert load_profile("demo", tasks=["rte", "MNLI"]).chosen == ["rte", "mnli"]
    assert load_profile("demo", tasks=("mrpc",)).chosen == ["mrpc"]
    assert load_profile("demo", resolution=np.int64(9)).grid.resolution == 9


def test_a_file_is_a_profile_and_names_what_lies_beside_it(tmp_path):
    (tmp_path / "my-model").mkdir()
    (tmp_path / "glue").mkdir()
    changes = [
        ('name = "minilm"\n', 'data_dir = "glue"\n'),
        ('source = "minilm"', 'source = "./my-model"'),
    ]
    profile = load_profile(write(tmp_path, *changes))
    assert profile.name == "mine"
    assert Path(profile.model.source) == tmp_path / "my-model"
    assert Path(profile.data_dir) == tmp_path / "glue"
    assert profile.tasks == load_profile("minilm").tasks


def test_a_hub_name_or_a_built_in_model_is_not_taken_for_a_folder_beside_the_file(tmp_path):
    (tmp_path / "minilm").mkdir()
    assert load_profile(write(tmp_path)).model.source == "minilm"
    hub_name = ('source = "minilm"', 'source = "distilbert/distilbert-base-cased"')
    assert load_profile(write(tmp_path, hub_name)).model.source == "distilbert/distilbert-base-cased"


def test_a_users_own_tasks(tmp_path):
    (tmp_path / "train.csv").touch()
    own = """[tasks.reviews]
source = "files"
files = { train = "train.csv", dev = "elsewhere.csv", text = ["review"], label = "stars" }
other = "MRPC"
pretrained = { epochs = 1, learning_rate = 1e-4, batch_size = 8 }
scratch = { epochs = 2, learning_rate = 1e-4, batch_size = 8 }

[grid]"""
    profile = load_profile(write(tmp_path, ("[grid]", own)), tasks="reviews")
    assert profile.chosen == ["reviews"]
    spec = profile.tasks["reviews"]
    assert spec.other == "mrpc"
    assert spec.files is not None
    assert Path(spec.files.train) == tmp_path / "train.csv"
    assert spec.files.dev == "elsewhere.csv"


def test_a_profile_is_frozen():
    profile = load_profile("demo")
    with pytest.raises(ValueError, match="frozen"):
        profile.name = "other"
    assert isinstance(profile, Profile)


def test_names_of_tasks():
    assert [task_key(name) for name in ("SST-2", "sst-2", " MRPC", "mnli", "Reviews")] == [
        "sst2",
        "sst2",
        "mrpc",
        "mnli",
        "Reviews",
    ]
    assert [display_name(key) for key in ("sst2", "mnli", "Reviews")] == ["SST-2", "MNLI", "Reviews"]
