"""Checkpoints of one's own as a study: every landscape, rollback and claim that they can answer for."""

import logging
from collections.abc import Mapping, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor

from ..claims.claims import CLAIMS
from ..engine.losses import Loss, whole_number
from ..engine.objective import Measurement, Objective
from ..engine.space import ParameterSpace, layer_groups
from ..environment import NOTHING
from ..errors import UserError, one_of
from ..landscape.directions import normalised, random_direction
from ..names import GROUPS, HOWS, SPLITS, task_key
from ..profiles import load_profile
from ..profiles.profile import Profile, Training
from ..progress import bar
from ..store.store import Store
from ..training.checkpoints import Adopted, classifier, differing, evaluations, theta_of
from ..training.comparable import check_networks, check_reading
from ..training.models import folder_of, on_device, weights_checksum
from ..training.tasks import Task, sample_of, task_facts
from .kind import Arrays, Recipe, Second, Trainings
from .loss_name import name_of
from .run_result import RunResult
from .scan_results import DIRECTIONS, PARTNER, PCA, Map, MapResult
from .study import Study

logger = logging.getLogger(__name__)
OWN = "own"  # the folder of their results: a profile's hold its own trainings
SMALL = 1_000_000  # parameters: a network below is slower on two threads than on one
Folders = Mapping[str, Sequence[Path]]  # of the checkpoints of each training
HISTORY = 512  # examples of train on which the checkpoints' loss is measured
UNKNOWN = Measurement(*4 * (float("nan"),))


class OwnTrainings(Trainings):
    """Folders of checkpoints in the place of trainings; see `Checkpoints` for the arguments."""

    def __init__(
        self, task: Task, trained: Folders, others: Mapping[str, Path], seed: int, loss: Loss | None
    ):
        check_given(task, trained, others)
        self.data, self.loss = task, loss
        self.trained = {how: [folder_of(str(one)) for one in folders] for how, folders in trained.items()}
        self.others = {how: folder_of(str(one)) for how, one in others.items()}
        self.tasks, self.seeds = (task.name,), (seed,)
        self.ways = tuple(how for how in HOWS[::-1] if how in trained) or tuple(trained)
        self.main = HOWS[0] if HOWS[0] in trained else self.ways[0]
        self.size, self.layered = check_ends(self.trained, self.others, task)
        self.claims = self._claims()
        self.checksums = {how: list(map(weights_checksum, folders)) for how, folders in self.trained.items()}

    def on(self, profile: Profile, store: Store, device: str) -> Self:
        """These, whose history is measured on a device."""
        self.device = device
        return self

    def _claims(self) -> tuple[str, ...]:
        """A fine-tuning answers for its surfaces, the angle of its directions and its layers; with one from scratch
        beside it, the two are compared."""
        if HOWS[0] not in self.ways:
            return ()
        asked = {"smooth-fine-tuning", "surfaces-agree"}
        if len(self.trained[HOWS[0]]) > 2:
            asked |= {"first-direction"}
        asked |= {"orthogonal"} if self.others else set()
        asked |= {name for name in CLAIMS if self.layered and name.split("-")[0] in GROUPS}
        if HOWS[1] in self.ways:
            asked |= {"accuracy", "rough-scratch", "wider", "flatter", "error-surface"}
        return tuple(name for name in CLAIMS if name in asked)

    def known(self, task: str) -> str:
        return one_of("task", task_key(task), (self.data.name,))

    def task(self, name: str) -> Task:
        self.known(name)
        return self.data

    def ready(self, run: RunResult) -> None:
        """Refuse a checkpoint that is no longer the one that results are kept for."""
        if list(map(weights_checksum, self.trained[run.how])) != self.checksums[run.how]:
            raise UserError(f"a checkpoint of {run.how!r} has changed since it was read: make the study anew")

    def facts(self, name: str) -> dict[str, Any]:
        self.known(name)
        return self._facts

    @cached_property
    def _facts(self) -> dict[str, Any]:
        found = {fact: value.tolist() for fact, value in task_facts(self.data).items()}
        if self.loss:
            # on which it may hold weights of classes
            device = "cpu" if self.device == NOTHING else self.device
            labels = torch.tensor([example["labels"] for example in self.data.dev], device=device)
            equal = torch.zeros(len(labels), len(found["labels"]), device=device)
            found["guessing"] = float(self.loss(equal, labels).mean())
        return found

    def partner(self, task: str) -> str:
        return "another task" if self.others else "at random"

    def settings(self, run: RunResult) -> Training:
        raise UserError("checkpoints do not tell how they were trained")

    def schedule(self, run: RunResult) -> np.ndarray:
        raise UserError("checkpoints do not tell their learning rates")

    def recipe(self, run: RunResult) -> Recipe:
        """The weights by their checksums stand where a training's hyper-parameters would."""
        if run.learning_rate is not None:
            raise UserError(f"learning_rate = {run.learning_rate:g}: checkpoints are of one training each")
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
            if line := compared(folder, dev.loss, 1 - dev.error).difference:
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
            return normalised(random_direction(self.size, seed), space.read() - origin, space)

        def recipe() -> Recipe:
            if folder:
                return {"checkpoint": weights_checksum(folder)}
            return {"random": self.seeds[0], "like": "delta_1, layer by layer"}

        return Second(recipe, (), vector)


def check_given(task: Any, trained: Any, others: Any) -> None:
    """Refuse what is of another kind than asked for, and trainings of which no landscape can be drawn."""
    for value, kind, wanted in (
        (task, Task, "task must be a Task, such as read_task returns"),
        (trained, Mapping, "trained={'pretrained': [start, end]} names the checkpoints of a fine-tuning"),
        (others, Mapping, "others={'pretrained': folder} names a checkpoint of each training"),
    ):
        if not isinstance(value, kind):
            raise UserError(f"{wanted}; got {value!r:.99}")
    for i, example in enumerate((*task.train, *task.dev)):
        if whole_number(example["labels"]) not in range(len(task.labels)):
            raise UserError(
                f"example {i} of {task.name} has label {example['labels']!r:.60}: a study takes one class an example, "
                f"0 to {len(task.labels) - 1}; lu.Objective and lu.scan also take several labels, and numbers"
            )
    if not trained:
        raise UserError("no checkpoints: give those of a fine-tuning, trained={'pretrained': [start, end]}")
    for how, folders in trained.items():
        if isinstance(folders, str | Path) or len(folders) < 2:
            raise UserError(f"{how}: a direction needs two checkpoints or more; got {folders!r:.99}")
    named = set(trained) - set(HOWS)
    if named and named != set(trained):
        raise UserError(
            f"trainings are {', '.join(HOWS)} or have names of yours, not both; got {', '.join(map(str, trained))}"
        )
    if others and set(others) != set(trained):
        raise UserError(
            f"others are given for {', '.join(others)}, trainings for {', '.join(trained)}: planes are compared where "
            "each has a direction of its own, or none has"
        )


def check_ends(trained: Folders, others: Mapping[str, Path], task: Task) -> tuple[int, bool]:
    """P, and whether the encoder has layer groups.

    Refused are an end without a head for the task, unlike networks, and a start and an end with one and the same
    encoder: there is no direction from the one to the other.
    """
    size, classes = 0, len(task.labels)
    check_networks([*chain(*trained.values()), *others.values()])
    check_reading(trained)
    for how, (start, *_, end) in trained.items():
        model, whole = classifier(end, classes)
        if not whole:
            raise UserError(
                f"{end} holds no head for the {classes} classes of {task.name!r}: the last checkpoint must be the "
                "trained classifier"
            )
        size = size or ParameterSpace(model).size
        origin = theta_of(start, classes, size)
        for folder in (end, others[how]) if others else (end,):
            if torch.equal(theta_of(folder, classes, size), origin):
                raise UserError(
                    f"the encoders in {start} and {folder} are equal, so no direction leads from one to the other: was "
                    "the encoder frozen, or is one folder a copy of the other?"
                )
    try:
        return size, bool(layer_groups(model))
    except UserError:
        return size, False


class Compared(NamedTuple):
    """A checkpoint's dev loss and accuracy, by a Trainer and by us, and the line that says so where they differ."""

    checkpoint: str
    theirs: Mapping[str, float]
    here: Mapping[str, float]
    difference: str


def compared(folder: Path, loss: float, accuracy: float) -> Compared:
    theirs, here = evaluations(folder), {"loss": float(loss), "accuracy": float(accuracy)}
    return Compared(folder.name, theirs, here, differing(folder.name, theirs, here))


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
        trained: Folders,
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
        run = self.run(self.tasks[0], how)
        found = map(compared, self.folders[how], run.dev_loss, run.dev_accuracy)
        return [one for one in found if one.theirs]
