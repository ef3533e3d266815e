"""The embedded language: what is said can be read back, and every label follows from what is said."""

from collections import Counter

import pytest

from landscape_utils.training import demo_language as language
from landscape_utils.training.demo_language import LABELS, SETS, VOCABULARY, Meaning, make_corpus, make_task

SET_OF = {word: row for row, words in enumerate(SETS.tolist()) for word in words}


def read(clause: str) -> Meaning:
    """The meaning of a clause, from the layout of the tables alone: 42 scene sets, 12 adjective, 12 adverb."""
    words = clause.split()
    assert words.pop(0) == "the"
    rows, negated = [], False
    for word in words:
        if word != "not":
            rows.append(SET_OF[word] ^ negated)  # the poles of a scale are neighbours: 2k and 2k + 1
        negated = word == "not"
    adjective, noun, verb, adverb = rows
    assert noun // 7 == verb // 7
    assert (adjective - 42) % 2 == (adverb - 54) % 2
    scales = (adjective - 42) // 2, (adverb - 54) // 2
    return Meaning(noun // 7, noun % 7, verb % 7 - 4, *scales, adverb % 2)


def differences(a: Meaning, b: Meaning) -> set[str]:
    return {name for name in vars(a) if getattr(a, name) != getattr(b, name)}


def content(split: list) -> set[str]:
    return {word for sentences, _ in split for word in " ".join(sentences).split()} & set(SET_OF)


def test_corpus_pairs_hold_what_their_markers_promise():
    """Shares: 4 standard errors of a binomial share of 4,000 pairs are at most 0.032."""
    pairs = make_corpus(seed=3, size=4000)
    kinds: Counter[str] = Counter()
    for first, second, label in pairs:
        words = second.split()
        marker = words[0] if words[0] != "the" else None
        changed = differences(read(first), read(" ".join(words[marker is not None :])))
        kind = {frozenset(): "restated", frozenset({"pole"}): "opposed"}.get(frozenset(changed), "other")
        if label == 0 and kind == "other":
            assert len(changed) == 1
            assert "topic" not in changed
            kind = "continued"
        if label == 0 and marker:
            assert marker in language.MARKERS[kind]
        kinds["random" if label else kind] += 1
        kinds["marked"] += marker is not None
    expected = {"restated": 0.5, "opposed": 0.2, "continued": 0.15, "random": 0.15, "marked": 0.8}
    assert {kind: count / len(pairs) for kind, count in kinds.items()} == pytest.approx(expected, abs=0.032)
    used = {word for *pair, _ in pairs for word in " ".join(pair).split()}
    assert used == set(VOCABULARY) - set(language.SPECIAL)
    assert len(set(VOCABULARY)) == len(VOCABULARY)
    assert pairs == make_corpus(seed=3, size=4000) != make_corpus(seed=1, size=4000)


@pytest.mark.parametrize("name", LABELS)
def test_the_label_follows_from_the_meanings(name):
    task = make_task(name)
    scene, manner = {"noun", "verb"}, {"adjective", "adverb"}
    for sentences, label in [*task.train, *task.dev, *task.test]:
        first, *second = map(read, sentences)
        changed = differences(first, *second) if second else set()
        same, opposite = not changed, changed == {"pole"}
        double = len(changed) == 2 and len(changed & scene) == len(changed & manner) == 1
        right = {
            "positive": first.pole == 0,
            "negative": first.pole == 1,
            "entailment": same,
            "equivalent": same,
            "contradiction": opposite,
            "neutral": double,
            "not_equivalent": double,
            "not_entailment": double or opposite,
        }
        assert right[task.labels[label]]


@pytest.mark.parametrize("name", LABELS)
def test_splits_share_no_example_and_half_of_dev_and_test_no_word_with_train(name):
    task = make_task(name)
    known = content(task.train)
    assert Counter(SET_OF[word] for word in known).most_common(1)[0][1] == 2
    for split in (task.dev, task.test):
        assert task.dev_seen.sum() == len(split) / 2
        allowed, unseen = (
            content([example for example, seen in zip(split, task.dev_seen, strict=True) if seen == which])
            for which in (True, False)
        )
        assert not unseen & (known | allowed)
    splits = (task.train, task.dev, task.test)
    assert [len(split) for split in splits] == [language.TRAIN_SIZE[name], *[language.DEV_SIZE] * 2]
    assert len({text for split in splits for text, _ in split}) == sum(map(len, splits))
    for split in splits:
        counts = Counter(label for _, label in split)
        assert len(counts) == len(task.labels)
        assert max(counts.values()) - min(counts.values()) <= 2  # dev and test are two halves
    assert make_task(name).train == task.train != make_task(name, seed=1).train


def test_the_tokenizer_frames_pairs_as_bert_does():
    tokenizer = language.make_tokenizer()
    encoded = tokenizer("the kind horse", "so the zebra")
    assert tokenizer.decode(encoded["input_ids"]) == "[CLS] the kind horse [SEP] so the [UNK] [SEP]"
    assert encoded["token_type_ids"] == [0] * 5 + [1] * 4
