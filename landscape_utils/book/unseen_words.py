"""The generated language alone: what a training makes of dev examples with words that its training set has not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..claims.evidence import WAYS, table
from ..engine.objective import Objective
from ..figures.style import HOW_NAMES
from ..names import display_name
from ..study.study import Study
from ..training.models import on_device
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
        if study.profile.tasks[task].source != "demo":
            continue
        for how in WAYS:
            scores = np.array([accuracies_on(study, task, how, seed) for seed in study.seeds])  # (seeds, 3)
            rows.append([display_name(task), HOW_NAMES[how], *map(spread, scores.T)])
    head = ["task", "", "dev, known words", "dev, other words", "test"]
    return f"{UNSEEN_WORDS}\n{table(head, rows)}" if rows else ""


def select(examples: Sequence, chosen: np.ndarray) -> list:
    return [example for example, keep in zip(examples, chosen, strict=True) if keep]


def accuracies_on(study: Study, task: str, how: str, seed: int) -> np.ndarray:
    """(3,): accuracy of one run's final model on dev examples with known words, on those with others, and on test."""
    run = study.keys.run(task, how, seed)[2]

    def measured(journal: Any) -> dict[str, np.ndarray]:
        data, model = study.task(task), on_device(study.snapshots(task, how, seed).model(), study.device)
        seen = np.asarray(data.dev_seen, dtype=bool)
        parts = (select(data.dev, seen), select(data.dev, ~seen), data.test)
        return {"accuracy": np.array([1 - Objective(model, part)().error for part in parts])}

    found = study.store.compute("words", f"{task}-{how}-{seed}", {"run": run}, measured, device=study.device)
    return found.arrays["accuracy"]
