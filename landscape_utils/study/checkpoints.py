"""Checkpoints of one's own as a study: every landscape, rollback and claim that they can answer for.

The trainings were done elsewhere and by whatever means; the rest is the same code: directions, scans, projections,
rollback, the store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..engine.losses import Loss
from ..errors import UserError
from ..names import SPLITS, one_of
from ..profiles import Profile, load_profile
from ..training.evaluations import differing, evaluations
from ..training.tasks import Task
from .maps import DIRECTIONS, PARTNER, PCA, Map, MapResult
from .own_trainings import OwnTrainings
from .study import Study

OWN = "own"  # the folder of their results: a profile's hold its own trainings
SMALL = 1_000_000  # parameters: a network below is slower on two threads than on one


class Checkpoints(Study):
    """A study of trainings that were done elsewhere: its methods are those of `Study`, of one task.

    Args:
        task: see `training.checkpoints.read_task`.
        trained: name of a training -> folders of its checkpoints, the start first, the end last: see `in_order`. Those
            called "pretrained" and "scratch" are compared as the paper does.
        others: name of a training -> the folder of a checkpoint from the same start, trained on another task, for the
            second direction; where there is none, it is drawn at random.
        profile: whose grid, sample and precision to take; `seed` is of random directions, the others as for `Study`.
            The results are in `results_dir/own`.
        directions: of what `map` shows: "partner", the plane of `Study`; "random", around the trained network;
            "pca", the two principal components of three checkpoints or more.
        loss: another one than the model's own, as `Objective` takes it.

    Raises:
        UserError: as `Study`; checkpoints that are no classifiers of the task's classes, or of different networks.
    """

    def __init__(
        self,
        task: Task,
        trained: Mapping[str, Sequence[Path]],
        others: Mapping[str, Path] | None = None,
        *,
        profile: str | Path | Profile = "demo",
        seed: int = 0,
        directions: str = PARTNER,
        loss: Loss | None = None,
        **options: Any,
    ):
        self.along = one_of("directions", directions, DIRECTIONS)
        own = OwnTrainings(task, trained, others or {}, seed, loss)
        self.folders, self.size, self.layered = own.trained, own.size, own.layered
        short = [how for how, folders in own.trained.items() if len(folders) < 3]
        if directions == PCA and short:
            raise UserError(f"{short[0]}: directions {PCA!r} need three checkpoints or more; there are two")
        changes = {"name": OWN, "data_dir": "", "side_by_side": self.size < SMALL}
        profile = load_profile(profile).model_copy(update=changes)
        super().__init__(profile, seed=seed, trainings=own.on, **options)

    def map(self, how: str) -> Map:
        """The surfaces of a training along the chosen directions, with its checkpoints on them."""
        task, own = self.tasks[0], one_of("training", how, self.ways)
        if self.along == PARTNER:
            surfaces = {split: self.surface(task, own, split) for split in SPLITS}
            return Map(surfaces, self.trajectory(task, own))
        return self.get(MapResult(task, own, self.seed, self.along))

    def evaluations(self, how: str) -> list[Compared]:
        """What the user's Trainer measured of the checkpoints of a training, and what is measured here, on dev."""
        run, found = self.run(self.tasks[0], how), []
        for folder, loss, accuracy in zip(self.folders[how], run.dev_loss, run.dev_accuracy, strict=True):
            here = {"loss": float(loss), "accuracy": float(accuracy)}
            if theirs := evaluations(folder):
                found.append(Compared(folder.name, theirs, here, differing(folder.name, theirs, here)))
        return found


class Compared(NamedTuple):
    """A checkpoint's dev loss and accuracy, by a Trainer and by us, and the line that says so where they differ."""

    checkpoint: str
    theirs: Mapping[str, float]
    here: Mapping[str, float]
    difference: str
