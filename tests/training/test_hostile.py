"""Hostile names and texts in profiles and data: refused as names, kept to the letter as text."""

from __future__ import annotations

from pathlib import Path

import pytest

from landscape_utils.profiles import BUILTIN, load_profile
from landscape_utils.training.demo_language import make_tokenizer
from landscape_utils.training.tasks import load_task

SIGNS = ["a/b", "a\\b", "a,b", "a b", "a\nb", "a\x00b"]
NAMES = ["../out", "/etc/x", *SIGNS, "..", ".hidden", "", "~", "$HOME", "é", "x" * 65]
TEXTS = [
    "<script>alert(1)</script>",
    "</textarea><img src=x onerror=alert(1)>",
    "[SEP] [MASK] [CLS]",
    "../../etc/passwd",
    "=cmd|' /C calc'!A0",
    "{{ cell }} ${HOME} %s {0} \\n",
    '"unbalanced',
    "\u202eright to left\u2028one line\x85still one\x0b\x0c\x1c",
    "nul\x00byte",
    " spaces at both ends ",
]  # fmt: skip


def toml_string(text: str) -> str:
    return '"' + "".join(f"\\U{ord(c):08X}" for c in text) + '"'


def profile_with(folder: Path, old: str, new: str) -> Path:
    text = (BUILTIN / "minilm.toml").read_text("utf-8")
    assert old in text
    path = folder / "mine.toml"
    path.write_text(text.replace(old, new), "utf-8")
    return path


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_could_be_a_path_or_a_list_is_refused(tmp_path, refused, name):
    quoted = toml_string(name)
    places = [
        ('name = "minilm"', f"name = {quoted}"),
        ("[tasks.rte]", f"[tasks.{quoted}]"),
        ('other = "rte"', f"other = {quoted}"),
        ('task = "mrpc"', f"task = {quoted}"),
    ]
    for old, new in places:
        with refused():
            load_profile(profile_with(tmp_path, old, new))
    with refused():
        load_profile("demo", tasks=[name])


DISGUISED = ["../demo", "demo/../demo", "/etc/demo", "demo\x00", "demo\n"]
IMPOSSIBLE = ["x\x00.toml", "x\n.toml", "x" * 5000 + ".toml"]


@pytest.mark.parametrize("name", [*DISGUISED, *IMPOSSIBLE])
def test_a_profile_is_not_looked_up_by_a_path_in_disguise_or_one_that_no_file_can_have(refused, name):
    with refused():
        load_profile(name)


def test_text_stays_what_it_is(tmp_path):
    folder = tmp_path / "SST-2"
    folder.mkdir()
    lines = [f"{text}\t{i % 2}" for i, text in enumerate(TEXTS)]
    for split in ("train", "dev"):
        (folder / f"{split}.tsv").write_text(
            "\n".join(["sentence\tlabel", *lines]) + "\n", "utf-8", newline="\n"
        )
    before = sorted(tmp_path.rglob("*"))
    spec = load_profile("minilm").tasks["sst2"]
    task = load_task("sst2", spec, make_tokenizer(), max_length=128, data_dir=tmp_path)
    assert [text for (text,) in task.train_text] == TEXTS
    assert [example["labels"] for example in task.train] == [i % 2 for i in range(len(TEXTS))]
    assert sorted(tmp_path.rglob("*")) == before


def test_hostile_labels_and_columns_are_named_in_one_printable_line(tmp_path, refused):
    folder = tmp_path / "SST-2"
    folder.mkdir()
    for name in ("train", "dev"):
        (folder / f"{name}.tsv").write_text("sentence\tlabel\nfine\t\x1b[31m\u202e../0\n", "utf-8")
    spec = load_profile("minilm").tasks["sst2"]
    with refused("line 2: unknown label"):
        load_task("sst2", spec, make_tokenizer(), max_length=128, data_dir=tmp_path)
    (folder / "train.tsv").write_text("sent\x1b[2Jence\tlabel\nfine\t0\n", "utf-8")
    with refused("column 'sentence' is missing"):
        load_task("sst2", spec, make_tokenizer(), max_length=128, data_dir=tmp_path)
