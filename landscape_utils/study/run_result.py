"""A training as a result of a study, which all others build upon."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from ..training.finetune import Run
from .kind import Arrays, Cost, Journal, Kind, Recipe, Scale, Subject


@dataclass(frozen=True)
class RunResult(Kind):
    """A training: its history. The snapshots lie beside it, and are made again if they are gone and needed.

    `how` is "pretrained" (fine-tuned), "scratch", "continued" (Figure 4's further epochs) or the user's own name;
    `learning_rate` another one than the profile chose.
    """

    folder: ClassVar[str] = "runs"
    # Trainings take hours, so a change of code does not discard them. A change that alters what is trained raises the
    # version, which stands in the recipe; a test holds the code's fingerprint and asks for a decision.
    parts: ClassVar[tuple[str, ...]] = ()
    version: ClassVar[int] = 1
    task: str
    how: str
    seed: int
    learning_rate: float | None = None

    @classmethod
    def all(cls, study: Subject) -> Iterable[RunResult]:
        # First one that pre-trains the demo's encoder: the others train from scratch meanwhile, and none waits for it.
        pairs = pairs_of(study)
        yield cls(*pairs[-1], study.seed)
        yield from (cls(task, how, seed) for task, how in pairs for seed in study.seeds)
        for task in study.tasks:
            tried = study.trainings.tried(task)
            yield from (cls(task, study.trainings.main, study.seed, rate) for rate in tried)

    @property
    def name(self) -> str:
        return f"{self.task}-{self.how}-{self.seed}"

    def recipe(self, study: Subject) -> Recipe:
        later = {"version": self.version} if self.version > 1 else {}
        return study.trainings.recipe(self) | later

    def needs(self, study: Subject) -> tuple[Kind, ...]:
        return study.trainings.needs(self)

    def compute(self, study: Subject, journal: Journal) -> Arrays:
        return study.trainings.history(self)

    def cost(self, study: Subject, scale: Scale) -> Cost:
        settings = study.trainings.settings(self)
        (train, dev), (train_length, dev_length) = scale.examples[self.task], scale.tokens[self.task]
        steps = settings.epochs * math.ceil(train / settings.batch_size)
        # Looking at the dev split after each epoch is a pass forward: half of a step's time, as was measured.
        looks = (settings.epochs + 1) * dev * dev_length / 2
        return Cost(
            steps=steps,
            step_tokens=settings.epochs * train * train_length + looks,
            disk=4.0 * scale.parameters * (settings.epochs + 2),
        )

    def read(self, study: Subject, arrays: Arrays) -> Run:
        return study.trainings.run(self, arrays)


def pairs_of(study: Subject) -> list[tuple[str, str]]:
    """(task, way) of all trainings that are compared; those from scratch take longest and come first."""
    return [(task, how) for how in study.trainings.ways for task in study.tasks]
