"""The embedded language: what is said can be read back, and every label follows from what is said."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from landscape_utils.training.demo_language import (
    DEV_SIZE,
    LABELS,
    MARKERS,
    SETS,
    SPECIAL,
    TRAIN_SIZE,
    VOCABULARY,
    Meaning,
    make_corpus,
    make_task,
    make_tokenizer,
    random_meaning,
    say,
)

SET_OF = {word: row for row, words in enumerate(SETS.tolist()) for word in words}
SPLITS = ("train", "dev", "test")


def read(clause: str) -> Meaning:
    """The meaning of a clause, from the layout of the tables alone: 42 scene sets, 12 adjective, 12 adverb."""
    words = clause.split()
    assert words.pop(0) == "the"
    rows, negated = [], False
    for word in words:
        if word == "not":
            negated = True
        else:
            rows.append(SET_OF[word] ^ negated)  # the poles of a scale are neighbours: 2k and 2k + 1
            negated = False
    adjective, noun, verb, adverb = rows
    assert noun // 7 == verb // 7
    assert (adjective - 42) % 2 == (adverb - 54) % 2
    scales = (adjective - 42) // 2, (adverb - 54) // 2
    return Meaning(noun // 7, noun % 7, verb % 7 - 4, *scales, adverb % 2)


def differences(a: Meaning, b: Meaning) -> set[str]:
    return {name for name in vars(a) if getattr(a, name) != getattr(b, name)}


def content(split: list) -> set[str]:
    return {word for sentences, _ in split for word in " ".join(sentences).split()} & set(SET_OF)


def test_the_vocabulary_has_no_word_twice():
    assert SETS.shape == (66, 4)
    assert len(set(VOCABULARY)) == len(VOCABULARY) == 264 + 13


def test_what_is_said_is_read_back():
    rng = np.random.default_rng(0)
    for _ in range(500):
        meaning = random_meaning(rng)
        assert read(say(rng, meaning)) == meaning


def test_corpus_pairs_hold_what_their_markers_promise():
    """Shares: 4 standard errors of a binomial share of 4,000 pairs are at most 0.032."""
    pairs = make_corpus(seed=3, size=4000)
    kinds: Counter[str] = Counter()
    for first, second, label in pairs:
        words = second.split()
        marker = words[0] if words[0] != "the" else None
        a, b = read(first), read(" ".join(words[marker is not None :]))
        changed = differences(a, b)
        kind = {frozenset(): "restated", frozenset({"pole"}): "opposed"}.get(frozenset(changed), "other")
        if label == 0 and kind == "other":
            assert len(changed) == 1
            assert "topic" not in changed
            kind = "continued"
        if label == 0 and marker:
            assert marker in MARKERS[kind]
        kinds["random" if label else kind] += 1
        kinds["marked"] += marker is not None
    shares = {kind: count / len(pairs) for kind, count in kinds.items()}
    expected = {"restated": 0.5, "opposed": 0.2, "continued": 0.15, "random": 0.15, "marked": 0.8}
    assert shares == pytest.approx(expected, abs=0.032)


def test_the_corpus_uses_every_word_and_depends_on_its_seed_alone():
    pairs = make_corpus(seed=0, size=2000)
    assert pairs == make_corpus(seed=0, size=2000)
    assert pairs != make_corpus(seed=1, size=2000)
    used = {word for first, second, _ in pairs for word in f"{first} {second}".split()}
    assert used == set(VOCABULARY) - set(SPECIAL)


@pytest.mark.parametrize("name", ["mnli", "rte", "mrpc"])
def test_the_label_of_a_pair_follows_from_its_meanings(name):
    task = make_task(name)
    scene, manner = {"noun", "verb"}, {"adjective", "adverb"}
    for (first, second), label in [*task.train, *task.dev, *task.test]:
        changed = differences(read(first), read(second))
        same, opposite = not changed, changed == {"pole"}
        double = len(changed) == 2 and len(changed & scene) == len(changed & manner) == 1
        right = {
            "entailment": same,
            "equivalent": same,
            "contradiction": opposite,
            "neutral": double,
            "not_equivalent": double,
            "not_entailment": double or opposite,
        }
        assert right[task.labels[label]]


def test_the_label_of_a_single_clause_is_its_pole():
    task = make_task("sst2")
    for (clause,), label in [*task.train, *task.dev, *task.test]:
        assert read(clause).pole == {"positive": 0, "negative": 1}[task.labels[label]]


@pytest.mark.parametrize("name", LABELS)
def test_half_of_dev_and_test_has_no_word_of_train(name):
    task = make_task(name)
    known = content(task.train)
    assert Counter(SET_OF[word] for word in known).most_common(1)[0][1] == 2
    for split in (task.dev, task.test):
        assert task.dev_seen.sum() == len(split) / 2 == DEV_SIZE / 2
        allowed = content([example for example, seen in zip(split, task.dev_seen, strict=True) if seen])
        unseen = content([example for example, seen in zip(split, task.dev_seen, strict=True) if not seen])
        assert not unseen & known
        assert not unseen & allowed


@pytest.mark.parametrize("name", LABELS)
def test_splits_are_balanced_and_share_no_example(name):
    task = make_task(name)
    sentences = [{text for text, _ in getattr(task, split)} for split in SPLITS]
    assert [len(s) for s in sentences] == [TRAIN_SIZE[name], DEV_SIZE, DEV_SIZE]
    assert len(set.union(*sentences)) == sum(map(len, sentences))
    for split in SPLITS:
        counts = Counter(label for _, label in getattr(task, split))
        assert len(counts) == len(task.labels)
        assert max(counts.values()) - min(counts.values()) <= 2  # dev and test are two halves


def test_a_task_depends_on_its_seed_alone():
    assert make_task("rte", 0).train == make_task("rte", 0).train
    assert make_task("rte", 0).train != make_task("rte", 1).train


def test_the_tokenizer_frames_pairs_as_bert_does():
    tokenizer = make_tokenizer()
    encoded = tokenizer("the kind horse grows well", "so the kind pony grows finely")
    words = tokenizer.convert_ids_to_tokens(encoded["input_ids"])
    assert " ".join(words) == "[CLS] the kind horse grows well [SEP] so the kind pony grows finely [SEP]"
    assert encoded["token_type_ids"] == [0] * 7 + [1] * 7
    assert tokenizer.convert_ids_to_tokens(tokenizer("the zebra")["input_ids"])[2] == "[UNK]"


def test_the_tokenizer_knows_every_sentence():
    tokenizer = make_tokenizer()
    first, second, _ = zip(*make_corpus(0, 500), strict=True)
    encoded = tokenizer(list(first), list(second))["input_ids"]
    assert not any(tokenizer.unk_token_id in ids for ids in encoded)
    assert max(map(len, encoded)) <= 18
