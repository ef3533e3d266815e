"""Profiles: the paper's numbers to the letter, overrides, and what may be a name."""

import json
from pathlib import Path

import numpy as np
import pytest
from own_case import refused

from landscape_utils.names import HOWS
from landscape_utils.profiles import BUILTIN, load_profile


def write(folder: Path, *changes: tuple[str, str]) -> Path:
    text = (BUILTIN / "minilm.toml").read_text("utf-8")
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "mine.toml"
    path.write_text(text, "utf-8-sig")  # as editors of Windows do
    return path


def test_the_built_in_profiles_carry_their_names_and_that_of_the_paper_is_section_4_of_it():
    for name in ("bert-base", "demo", "minilm", "mpnet", "paper"):
        profile = load_profile(name)
        assert (profile.name, profile.chosen) == (name, ["mnli", "rte", "sst2", "mrpc"])
        assert (profile.overfitting.task, profile.overfitting.extra_epochs) == ("mrpc", 20)  # Figure 4
        assert profile.layers.tasks == ["mnli", "mrpc"]  # Figure 7
    paper = load_profile("paper")
    tasks = list(paper.tasks.values())
    assert [spec.scratch.epochs for spec in tasks] == [16, 16, 8, 16]
    for how in HOWS:
        assert [getattr(spec, how).batch_size for spec in tasks] == [64, 32, 64, 32]
        assert [getattr(spec, how).learning_rate for spec in tasks] == [3e-5, 1e-5, 3e-5, 1e-5]
    assert (paper.grid.resolution, paper.grid.curve_resolution, paper.grid.span) == (40, 40, 4.0)
    assert (paper.sample.train, paper.sample.dev) == (0, 0)


def test_overrides_set_what_they_name_and_nothing_else():
    parameters = {"tasks": "SST-2, mrpc", "seed": 3, "resolution": np.int64(7), "span": 2, "examples": 9}
    changed = load_profile("minilm", **parameters, data_dir=Path("glue")).model_dump()
    assert changed == load_profile("minilm").model_dump() | {
        "chosen": ["sst2", "mrpc"],
        "seeds": [3],
        "extra_seeds": [],  # which are beside the profile's own seeds
        "grid": {"resolution": 7, "curve_resolution": 7, "span": 2.0, "tolerance": None},
        "sample": {"train": 9, "dev": 9},
        "data_dir": "glue",
    }
    assert load_profile("mpnet", seed=5).surface_seeds == []  # which were of them


def test_the_parameters_defaults_leave_the_profile_as_it_is_and_values_may_be_of_several_types():
    base = load_profile("demo")
    defaults = {"tasks": "all", "seed": None, "resolution": 0, "span": 0.0, "examples": 0, "data_dir": ""}
    assert load_profile("demo", **defaults) == load_profile(base, **defaults) == base
    assert load_profile("demo", seed=0).seeds == [0]  # 0 is a seed, not a default
    for tasks in (["rte", "MNLI"], ("rte", "mnli")):
        assert load_profile("demo", tasks=tasks).chosen == ["rte", "mnli"]


def test_a_file_is_a_profile_and_names_what_lies_beside_it(tmp_path):
    """A name on the hub or a built-in model is not taken for a folder beside the file."""
    for name in ("my-model", "glue", "minilm"):
        (tmp_path / name).mkdir()
    (tmp_path / "train.csv").touch()
    reviews = """[tasks.Reviews]
source = "files"
files = { train = "train.csv", dev = "elsewhere.csv", text = ["review"], label = "stars" }
other = "MRPC"
pretrained = { epochs = 1, learning_rate = 1e-4, batch_size = 8 }
scratch = { epochs = 2, learning_rate = 1e-4, batch_size = 8 }

[grid]"""
    file = write(tmp_path, ('name = "minilm"\n', 'data_dir = "glue"\n'), ("[grid]", reviews))
    profile = load_profile(file, tasks="Reviews")
    assert (profile.name, profile.chosen, Path(profile.data_dir)) == ("mine", ["Reviews"], tmp_path / "glue")
    spec, train = profile.tasks["Reviews"], str(tmp_path / "train.csv")
    assert (spec.other, spec.files.train, spec.files.dev) == ("mrpc", train, "elsewhere.csv")
    hub = "distilbert/distilbert-base-cased"
    for source, found in (("minilm", "minilm"), ("./my-model", str(tmp_path / "my-model")), (hub, hub)):
        file = write(tmp_path, ('source = "minilm"', f'source = "{source}"'))
        assert load_profile(file).model.source == found


HOSTILE = ["../out", "a\\b", "a,b", "a b", "a\nb", "a\n", "a\x00b", ".hidden", "", "~", "é", "x" * 65]


@pytest.mark.parametrize("name", [json.dumps(name) for name in HOSTILE])
@pytest.mark.parametrize(("old", "new"), [('name = "minilm"', "name = {}"), ("[tasks.rte]", "[tasks.{}]")])
def test_a_name_that_could_be_a_path_or_a_list_is_refused(tmp_path, name, old, new):
    with refused():
        load_profile(write(tmp_path, (old, new.format(name))))
