"""A null model of accuracy: what the pre-trained encoder tells of two sentences before any training on the task."""

from collections.abc import Iterable
from dataclasses import dataclass
from operator import itemgetter

import numpy as np

from ..errors import UserError
from ..store.code import code_of
from .kind import Arrays, Cost, Journal, Kind, Recipe, Scale, Similarity, Subject


@dataclass(frozen=True)
class SimilarityResult(Kind):
    """Dev accuracy of the cosine of the two sentences' vectors alone, (), of a task of pairs with two classes."""

    folder = "similarities"
    form = itemgetter("accuracy")
    task: str

    @classmethod
    def code(cls) -> str:
        return code_of("training.sentence_vectors")

    @classmethod
    def all(cls, study: Subject) -> Iterable[Kind]:
        return [cls(task) for task in study.tasks if study.trainings.similarity(task)]

    @property
    def name(self) -> str:
        return self.task

    def recipe(self, study: Subject) -> Recipe:
        return self.known(study).recipe()

    def needs(self, study: Subject) -> tuple[Kind, ...]:
        return ()

    def compute(self, study: Subject, journal: Journal) -> Arrays:
        return {"accuracy": np.array(self.known(study).accuracy())}

    def known(self, study: Subject) -> Similarity:
        """What the encoder knows of the task; refused for another than of pairs in two classes."""
        if found := study.trainings.similarity(self.task):
            return found
        there = ", ".join(kind.name for kind in self.all(study)) or "none"
        raise UserError(
            f"task {self.task!r} is not of pairs of sentences in two classes; such tasks are: {there}"
        )

    def cost(self, study: Subject, scale: Scale) -> Cost:
        pairs = zip(scale.examples[self.task], scale.tokens[self.task], strict=True)
        return Cost(visits=1, visit_tokens=sum(n * length for n, length in pairs), exact=True)
