"""Tasks: tokenised once, the same from every source, cut but never padded."""

import pytest
from own_case import refused
from tokenizers import Tokenizer
from transformers import BertTokenizer, PreTrainedTokenizerFast

from landscape_utils.profiles import load_profile
from landscape_utils.training.tasks import load_task

ROWS = [("a b c d e f g h", "i j", 1), ("a", "b", 0), ("a [SEP] [MASK] b", "[CLS]", 1), ("", "c", 0)]


@pytest.fixture(scope="module")
def tokenizer() -> BertTokenizer:
    """BERT's own tokenizer over a vocabulary of letters."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[", "]", "sep", "mask", "cls"]
    return BertTokenizer(vocab={word: i for i, word in enumerate([*special, *"abcdefghij"])})


@pytest.fixture
def glue(tmp_path):
    (tmp_path / "MRPC").mkdir()
    lines = [f"{label}\t{first}\t{second}\n" for first, second, label in ROWS]
    for split in ("train", "dev"):
        text = "".join(["Quality\t#1 String\t#2 String\n", *lines])
        (tmp_path / "MRPC" / f"{split}.tsv").write_text(text, "utf-8")
    return tmp_path


@pytest.fixture
def load(glue, tokenizer):
    """Reads MRPC, by another tokenizer where one is given."""

    def read(tokenizer=tokenizer, max_length=128, **changes):
        spec = load_profile("minilm").tasks["mrpc"].model_copy(update=changes)
        return load_task("mrpc", spec, tokenizer, max_length=max_length, data_dir=glue)

    return read


def test_an_example_is_its_tokens_uncut_and_unpadded(load):
    task = load()
    assert task.train[0] == {
        "input_ids": [2, *range(10, 18), 3, 18, 19, 3],  # [CLS] a..h [SEP] i j [SEP]
        "attention_mask": [1] * 13,
        "token_type_ids": [0] * 10 + [1] * 3,
        "labels": 1,
    }
    cut = load(max_length=9).train  # the longer sentence loses tokens
    assert [one["input_ids"] for one in cut[:2]] == [[2, 10, 11, 12, 13, 3, 18, 19, 3], [2, 10, 3, 11, 3]]
    assert task.train == task.dev
    assert task.train_text == task.dev_text == [(first, second) for first, second, _ in ROWS]


def test_text_that_spells_a_special_token_does_not_act_as_one(load):
    ids = load().train[2]["input_ids"]
    assert [ids.count(token) for token in (2, 3, 4)] == [1, 2, 0]  # one [CLS], two [SEP], no [MASK]


def test_a_text_of_no_tokens_is_named_with_its_line(load, glue, tokenizer):
    bare = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(tokenizer.backend_tokenizer.model), unk_token="[UNK]"
    )
    path = glue / "MRPC" / "train.tsv"
    path.write_text(path.read_text().replace("\t\tc", "\t\t"))
    with refused(rf"{path}, line 5: the tokenizer finds no token in \('', ''\)"):
        load(bare)


def test_a_limit_takes_the_same_part_at_every_call(load):
    whole, part = load(), load(train_limit=3)
    assert part.train == load(train_limit=3).train
    positions = [whole.train_text.index(text) for text in part.train_text]
    assert part.train == [whole.train[i] for i in sorted(positions)]
    assert (len(positions), part.dev) == (3, whole.dev)


def test_the_checksum_is_that_of_the_examples(load, glue):
    assert load(train_limit=99).checksum == load().checksum, "it cuts nothing off"
    different = [load().checksum, load(train_limit=3).checksum, load(max_length=9).checksum]
    path = glue / "MRPC/dev.tsv"
    path.write_text(path.read_text().replace("\ta\t", "\tj\t"))
    assert len({*different, load().checksum}) == 4
