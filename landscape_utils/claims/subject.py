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
FINE_TUNED = WAYS[1:]
SIDES = ("from scratch", "fine-tuned")
TRAININGS = {"scratch": "the training from scratch", "pretrained": "the fine-tuning"}


class Subject(Protocol):
    """A study as the claims see it. `how` is "scratch", "pretrained" or, of a run, "continued"."""

    tasks: tuple[str, ...]

    @property
    def layer_tasks(self) -> tuple[str, ...]: ...  # of Figure 7
    @property
    def overfit_task(self) -> str: ...  # of Figure 4

    def seeds_of(self, kind: str, task: str, how: str) -> tuple[int, ...]:
        """The seeds of which this study has results of a kind, or is to compute them; () for none.

        A kind is the name of a method below, or "continued": the further epochs of Figure 4.
        """

    def facts(self, task: str) -> Mapping[str, Any]:
        """ "labels", "train_examples", "dev_examples", and "majority", the share of the largest class of dev."""

    def schedule(self, task: str, how: str) -> np.ndarray: ...  # (S,) the learning rate of each step
    def run(self, task: str, how: str, seed: int) -> Run: ...
    def walk(self, task: str, how: str, seed: int) -> Walk: ...
    def path(self, task: str, how: str, seed: int) -> Curve: ...
    def obstacles(self, task: str, how: str, seed: int) -> Obstacles: ...
    def curve(self, task: str, how: str, split: str = "train", *, seed: int) -> Curve: ...
    def surface(self, task: str, how: str, split: str = "train", *, seed: int) -> Surface: ...
    def random_directions(self, task: str, how: str, seed: int) -> RandomDirections: ...
    def layer_surface(self, task: str, group: str, split: str = "train", *, seed: int) -> Surface: ...
    def rollback(self, task: str, *, seed: int) -> Rollback: ...
    def barrier(self, task: str, split: str = "train", *, seed: int) -> Curve: ...


def guessing(study: Subject, task: str) -> float:
    """The loss of giving all classes the same probability, in nats."""
    return float(np.log(len(study.facts(task)["labels"])))
