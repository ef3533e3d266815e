"""What the claims ask a study for, and nothing else: any object with these names can be weighed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from ..landscape.directions import RandomDirections
from ..landscape.paths import Obstacles
from ..landscape.rollback import Rollback
from ..landscape.scan import Curve, Surface
from ..landscape.walk import Walk
from ..training.finetune import Run

WAYS = ("scratch", "pretrained")
WAY_NAMES = {"scratch": "from scratch", "pretrained": "fine-tuned"}


class Subject(Protocol):
    """A study as the claims see it. `how` is "scratch", "pretrained" or, of a run, "continued"."""

    tasks: tuple[str, ...]
    layer_tasks: tuple[str, ...]  # of Figure 7
    overfit_task: str  # of Figure 4

    def seeds_of(self, kind: str, task: str, how: str = "pretrained") -> tuple[int, ...]:
        """The seeds of which this study has results of a kind, or is to compute them; () for none.

        A kind is the name of one of the methods below, or "continued": the further epochs of Figure 4.
        """

    def facts(self, task: str) -> Mapping[str, Any]:
        """ "labels", "train_examples", "dev_examples", and "majority", the share of the largest class of dev."""

    def schedule(self, task: str, how: str = "pretrained") -> np.ndarray:
        """(S,) the learning rate of each step."""

    def run(self, task: str, how: str = "pretrained", seed: int | None = None) -> Run: ...

    def walk(self, task: str, how: str = "pretrained", seed: int | None = None) -> Walk: ...

    def path(self, task: str, how: str = "pretrained", seed: int | None = None) -> Curve:
        """Training loss from start to end: 41 points of alpha in [0, 1], in float32."""

    def obstacles(self, task: str, how: str = "pretrained", seed: int | None = None) -> Obstacles: ...

    def curve(
        self, task: str, how: str = "pretrained", split: str = "train", seed: int | None = None
    ) -> Curve: ...

    def surface(
        self, task: str, how: str = "pretrained", split: str = "train", seed: int | None = None
    ) -> Surface: ...

    def random_directions(
        self, task: str, how: str = "pretrained", seed: int | None = None
    ) -> RandomDirections: ...

    def layer_surface(
        self, task: str, group: str, split: str = "train", seed: int | None = None
    ) -> Surface: ...

    def rollback(
        self, task: str, learning_rate: float | None = None, seed: int | None = None
    ) -> Rollback: ...

    def barrier(self, task: str, split: str = "train", seed: int | None = None) -> Curve:
        """From the weights after the first epochs of Figure 4, alpha 0, to those after the further ones, alpha 1."""


def guessing(study: Subject, task: str) -> float:
    """The loss of giving all classes the same probability, in nats."""
    return float(np.log(len(study.facts(task)["labels"])))
