"""A place in weight space, asked of the model itself: what it loses there, and how it takes a sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..engine.objective import Objective, evaluating
from ..engine.space import ParameterSpace
from ..landscape.scan import Mark
from ..names import SPLITS
from ..study.study import Study


class Place:
    """A run's model, and the plane that it is looked at in."""

    def __init__(self, study: Study, task: str, how: str):
        self.study, self.task, self.how = study, task, how
        self.plane = study.plane(task, how)
        model: Any = study.run(task, how).model()
        self.model = model.to(study.device)

    def measure(self, alpha: float, beta: float) -> dict[str, Mark]:
        """Split -> what the study's sample of it measures at one point."""
        objectives = {s: Objective(self.model, self.study.sample(self.task, s)) for s in SPLITS}
        with ParameterSpace(self.model).attached() as theta:
            theta.copy_(self.plane.at(alpha, beta))
            return {split: Mark(alpha, beta, *objective()) for split, objective in objectives.items()}

    def classify(self, examples: Sequence[Mapping[str, Any]], alpha: float, beta: float) -> np.ndarray:
        """(examples, classes): the probability that the model at this point gives each class."""
        rows = []
        objectives = [Objective(self.model, [example]) for example in examples]
        with ParameterSpace(self.model).attached() as theta, evaluating(self.model):
            theta.copy_(self.plane.at(alpha, beta))
            for objective in objectives:
                logits = objective.logits(objective.batches[0])[0]  # (C,)
                rows.append(logits.float().softmax(0).cpu().numpy())
        return np.array(rows)
