"""Checkpoints of one's own in the place of trainings: what is refused, and which claims they answer for.

The second direction leads to a checkpoint of another task that began at the same start (section 3.2), or it is a random
one.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..claims.claims import CLAIMS
from ..engine.losses import Loss, name_of
from ..engine.objective import Measurement, Objective
from ..engine.space import ParameterSpace, layer_groups
from ..errors import UserError
from ..landscape.directions import layer_normalised, random_direction
from ..names import GROUPS, HOWS, one_of, task_key
from ..profiles import Profile, Training
from ..progress import bar
from ..store.store import Store
from ..training.checkpoints import Adopted, classifier, theta_of
from ..training.evaluations import differing, evaluations
from ..training.models import on_device, weights_checksum
from ..training.tasks import Task, sample_of, task_facts
from .kind import Arrays, Recipe, Second, Trainings
from .run_result import RunResult

logger = logging.getLogger(__name__)
HISTORY = 512  # examples of train on which the checkpoints' loss is measured
UNKNOWN = Measurement(*4 * (float("nan"),))


class OwnTrainings(Trainings):
    """Folders of checkpoints in the place of trainings; see `Trainings` for what each method is asked.

    Args:
        task: what they were trained on.
        trained: way of training -> folders of checkpoints, the start first.
        others: way of training -> the checkpoint from the same start, trained on another task.
        seed: of random directions.
        loss: as `Objective` takes it.
    """

    def __init__(
        self,
        task: Task,
        trained: Mapping[str, Sequence[Path]],
        others: Mapping[str, Path],
        seed: int,
        loss: Loss | None = None,
    ):
        check_given(task, trained, others, loss)
        self.data, self.loss = task, loss
        self.trained = {how: [Path(folder) for folder in folders] for how, folders in trained.items()}
        self.others = {how: Path(folder) for how, folder in others.items()}
        self.tasks, self.seeds = (task.name,), (seed,)
        self.ways = tuple(how for how in HOWS[::-1] if how in trained) or tuple(trained)
        self.main = HOWS[0] if HOWS[0] in trained else self.ways[0]
        self.size, self.layered = check_ends(self.trained, task)
        check_directions(self.trained, self.others, len(task.labels), self.size)
        self.claims = self._claims()
        self.checksums = {how: list(map(weights_checksum, folders)) for how, folders in self.trained.items()}

    def on(self, profile: Profile, store: Store, device: str) -> OwnTrainings:
        """These, whose history is measured on a device."""
        self.device = device
        return self

    def _claims(self) -> tuple[str, ...]:
        """One training answers for the agreement of its surfaces, the angle of its directions and its layers; with one
        from scratch beside it, the two are compared by their accuracy, curves, surfaces and paths."""
        if HOWS[0] not in self.ways:
            return ()
        asked = {"smooth-fine-tuning", "surfaces-agree"}
        if len(self.trained[HOWS[0]]) > 2:
            asked |= {"first-direction"}
        if self.others:
            asked |= {"orthogonal"}
        if self.layered:
            asked |= {name for name in CLAIMS if name.split("-")[0] in GROUPS}
        if HOWS[1] in self.ways:
            asked |= {"accuracy", "rough-scratch", "wider", "flatter", "error-surface"}
        return tuple(name for name in CLAIMS if name in asked)

    def known(self, task: str) -> str:
        return one_of("task", task_key(task), (self.data.name,))

    def task(self, name: str) -> Task:
        self.known(name)
        return self.data

    def facts(self, name: str) -> dict[str, Any]:
        return {fact: value.tolist() for fact, value in task_facts(self.task(name)).items()}

    def partner(self, task: str) -> str:
        return "another task" if self.others else "at random"

    def settings(self, run: RunResult) -> Training:
        raise UserError("checkpoints do not tell how they were trained")

    def schedule(self, run: RunResult) -> np.ndarray:
        raise UserError("checkpoints do not tell their learning rates")

    def recipe(self, run: RunResult) -> Recipe:
        """The weights by their checksums stand where a training's hyper-parameters would."""
        one_of("way to train", run.how, self.ways)
        if run.learning_rate is not None:
            raise UserError(
                f"learning_rate = {run.learning_rate:g}: checkpoints are of one training each way"
            )
        return {
            "task": run.task,
            "how": run.how,
            "data": self.data.checksum,
            "checkpoints": self.checksums[run.how],
            **({"loss": name_of(self.loss)} if self.loss else {}),
        }

    def run(self, run: RunResult, history: Arrays) -> Adopted:
        folders = tuple(self.trained[run.how])
        facts = self.facts(run.task)
        return Adopted(
            task=run.task,
            how=run.how,
            seed=run.seed,
            folder=folders[-1],
            epochs=len(folders) - 1,
            step=np.arange(1, len(folders)),
            epoch_of_step=np.arange(1.0, len(folders)),
            seconds=0.0,
            majority=facts["majority"],
            checkpoints=folders,
            classes=len(facts["labels"]),
            size=self.size,
            **history,
        )

    def history(self, run: RunResult) -> Arrays:
        """Loss on a sample of train, loss and accuracy on dev, of each checkpoint; NaN where it has no head."""
        sample, rows = sample_of(self.data.train, HISTORY), []
        for folder in bar(self.trained[run.how], what="checkpoints"):
            model, whole = classifier(folder, len(self.data.labels))
            there = on_device(model, self.device)
            train, dev = (
                Objective(there, examples, loss=self.loss)() if whole else UNKNOWN
                for examples in (sample, self.data.dev)
            )
            rows.append((train.loss, dev.loss, 1 - dev.error))
            if line := differing(
                folder.name, evaluations(folder), {"loss": dev.loss, "accuracy": 1 - dev.error}
            ):
                logger.warning(line)
        loss, dev_loss, dev_accuracy = np.transpose(rows)
        return {"loss": loss[1:], "dev_loss": dev_loss, "dev_accuracy": dev_accuracy}

    def second(self, run: RunResult) -> Second:
        folder = self.others.get(run.how)

        def vector(origin: Tensor) -> Tensor:
            if folder:
                return theta_of(folder, len(self.data.labels), self.size) - origin
            # With the share of each layer that training gave it: elsewhere the loss would say nothing of this way.
            model = classifier(self.trained[run.how][-1], len(self.data.labels))[0]
            space, seed = ParameterSpace(model), self.seeds[0]
            return layer_normalised(random_direction(self.size, seed), space.read() - origin, space)

        def recipe() -> Recipe:
            if folder:
                return {"checkpoint": weights_checksum(folder)}
            return {"random": self.seeds[0], "like": "delta_1, layer by layer"}

        return Second(recipe, (), vector)


def check_given(task: Any, trained: Any, others: Any, loss: Any) -> None:
    """Refuse what is of another kind than asked for, and trainings of which no landscape can be drawn."""
    if not isinstance(task, Task):
        raise UserError(f"task must be a Task, such as read_task returns; got {task!r:.99}")
    if not isinstance(trained, Mapping) or not trained:
        raise UserError(
            f"no checkpoints: trained={{'pretrained': [start, end]}} names those of a fine-tuning; got {trained!r:.99}"
        )
    if not isinstance(others, Mapping):
        raise UserError(
            f"others={{'pretrained': folder}} names a checkpoint of each training; got {others!r:.99}"
        )
    if loss is not None and not callable(loss):
        raise UserError(f"loss must be a function of logits and labels; got {loss!r:.99}")
    for how, folders in trained.items():
        if isinstance(folders, str | Path) or len(folders) < 2:
            raise UserError(
                f"{how}: a direction needs two checkpoints or more, start and end; got {folders!r:.99}"
            )
    if others and set(others) != set(trained):
        raise UserError(
            f"others are given for {', '.join(others)}, trainings for {', '.join(trained)}: planes are compared where "
            "each has a direction of its own, or none has"
        )


def check_ends(trained: Mapping[str, Sequence[Path]], task: Task) -> tuple[int, bool]:
    """P of the classifiers that the trainings end at, and whether they have layer groups; refused if one has no head
    for the task."""
    for folders in trained.values():
        model, whole = classifier(folders[-1], len(task.labels))
        if not whole:
            raise UserError(
                f"{folders[-1]} holds no head for the {len(task.labels)} classes of {task.name!r}: the last checkpoint "
                "must be the trained classifier"
            )
    try:
        layered = bool(layer_groups(model))
    except UserError:
        layered = False
    return ParameterSpace(model).size, layered


def check_directions(
    trained: Mapping[str, Sequence[Path]], others: Mapping[str, Path], classes: int, size: int
) -> None:
    """Refuse a start and an end with one and the same encoder: there is no direction from the one to the other."""
    for how, (start, *_, end) in trained.items():
        origin = theta_of(start, classes, size)
        for folder in (end, others[how]) if how in others else (end,):
            if torch.equal(theta_of(folder, classes, size), origin):
                raise UserError(
                    f"the encoders in {start} and {folder} are equal, so no direction leads from one to the other: was "
                    "the encoder frozen, or is one folder a copy of the other?"
                )
