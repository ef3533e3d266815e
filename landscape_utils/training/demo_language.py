"""The embedded language: vocabulary, corpus and four tasks, so that a book can be made with no network.

A clause is ``the [not] ADJECTIVE NOUN VERB [not] ADVERB``. Its *meaning* is five choices: a noun set and a
verb set of one topic, an adjective scale and an adverb scale, and one polarity for both. Its *words* are
drawn from the synonym sets of the meaning; now and then an adjective or adverb is said as ``not`` and a word
of the opposite pole.

The corpus uses every word; the train split of a task uses two words of each set, and half of its dev and
test examples use only the other two. What a network knows of those it can know from pre-training only.
"""

from dataclasses import dataclass, field, replace

import numpy as np
import transformers as hf
from tokenizers import Tokenizer, models, pre_tokenizers, processors

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
MARKERS = {"restated": ("so", "thus"), "opposed": ("but", "yet"), "continued": ("and", "then")}
ANY_MARKER = tuple(word for words in MARKERS.values() for word in words)

# A line is a topic: four sets of nouns, then three sets of verbs.
TOPICS = """
ship vessel boat craft/sailor mariner seaman deckhand/storm gale tempest squall/harbour port haven dock/sails cruises voyages navigates/sinks founders drowns submerges/drifts floats bobs glides
judge magistrate justice arbiter/thief robber burglar bandit/lawyer attorney counsel advocate/trial hearing case lawsuit/accuses blames charges indicts/pleads begs appeals implores/ends closes finishes concludes
cook chef caterer baker/meal dinner supper feast/stew soup broth chowder/pan pot kettle skillet/boils simmers bubbles seethes/fries sizzles roasts sears/cools chills freezes ices
teacher tutor instructor mentor/pupil student learner scholar/book volume tome text/lesson class lecture seminar/explains clarifies teaches illustrates/studies learns reads revises/asks queries questions inquires
singer vocalist crooner chanter/song tune melody air/drum tabor bongo timpani/band orchestra ensemble group/plays performs renders executes/hums murmurs purrs drones/echoes rings resounds peals
farmer grower planter peasant/flower blossom bloom posy/field meadow pasture lea/horse mare steed pony/grows sprouts swells expands/digs ploughs tills hoes/wilts withers droops fades
"""  # noqa: E501
# A line is a scale: the good pole, then the bad one.
ADJECTIVES = """
kind gentle caring tender/cruel harsh mean brutal
clever smart bright wise/stupid dull foolish dumb
brave bold heroic daring/cowardly timid craven fearful
clean pure spotless tidy/dirty filthy grimy soiled
honest truthful frank sincere/false lying deceitful crooked
happy glad merry cheerful/sad gloomy unhappy miserable
"""
ADVERBS = """
quickly fast swiftly rapidly/slowly sluggishly tardily lazily
well finely superbly excellently/badly poorly awfully terribly
neatly carefully precisely exactly/sloppily carelessly clumsily roughly
calmly quietly peacefully serenely/wildly noisily violently frantically
eagerly keenly willingly readily/grudgingly reluctantly unwillingly wearily
safely securely soundly surely/riskily dangerously recklessly unsafely
"""


def _sets(text: str) -> np.ndarray:
    """The synonym sets of a table in reading order, shape (sets, 4)."""
    return np.array([words.split() for line in text.strip().splitlines() for words in line.split("/")])


SETS = np.concatenate([_sets(TOPICS), _sets(ADJECTIVES), _sets(ADVERBS)])  # (66, 4)
ADJECTIVE, ADVERB = 42, 54  # where their sets begin in SETS
VOCABULARY = (*SPECIAL, "the", "not", *ANY_MARKER, *SETS.ravel().tolist())

NEGATION = 0.1  # chance that an adjective or adverb is said as "not" and the opposite pole
MARKED = 0.8  # chance that the second clause of a corpus pair opens with a marker


@dataclass(frozen=True)
class Meaning:
    """What a clause says: ``noun`` of 4, ``verb`` of 3, ``topic`` and scales of 6, ``pole`` 0 good, 1 bad."""

    topic: int
    noun: int
    verb: int
    adjective: int
    adverb: int
    pole: int


def random_meaning(rng: np.random.Generator) -> Meaning:
    return Meaning(*rng.integers((6, 4, 3, 6, 6, 2)).tolist())


# What may differ in a clause that says neither the same nor the opposite: fields, and how many values each has.
SCENE, MANNER = {"noun": 4, "verb": 3}, {"adjective": 6, "adverb": 6}


def altered(rng: np.random.Generator, meaning: Meaning, *parts: dict[str, int]) -> Meaning:
    """``meaning`` with one field of each of ``parts``, `SCENE` and `MANNER`, at another value."""
    for part in parts:
        name, count = list(part.items())[rng.integers(len(part))]
        meaning = replace(meaning, **{name: int(getattr(meaning, name) + rng.integers(1, count)) % count})
    return meaning


def say(rng: np.random.Generator, meaning: Meaning, words: np.ndarray = SETS) -> str:
    """One way to say ``meaning`` with the allowed ``words``, shape (66, k): row i holds words of set i."""

    def word(row: int) -> str:
        return str(words[row, rng.integers(words.shape[1])])

    def graded(first: int, scale: int) -> list[str]:
        if rng.random() < NEGATION:
            return ["not", word(first + 2 * scale + 1 - meaning.pole)]
        return [word(first + 2 * scale + meaning.pole)]

    noun, verb = word(7 * meaning.topic + meaning.noun), word(7 * meaning.topic + 4 + meaning.verb)
    manner = graded(ADVERB, meaning.adverb)
    return " ".join(["the", *graded(ADJECTIVE, meaning.adjective), noun, verb, *manner])


def make_corpus(seed: int, size: int = 20_000) -> list[tuple[str, str, int]]:
    """Pre-training pairs ``(first, second, next_sentence_label)``; label 1: the second is random."""
    rng = np.random.default_rng(seed)
    kinds = rng.choice(["restated", "opposed", "continued", "random"], size, p=[0.5, 0.2, 0.15, 0.15])
    pairs = []
    for kind in kinds.tolist():
        first = random_meaning(rng)
        if kind == "continued":
            second = altered(rng, first, (SCENE, MANNER)[rng.integers(2)])
        else:
            opposite = replace(first, pole=1 - first.pole)
            second = {"restated": first, "opposed": opposite, "random": random_meaning(rng)}[kind]
        choice = MARKERS.get(kind, ANY_MARKER)
        marker = [choice[rng.integers(len(choice))]] if rng.random() < MARKED else []
        pairs.append((say(rng, first), " ".join([*marker, say(rng, second)]), int(kind == "random")))
    return pairs


Split = list[tuple[tuple[str, ...], int]]  # ((sentence,) or (first, second), index of the label)


@dataclass(frozen=True)
class Sentences:
    """The examples of a task before they are tokenised; see `tasks.Task`. `places`: where each stands, for messages."""

    labels: tuple[str, ...]
    train: Split
    dev: Split
    test: Split = field(default_factory=list)  # of one size and order with dev
    # (len(dev),) bool, also of test: every word of the example may stand in train
    dev_seen: np.ndarray | None = None
    places: dict[str, list[str]] = field(default_factory=dict, compare=False)


LABELS = {
    "mnli": ("entailment", "neutral", "contradiction"),
    "rte": ("entailment", "not_entailment"),
    "sst2": ("negative", "positive"),
    "mrpc": ("not_equivalent", "equivalent"),
}
TRAIN_SIZE = {"mnli": 1200, "rte": 300, "sst2": 600, "mrpc": 600}
DEV_SIZE = 400


def _example(name: str, rng: np.random.Generator, label: int, words: np.ndarray) -> tuple[str, ...]:
    """The sentences of an example of task ``name`` with the label of that index."""
    first = random_meaning(rng)
    if name == "sst2":
        return (say(rng, replace(first, pole=1 - label), words),)
    relation = LABELS[name][label]
    if relation in ("entailment", "equivalent"):
        second = first
    elif relation == "contradiction" or (relation == "not_entailment" and rng.random() < 0.5):
        second = replace(first, pole=1 - first.pole)
    else:
        second = altered(rng, first, SCENE, MANNER)
    return say(rng, first, words), say(rng, second, words)


def make_task(name: str, seed: int = 0) -> Sentences:
    """The task ``name`` ("mnli", "rte", "sst2", "mrpc"), balanced in its labels; no example stands in two splits."""
    rng = np.random.default_rng([seed, list(LABELS).index(name)])
    order = rng.permuted(np.tile(np.arange(4), (66, 1)), axis=1)  # (66, 4)
    words = np.take_along_axis(SETS, order, axis=1)
    known, held_out = words[:, :2], words[:, 2:]
    taken: set[tuple[str, ...]] = set()

    def draw(size: int, words: np.ndarray) -> Split:
        drawn: Split = []
        while len(drawn) < size:
            label = len(drawn) % len(LABELS[name])
            sentences = _example(name, rng, label, words)
            if sentences not in taken:
                taken.add(sentences)
                drawn.append((sentences, label))
        return drawn

    half = DEV_SIZE // 2
    train, dev, test = draw(TRAIN_SIZE[name], known), draw(half, known), draw(half, known)
    seen = np.arange(DEV_SIZE) < half
    return Sentences(LABELS[name], train, dev + draw(half, held_out), test + draw(half, held_out), seen)


def make_tokenizer() -> hf.PreTrainedTokenizerFast:
    """A word-level tokenizer that frames its input as BERT does: ``[CLS] a [SEP] b [SEP]``."""
    tokenizer = Tokenizer(models.WordLevel({word: i for i, word in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    roles = ("pad_token", "unk_token", "cls_token", "sep_token", "mask_token")
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=40,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
        **dict(zip(roles, SPECIAL, strict=True)),
    )
