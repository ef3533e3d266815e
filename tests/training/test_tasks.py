"""Tasks: tokenised once, cut but never padded."""

from own_case import refused
from tokenizers import Tokenizer
from transformers import BertTokenizer, PreTrainedTokenizerFast

from landscape_utils.profiles import load_profile
from landscape_utils.profiles.profile import Files
from landscape_utils.training.demo_language import Sentences, make_tokenizer
from landscape_utils.training.sources import from_files
from landscape_utils.training.tasks import Task, load_task, tokenised

ROWS = [(("a b c d e f g h", "i j"), 1), (("a", "b"), 0), (("a [SEP] [MASK] b", "[CLS]"), 1), (("", "c"), 0)]
# BERT's own tokenizer over a vocabulary of letters
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[", "]", "sep", "mask", "cls", *"abcdefghij"]
TOKENIZER = BertTokenizer(vocab={word: i for i, word in enumerate(WORDS)})


def task_of(dev=ROWS, max_length=128, **options) -> Task:
    return tokenised("mrpc", Sentences(("0", "1"), ROWS, dev), TOKENIZER, max_length, **options)


def test_an_example_is_its_tokens_uncut_and_unpadded():
    task = task_of()
    assert task.train[0] == {
        "input_ids": [2, *range(10, 18), 3, 18, 19, 3],  # [CLS] a..h [SEP] i j [SEP]
        "attention_mask": [1] * 13,
        "token_type_ids": [0] * 10 + [1] * 3,
        "labels": 1,
    }
    cut = task_of(max_length=9).train  # the longer sentence loses tokens
    assert [one["input_ids"] for one in cut[:2]] == [[2, 10, 11, 12, 13, 3, 18, 19, 3], [2, 10, 3, 11, 3]]
    assert task.train == task.dev
    assert task.train_text == task.dev_text == [text for text, _ in ROWS]


def test_text_that_spells_a_special_token_does_not_act_as_one_unless_it_is_to():
    ids = task_of().train[2]["input_ids"]
    assert [ids.count(token) for token in (2, 3, 4)] == [1, 2, 0]  # one [CLS], two [SEP], no [MASK]
    acting = task_of(split_special_tokens=False).train[2]["input_ids"]
    assert acting == TOKENIZER("a [SEP] [MASK] b", "[CLS]")["input_ids"]


def test_a_text_of_no_tokens_is_named_with_its_line(tmp_path):
    words = Tokenizer(TOKENIZER.backend_tokenizer.model)
    bare = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]")
    path = tmp_path / "rows.csv"
    path.write_text('t,l\na,1\nb,1\n"",0\n')
    rows = from_files(Files(train=str(path), dev=str(path), text=["t"], label="l"))
    for limit in (0, 1):  # all, or the last example alone
        with refused(rf"{path}, line 4: the tokenizer finds no token in \('',\)"):
            tokenised("mine", rows, bare, 128, limit)


def test_a_limit_takes_the_same_part_at_every_call():
    spec = load_profile("demo").tasks["mrpc"]
    limited = (spec.model_copy(update={"train_limit": limit}) for limit in (0, 3, 3))
    whole, part, again = (load_task("mrpc", one, make_tokenizer(), max_length=9) for one in limited)
    assert part.train == again.train
    assert {len(example["input_ids"]) for example in part.train} == {9}
    positions = [whole.train_text.index(text) for text in part.train_text]
    assert part.train == [whole.train[i] for i in sorted(positions)]
    assert (len(positions), part.dev) == (3, whole.dev)


def test_the_checksum_is_that_of_the_examples():
    whole = task_of().checksum
    assert whole == task_of(train_limit=99).checksum  # cuts nothing off
    others = [task_of(train_limit=3), task_of(max_length=9), task_of([*ROWS[:-1], (("", "d"), 0)])]
    assert len({whole, *(task.checksum for task in others)}) == 4
