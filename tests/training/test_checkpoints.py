"""Checkpoints as they are found: their order, their encoder to the bit, the classes that their labels mean."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import peft
import pytest
import torch
import transformers as hf
from networks import MODELS, make_model
from own_case import edit_config, save_training, write_examples

from landscape_utils.engine.space import ParameterSpace
from landscape_utils.errors import UserError
from landscape_utils.profiles import load_profile
from landscape_utils.training.checkpoints import classifier, in_order, read_task, theta_of
from landscape_utils.training.models import weights_checksum

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


def test_names_without_a_number_stand_at_the_ends_or_have_no_place(tmp_path):
    (first, middle, last) = save_training(tmp_path / "run-7")
    names = ("checkpoint-init", "checkpoint-90", "checkpoint-180", "checkpoint-final")
    first.rename(first.with_name("checkpoint-init"))
    shutil.copytree(last, last.with_name("checkpoint-final"))
    assert tuple(path.name for path in in_order(f"{tmp_path}/run-*/checkpoint-*")) == names
    shutil.copytree(middle, middle.with_name("checkpoint-best"))
    with pytest.raises(UserError, match=r"where does 'checkpoint-best' belong\?"):
        in_order(f"{tmp_path}/run-7/checkpoint-*")


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("", "no checkpoints"),
        ("run/*", r"no folder fits 'run/\*'"),
        ("empty", "holds no config.json"),
        (["start", "end"], "named in a text, separated by commas; got list"),
    ],
)
def test_what_is_no_checkpoint_is_refused(tmp_path, monkeypatch, refused, named, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with refused(words):
        in_order(named)


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


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda data: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (lambda data: data[:-100], "its weights are damaged or cut off"),
        (None, "can run code and is not read"),
    ],
)
def test_weights_that_are_none_are_refused_in_one_line(tmp_path, refused, damage, words):
    make_model().save_pretrained(tmp_path / "model")
    path = tmp_path / "model" / "model.safetensors"
    if damage:
        path.write_bytes(damage(path.read_bytes()))
    else:
        path.rename(path.with_name("pytorch_model.bin"))
    with refused(words):
        classifier(in_order(str(tmp_path / "model"))[0], 3)


def test_weights_of_another_size_than_the_configuration_says_are_refused(tmp_path):
    make_model().save_pretrained(tmp_path)
    edit_config(tmp_path, hidden_size=48)
    with pytest.raises(UserError, match=r"lacks weights of the encoder .* or they are of another size"):
        classifier(tmp_path, 3)


def test_a_folder_of_folders_names_them(tmp_path):
    save_training(tmp_path / "run", checkpoints=2)
    with pytest.raises(UserError, match="name one of the folders in it: checkpoint-0, checkpoint-90"):
        in_order(str(tmp_path / "run"))


def test_another_configuration_is_another_model(tmp_path):
    """An edited activation is; who saved it, and by which version of the library, is not."""
    make_model().save_pretrained(tmp_path)
    before = weights_checksum(tmp_path)
    edit_config(tmp_path, transformers_version="0", _name_or_path="elsewhere")
    assert weights_checksum(tmp_path) == before
    edit_config(tmp_path, hidden_act="relu")
    assert weights_checksum(tmp_path) != before


@pytest.fixture
def adapter(tmp_path):
    """A LoRA adapter of three classes as `peft` saves it, its base in `base`, and the model that was saved."""
    hf.BertModel(make_model().config).save_pretrained(tmp_path / "base")
    base = hf.AutoModelForSequenceClassification.from_pretrained(tmp_path / "base", num_labels=3)
    model = peft.get_peft_model(base, peft.LoraConfig(task_type="SEQ_CLS", init_lora_weights=False))
    model.save_pretrained(tmp_path / "lora")
    return tmp_path / "lora", model.eval()


def test_a_lora_folder_is_merged_while_reading(adapter):
    """Against peft's own unmerged forward: float32 rounding of two matrix products that became one."""
    folder, model = adapter
    assert in_order(str(folder)) == [folder]
    read, whole = classifier(folder, 3)
    ids = torch.tensor([[5, 6, 7, 8]])
    torch.testing.assert_close(read(ids).logits, model(ids).logits, rtol=0, atol=1e-6)
    assert whole
    assert type(read) is hf.BertForSequenceClassification
    start, has_head = classifier(folder.parent / "base", 3)
    assert not has_head
    assert ParameterSpace(start).size == ParameterSpace(read).size
    before = weights_checksum(folder)
    edit_config(folder.parent / "base", hidden_act="relu")
    assert weights_checksum(folder) != before


def test_a_lora_folder_knows_its_task(adapter, tmp_path):
    """Its classes are those of its head, its tokenizer may be the base's."""
    rows = tmp_path / "rows.csv"
    rows.write_text("text,tone\nthe kind horse,0\nthe fast ship,1\nthe sad cook,2\n")
    tokens = save_training(tmp_path / "run", checkpoints=1)[0]
    for path in tokens.glob("tokenizer*"):
        shutil.copy(path, tmp_path / "base")
    task = read([tmp_path / "base", adapter[0]], (str(rows), str(rows)))
    assert task.labels == ("0", "1", "2")


def test_without_peft_a_lora_folder_is_refused_with_the_way_out(adapter, monkeypatch, refused):
    monkeypatch.setitem(sys.modules, "peft", None)
    with refused(r"pip install landscape_utils\[lora\], or save the merged model"):
        classifier(adapter[0], 3)


def test_a_head_that_an_adapter_holds_in_part_is_none(tmp_path):
    """peft saves DistilBERT's last layer and not the one before it, which the library would draw anew."""
    hf.DistilBertModel(make_model("distilbert").config).save_pretrained(tmp_path / "base")
    base = hf.AutoModelForSequenceClassification.from_pretrained(tmp_path / "base", num_labels=3)
    lora = peft.LoraConfig(task_type="SEQ_CLS", target_modules=["q_lin", "v_lin"])
    peft.get_peft_model(base, lora).save_pretrained(tmp_path / "lora")
    assert not classifier(tmp_path / "lora", 3)[1]


def test_another_network_is_refused(tmp_path):
    make_model("bert", num_hidden_layers=4).save_pretrained(tmp_path)
    with pytest.raises(UserError, match=r"of the last checkpoint 10: a landscape is of one network"):
        theta_of(tmp_path, 3, 10)


def test_labels_mean_the_classes_of_the_model(tmp_path, refused):
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
    with refused(r"holds the labels \['good', 'negative'\]; the model's classes are \['neg"):
        read(folders, files)


def test_examples_are_cut_to_the_positions_of_the_model(tmp_path):
    folders = save_training(tmp_path / "run", "roberta", max_position_embeddings=10)
    task = read(folders, write_examples(tmp_path))
    assert max(map(len, tokens(task))) == 8  # RoBERTa counts its positions from behind the padding's


def tokens(task):
    return [example["input_ids"] for example in task.train]


def test_text_is_prepared_as_the_checkpoints_tokenizer_does(tmp_path):
    """Its special tokens act, and it cuts where it cut when it was saved, unless another length is given."""
    folders = save_training(tmp_path / "run", vocab_size=300)
    tokenizer = hf.AutoTokenizer.from_pretrained(folders[-1])
    tokenizer.add_special_tokens({"additional_special_tokens": ["[E1]"]})
    tokenizer("the", truncation=True, max_length=6)  # leaves the truncation in what is saved
    tokenizer.save_pretrained(folders[-1])
    files = write_examples(tmp_path)
    for path in files:
        Path(path).write_text(Path(path).read_text().replace("the ", "[E1] the "))
    texts = [line.rsplit(",", 1)[0] for line in Path(files[0]).read_text().splitlines()[1:]]
    assert tokens(read(folders, files)) == tokenizer(texts, truncation=True, max_length=6)["input_ids"]
    assert tokens(read(folders, files, max_length=40)) == tokenizer(texts)["input_ids"]
    assert tokenizer.convert_tokens_to_ids("[E1]") in tokens(read(folders, files))[0]


@pytest.mark.parametrize("wanted", [3, 49, -1, True, 7.0, "9"])
def test_a_length_that_the_model_does_not_take_is_refused(tmp_path, wanted):
    folders = save_training(tmp_path / "run", checkpoints=1)
    with pytest.raises(UserError, match=r"max_length must be a whole number from 5 to 48, .* or 0"):
        read(folders, write_examples(tmp_path), max_length=wanted)


def test_a_tokenizer_with_a_limit_beyond_that_of_a_model_without_positions_sets_it(tmp_path):
    folders = save_training(tmp_path / "run", "modernbert", checkpoints=1, max_position_embeddings=900)
    tokenizer = hf.AutoTokenizer.from_pretrained(folders[-1])
    tokenizer.model_max_length = 600
    tokenizer.save_pretrained(folders[-1])
    files = write_examples(tmp_path)
    Path(files[0]).write_text("text,tone\n" + "the " * 700 + ",positive\nthe,negative\n")
    assert len(tokens(read(folders, files))[0]) == 600


@pytest.mark.parametrize(
    ("header", "text", "pair"), [("a,b,l", "a, b", True), ("a,b,l", "b", False), ("0,1,l", 0, False)]
)
def test_columns_may_be_named_in_one_text(tmp_path, header, text, pair):
    folders = save_training(tmp_path / "run", checkpoints=1)
    path = tmp_path / "rows-train.csv"
    path.write_text(f"{header}\nthe horse,the ship,0\nthe cook,the pan,1\n")
    task = read_task(folders, DEMO, train=str(path), dev=str(path), text=text, label="l")
    assert len(task.train_text[0]) == 1 + pair


def test_classes_that_are_counted_from_one_are_the_models_in_their_order(tmp_path):
    folders, files = save_training(tmp_path / "run"), write_examples(tmp_path)
    expected = read(folders, files).checksum
    edit_config(folders[-1], id2label={"1": "negative", "2": "positive"})
    assert read(folders, files).checksum == expected


def test_a_file_in_a_folder_of_a_known_name_is_that_task(tmp_path):
    folders, files = save_training(tmp_path / "run"), write_examples(tmp_path)
    (tmp_path / "SST-2").mkdir()
    train = shutil.copy(files[0], tmp_path / "SST-2" / "train.csv")
    assert read(folders, (str(train), files[1])).name == "sst2"


def test_a_task_of_the_profile_needs_no_files(tmp_path, refused):
    folders = save_training(tmp_path / "run")
    task = read_task(folders, load_profile("demo", tasks="sst2"))
    assert (task.name, len(task.train)) == ("sst2", 600)
    with refused("give the files train and dev, or one of the profile's tasks: mnli, rte"):
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
def test_files_that_do_not_fit_are_refused(tmp_path, refused, changes, words):
    folders = save_training(tmp_path / "run", checkpoints=2)
    with refused(words):
        read(folders, write_examples(tmp_path), **changes)


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
