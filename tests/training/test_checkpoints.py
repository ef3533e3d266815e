"""Checkpoints as they are found: their order, their encoder to the bit, the classes that their labels mean."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
import transformers as hf
from conftest import MODELS, make_model
from own_case import save_training, write_examples

from landscape_utils.engine.space import ParameterSpace
from landscape_utils.errors import UserError
from landscape_utils.profiles import load_profile
from landscape_utils.training.checkpoints import classifier, in_order, read_task, theta_of

DEMO = load_profile("demo")


def read(folders, files, **changes):
    options = {"train": files[0], "dev": files[1], "text": ["text"], "label": "tone"} | changes
    return read_task(folders, DEMO, **options)


def test_checkpoints_come_in_the_order_of_their_numbers(tmp_path, monkeypatch):
    save_training(tmp_path / "run", checkpoints=3)  # 0, 90, 180: as text, 180 is before 90
    save_training(tmp_path / "start", checkpoints=1)
    monkeypatch.chdir(tmp_path)
    found = in_order("start/checkpoint-0, run/checkpoint-*")
    assert [path.relative_to(tmp_path).as_posix() for path in found] == [
        "start/checkpoint-0",
        "run/checkpoint-0",
        "run/checkpoint-90",
        "run/checkpoint-180",
    ]
    assert in_order(f"{tmp_path}/run/*-90") == [tmp_path / "run" / "checkpoint-90"]


@pytest.mark.parametrize(
    ("named", "words"),
    [("", "no checkpoints"), ("run/*", r"no folder fits 'run/\*'"), ("empty", "holds no config.json")],
)
def test_what_is_no_checkpoint_is_refused(tmp_path, monkeypatch, named, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=words) as caught:
        in_order(named)
    assert "\n" not in str(caught.value)


def test_folders_that_are_no_text_are_refused():
    with pytest.raises(UserError, match="named in a text, separated by commas; got list"):
        in_order(["start", "end"])


@pytest.mark.parametrize("kind", MODELS)
def test_the_encoder_is_read_to_the_bit(tmp_path, kind):
    model = make_model(kind, seed=3)
    model.save_pretrained(tmp_path)
    theta = ParameterSpace(model).read()
    assert torch.equal(theta_of(tmp_path, 3, len(theta)), theta)
    assert classifier(tmp_path, 3)[1]


def test_a_head_of_another_task_does_not_matter_but_is_none(tmp_path):
    model = make_model("roberta", num_labels=5)
    model.save_pretrained(tmp_path / "other")
    theta = ParameterSpace(model).read()
    assert torch.equal(theta_of(tmp_path / "other", 3, len(theta)), theta)
    assert not classifier(tmp_path / "other", 3)[1]
    config, _, settings = MODELS["roberta"]
    hf.RobertaForMaskedLM(config(**settings)).save_pretrained(tmp_path / "words")
    before = torch.get_rng_state()
    heads = [classifier(tmp_path / "words", 3)[0].classifier.out_proj.weight for _ in range(2)]
    assert torch.equal(*heads), "a head that is not there is the same one every time"
    assert torch.equal(torch.get_rng_state(), before)


def test_an_encoder_that_is_not_whole_is_refused(tmp_path):
    """BERT's checkpoints of masked words have no pooler: it would be drawn at random."""
    config, _, settings = MODELS["bert"]
    hf.BertForMaskedLM(config(**settings)).save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"lacks weights of the encoder .*bert\.pooler"):
        classifier(tmp_path, 3)


def test_another_network_is_refused(tmp_path):
    make_model("bert", num_hidden_layers=4).save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"of the last checkpoint 10: a landscape is of one network"):
        theta_of(tmp_path, 3, 10)


def test_labels_mean_the_classes_of_the_model(tmp_path):
    folders, files = save_training(tmp_path / "run"), write_examples(tmp_path)
    task = read(folders, files)
    assert (task.name, task.labels) == ("reviews", ("negative", "positive"))
    written = [line.rsplit(",", 1)[1] for line in Path(files[0]).read_text().splitlines()[1:]]
    assert [task.labels[example["labels"]] for example in task.train] == written
    text = Path(files[0]).read_text()
    for path in files:  # the names in the other order: the numbers follow the model, not the alphabet
        swapped = Path(path).read_text().replace("negative", "1").replace("positive", "0")
        Path(path).write_text(swapped)
    numbers = read(folders, files)
    assert [e["labels"] for e in numbers.train] == [1 - e["labels"] for e in task.train]
    Path(files[0]).write_text(text.replace("positive", "good"))
    with pytest.raises(
        UserError, match=r"holds the labels \['good', 'negative'\]; the model's classes are \['neg"
    ):
        read(folders, files)


def test_examples_are_cut_to_the_positions_of_the_model(tmp_path):
    folders = save_training(
        tmp_path / "run", "roberta", max_position_embeddings=10
    )  # 8 from behind the padding
    task = read(folders, write_examples(tmp_path))
    assert max(len(e["input_ids"]) for e in task.train) == 8


def test_a_task_of_the_profile_needs_no_files(tmp_path):
    folders = save_training(tmp_path / "run")
    task = read_task(folders, load_profile("demo", tasks="sst2"))
    assert (task.name, len(task.train)) == ("sst2", 600)
    with pytest.raises(
        UserError, match="give the files train and dev, or one of the profile's tasks: mnli, rte"
    ):
        read_task(folders, DEMO)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"text": []}, r"text must name one or two columns"),
        ({"text": ["a", "b", "c"]}, r"text must name one or two columns"),
        ({"text": ["sentence"]}, r"column 'sentence' is missing; there are 'text', 'tone'"),
        ({"dev": "no.csv"}, r"no.csv cannot be read"),
    ],
)
def test_files_that_do_not_fit_are_refused(tmp_path, changes, words):
    folders = save_training(tmp_path / "run", checkpoints=2)
    with pytest.raises(UserError, match=words) as caught:
        read(folders, write_examples(tmp_path), **changes)
    assert "\n" not in str(caught.value)


def test_the_tokenizer_may_lie_in_another_checkpoint(tmp_path):
    folders, files = save_training(tmp_path / "run"), write_examples(tmp_path)
    expected = read(folders, files).checksum
    for path in folders[-1].glob("tokenizer*"):
        shutil.move(path, folders[0])
    assert read(folders, files).checksum == expected
    for path in folders[0].glob("tokenizer*"):
        path.unlink()
    with pytest.raises(UserError, match="no tokenizer"):
        read(folders, files)
