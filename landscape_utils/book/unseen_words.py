"""The generated language alone: what a training makes of dev examples with words that its training set has not."""

from __future__ import annotations

import numpy as np

from ..claims.evidence import WAYS, table
from ..figures.style import HOW_NAMES
from ..names import display_name
from ..study.study import Study
from .tables import spread

UNSEEN_WORDS = """### Known words, other words

The embedded language tells more than a real data set can: which dev examples are made of words that the task's
training examples contain, and which have others too. A model that starts from random weights cannot know what it
never met. One that was pre-trained met every word in the corpus, and can carry over what it learned there. The
last column is a test set on which nothing was chosen, neither hyper-parameters nor epochs.
"""


def unseen_words(study: Study) -> str:
    """Accuracy on dev examples with words of the train set and with others, and on test; "" for other languages."""
    rows = []
    for task in study.tasks:
        if not study.trainings.generated(task):
            continue
        for how in WAYS:
            scores = np.array([study.unseen_words(task, how, seed) for seed in study.seeds])  # (seeds, 3)
            rows.append([display_name(task), HOW_NAMES[how], *map(spread, scores.T)])
    head = ["task", "", "dev, known words", "dev, other words", "test"]
    return f"{UNSEEN_WORDS}\n{table(head, rows)}" if rows else ""
