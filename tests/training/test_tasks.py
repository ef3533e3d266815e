"""Tasks: tokenised once, the same from every source, cut but never padded."""

from __future__ import annotations

import numpy as np
import pytest
from tokenizers import Tokenizer
from transformers import BertTokenizer, PreTrainedTokenizerFast

from landscape_utils.errors import UserError
from landscape_utils.profiles import load_profile
from landscape_utils.training import sources
from landscape_utils.training.demo_language import DEV_SIZE, TRAIN_SIZE, make_task, make_tokenizer
from landscape_utils.training.tasks import load_task, tokenised

LETTERS = "abcdefghij"
ROWS = [("a b c d e f g h", "i j", 1), ("a", "b", 0), ("a [SEP] [MASK] b", "[CLS]", 1), ("", "c", 0)]


@pytest.fixture(scope="module")
def tokenizer() -> BertTokenizer:
    """BERT's own tokenizer over a vocabulary of letters."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[", "]", "sep", "mask", "cls"]
    return BertTokenizer(vocab={word: i for i, word in enumerate([*special, *LETTERS])})


@pytest.fixture
def glue(tmp_path):
    """MRPC of a few rows in the GLUE layout."""
    (tmp_path / "MRPC").mkdir()
    header = "Quality\t#1 ID\t#2 ID\t#1 String\t#2 String"
    lines = [f"{label}\t0\t0\t{first}\t{second}" for first, second, label in ROWS]
    for split in ("train", "dev"):
        (tmp_path / "MRPC" / f"{split}.tsv").write_text("\n".join([header, *lines]) + "\n", "utf-8")
    return tmp_path


def mrpc(**changes):
    return load_profile("minilm").tasks["mrpc"].model_copy(update=changes)


def test_an_example_is_its_tokens_uncut_and_unpadded(glue, tokenizer):
    task = load_task("mrpc", mrpc(), tokenizer, max_length=128, data_dir=glue)
    ids = [2, *range(10, 18), 3, 18, 19, 3]  # [CLS] a..h [SEP] i j [SEP]
    assert task.train[0] == {
        "input_ids": ids,
        "attention_mask": [1] * 13,
        "token_type_ids": [0] * 10 + [1] * 3,
        "labels": 1,
    }
    assert task.train == task.dev
    assert task.labels == ("not_equivalent", "equivalent")
    assert task.train_text == task.dev_text == [(first, second) for first, second, _ in ROWS]
    assert task.test == []
    assert task.dev_seen is None


def test_a_pair_too_long_loses_tokens_of_its_longer_sentence(glue, tokenizer):
    task = load_task("mrpc", mrpc(), tokenizer, max_length=9, data_dir=glue)
    assert task.train[0]["input_ids"] == [2, 10, 11, 12, 13, 3, 18, 19, 3]
    assert task.train[1]["input_ids"] == [2, 10, 3, 11, 3]


def test_text_that_spells_a_special_token_does_not_act_as_one(glue, tokenizer):
    task = load_task("mrpc", mrpc(), tokenizer, max_length=128, data_dir=glue)
    ids = task.train[2]["input_ids"]
    assert [ids.count(token) for token in (2, 3, 4)] == [1, 2, 0]  # one [CLS], two [SEP], no [MASK]
    sentences = sources.from_folder("mrpc", glue)
    acting = tokenised("mrpc", sentences, tokenizer, 128, split_special_tokens=False)
    assert acting.train[2]["input_ids"] == tokenizer("a [SEP] [MASK] b", "[CLS]")["input_ids"]


def test_a_text_of_no_tokens_is_named_with_its_line(glue, tokenizer):
    bare = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(tokenizer.backend_tokenizer.model), unk_token="[UNK]"
    )
    path = glue / "MRPC" / "train.tsv"
    path.write_text(path.read_text().replace("\t\tc", "\t\t"))
    with pytest.raises(UserError, match=rf"{path}, line 5: the tokenizer finds no token in \('', ''\)"):
        load_task("mrpc", mrpc(), bare, max_length=128, data_dir=glue)


def test_a_task_has_one_name(glue, tokenizer):
    task = tokenised("SST-2", sources.from_folder("mrpc", glue), tokenizer, 128)
    assert task.name == "sst2"
    assert tokenised("Mine", sources.from_folder("mrpc", glue), tokenizer, 128).name == "Mine"


def test_token_types_only_where_the_tokenizer_gives_them(glue, tokenizer):
    bare = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer.backend_tokenizer, model_input_names=["input_ids", "attention_mask"]
    )
    task = load_task("mrpc", mrpc(), bare, max_length=128, data_dir=glue)
    assert set(task.train[0]) == {"input_ids", "attention_mask", "labels"}


def test_a_limit_takes_the_same_part_at_every_call(glue, tokenizer):
    whole = load_task("mrpc", mrpc(), tokenizer, max_length=128, data_dir=glue)
    part, again = (
        load_task("mrpc", mrpc(train_limit=3), tokenizer, max_length=128, data_dir=glue) for _ in range(2)
    )
    assert len(part.train) == len(part.train_text) == 3
    assert part.train == again.train
    positions = [whole.train_text.index(text) for text in part.train_text]
    assert positions == sorted(positions)
    assert part.dev == whole.dev
    assert (
        load_task("mrpc", mrpc(train_limit=9), tokenizer, max_length=128, data_dir=glue).train == whole.train
    )


def test_the_checksum_is_that_of_the_examples(glue, tokenizer):
    def checksum(max_length=128, **changes):
        return load_task("mrpc", mrpc(**changes), tokenizer, max_length=max_length, data_dir=glue).checksum

    whole = checksum()
    assert whole == checksum()
    assert whole == checksum(train_limit=99)  # cuts nothing off
    different = [whole, checksum(train_limit=3), checksum(max_length=9)]
    path = glue / "MRPC/dev.tsv"
    path.write_text(path.read_text().replace("\ta\t", "\tj\t"))
    different.append(checksum())
    assert len(set(different)) == 4


@pytest.mark.parametrize("name", TRAIN_SIZE)
def test_the_embedded_tasks(name):
    tokenizer = make_tokenizer()
    task = load_task(name, load_profile("demo").tasks[name], tokenizer, max_length=40)
    assert (len(task.train), len(task.dev), len(task.test)) == (TRAIN_SIZE[name], DEV_SIZE, DEV_SIZE)
    np.testing.assert_array_equal(task.dev_seen, make_task(name).dev_seen)
    assert tokenizer.unk_token_id not in {token for example in task.train for token in example["input_ids"]}


def test_a_task_that_a_source_does_not_have(tokenizer):
    with pytest.raises(UserError, match=r"unknown task 'cola'.*mnli, rte, sst2, mrpc"):
        load_task("cola", mrpc(), tokenizer, max_length=128)
