"""Checkpoints of one's own as a study: every landscape, rollback and claim that they can answer for.

A `Study` trains what its profile says. Here the trainings are done, elsewhere and by whatever means; the rest is the
same code: directions, scans, projections, rollback, the store. The second direction leads to a checkpoint of another
task that began at the same start (section 3.2), or it is a random one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from ..engine.objective import Measurement, Objective
from ..engine.space import ParameterSpace, Plane, layer_groups
from ..errors import UserError
from ..names import HOWS, one_of, task_key
from ..profiles import Profile, load_profile
from ..progress import bar
from ..training.checkpoints import Adopted, classifier, theta_of
from ..training.models import on_device, weights_checksum
from ..training.tasks import Task, sample_of, task_facts
from .keys import Key, Keys, Recipe
from .study import Study

if TYPE_CHECKING:
    from ..claims.evidence import Claim

OWN = "own"  # the folder of their results: a profile's hold its own trainings
SMALL = 1_000_000  # parameters: a network below is slower on two threads than on one
HISTORY = 512  # examples of train on which the checkpoints' loss is measured
UNKNOWN = Measurement(*4 * (float("nan"),))


class CheckpointKeys(Keys):
    """Keys of results on checkpoints: their weights by checksum stand where a training's recipe would.

    Args:
        task: its name; `data`: checksum of its examples.
        trained: way of training -> the checksums of its checkpoints; `others`: -> that of the other task's.
    """

    def __init__(
        self,
        profile: Profile,
        seed: int,
        task: str,
        data: str,
        trained: Mapping[str, Sequence[str]],
        others: Mapping[str, str],
    ):
        super().__init__(profile, seed, lambda name: data, str)
        self.task, self.trained, self.others = task, trained, others

    def known(self, task: str) -> str:
        one_of("task", name := task_key(task), (self.task,))
        return name

    def run(
        self,
        task: str,
        how: str = "pretrained",
        seed: int | None = None,
        learning_rate: float | None = None,
    ) -> Key:
        name = self.known(task)
        one_of("way to train", how, tuple(self.trained))
        if learning_rate is not None:
            raise UserError(f"learning_rate = {learning_rate:g}: checkpoints are of one training each way")
        recipe = {
            "task": name,
            "how": how,
            "seed": 0,
            "data": self.data(name),
            "checkpoints": list(self.trained[how]),
        }
        return "runs", f"{name}-{how}-checkpoints", recipe

    def _plane(self, task: str, how: str) -> Recipe:
        return {"run": self.run(task, how)[2], "other": self.others.get(how) or {"random": self.seed}}


class Checkpoints(Study):
    """A study of trainings that were done elsewhere: its methods are those of `Study`, of one task.

    Args:
        task: see `checkpoints.read_task`.
        trained: way of training, "pretrained" and perhaps "scratch" -> folders of checkpoints, the start first, the end
            last: see `checkpoints.in_order`.
        others: way of training -> the folder of a checkpoint from the same start, trained on another task, for the
            second direction; where there is none, it is drawn at random.
        profile: whose grid, sample and precision to take; `seed` is of random directions, the others as for `Study`.
            The results are in `results_dir/own`.

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
        resolution: int = 0,
        span: float = 0.0,
        examples: int = 0,
        results_dir: str | Path = "results",
        device: str = "auto",
    ):
        super().__init__(
            load_profile(profile).model_copy(update={"name": OWN, "data_dir": ""}),
            seed=seed,
            resolution=resolution,
            span=span,
            examples=examples,
            results_dir=results_dir,
            device=device,
        )
        self.trained, self.others = trained, others or {}
        check_ways(self.trained, self.others)
        for folders in trained.values():
            self.size, self.layered = check_end(folders[-1], task)
        self.profile = self.profile.model_copy(update={"side_by_side": self.size < SMALL})
        self.tasks, self.seeds = (task.name,), (seed,)
        self.ways = tuple(how for how in self.ways if how in trained)
        self._tasks = {task.name: task}
        self._facts = {task.name: {name: value.tolist() for name, value in task_facts(task).items()}}
        self.keys = CheckpointKeys(
            self.profile,
            seed,
            task.name,
            task.checksum,
            {how: [weights_checksum(folder) for folder in folders] for how, folders in trained.items()},
            {how: weights_checksum(folder) for how, folder in self.others.items()},
        )

    def run(
        self,
        task: str,
        how: str = "pretrained",
        seed: int | None = None,
        learning_rate: float | None = None,
    ) -> Adopted:
        """The checkpoints as a run; its history, measured on them, is kept in the store."""
        key, folders = self.keys.run(task, how, seed, learning_rate), tuple(self.trained[how])
        facts = self.facts(task)
        arrays = self._computed(key, lambda journal: self._history(self.task(task), folders))
        return Adopted(
            task=key[2]["task"],
            how=how,
            seed=0,
            folder=folders[-1],
            epochs=len(folders) - 1,
            step=np.arange(1, len(folders)),
            epoch_of_step=np.arange(1.0, len(folders)),
            seconds=0.0,
            majority=facts["majority"],
            checkpoints=folders,
            classes=len(facts["labels"]),
            size=self.size,
            **arrays,
        )

    def _history(self, task: Task, folders: Sequence[Path]) -> dict[str, np.ndarray]:
        """Loss on a sample of train, loss and accuracy on dev, of each checkpoint; NaN where it has no head."""
        sample = sample_of(task.train, HISTORY)
        rows = []
        for folder in bar(folders, what="checkpoints"):
            model, whole = classifier(folder, len(task.labels))
            there = on_device(model, self.device)
            train, dev = (
                Objective(there, examples)() if whole else UNKNOWN for examples in (sample, task.dev)
            )
            rows.append((train.loss, dev.loss, 1 - dev.error))
        loss, dev_loss, dev_accuracy = np.transpose(rows)
        return {"loss": loss[1:], "dev_loss": dev_loss, "dev_accuracy": dev_accuracy}

    def snapshots(
        self,
        task: str,
        how: str = "pretrained",
        seed: int | None = None,
        learning_rate: float | None = None,
    ) -> Adopted:
        return self.run(task, how, seed, learning_rate)

    def plane(self, task: str, how: str = "pretrained") -> Plane:
        run = self.run(task, how)
        origin = run.theta(0)
        if how in self.others:
            y = theta_of(self.others[how], run.classes, self.size) - origin
        else:
            y = torch.randn(self.size, generator=torch.Generator().manual_seed(self.seed))
        return Plane(origin, run.theta() - origin, y)

    def partner(self, task: str) -> str:
        return "another task" if self.others else "at random"

    def compute(self, *what: str, workers: int | None = None) -> None:
        raise UserError(
            "a study of checkpoints computes what it is asked for: a curve, a surface, a rollback, ..."
        )

    def claims(self) -> list[Claim]:
        """The claims that these checkpoints can answer for.

        One training answers for the agreement of its surfaces, the angle of its directions and its layers; with a
        training from scratch beside it, the two are compared by their accuracy, curves, surfaces and paths.
        """
        from ..claims.claims import CLAIMS, weigh

        asked = ["surfaces-agree"]
        asked += ["orthogonal-directions"] if self.others else []
        asked += ["low-layers"] if self.layered else []
        if len(self.ways) == 2:
            asked += ["better-accuracy", "smooth-path", "flatter-curve", "wider-optimum"]
            asked += ["straighter-path"] if min(map(len, self.trained.values())) > 2 else []
        return weigh(self, *(name for name in CLAIMS if name.startswith(tuple(asked))))


def check_ways(trained: Mapping[str, Sequence[Path]], others: Mapping[str, Path]) -> None:
    """Refuse ways of training that are not known, and those of which no landscape can be drawn."""
    for how in (*trained, *others):
        one_of("way to train", how, HOWS)
    if "pretrained" not in trained:
        raise UserError(
            "the checkpoints of the fine-tuned training are needed: trained={'pretrained': [start, end]}"
        )
    for how, folders in trained.items():
        if len(folders) < 2:
            raise UserError(
                f"{how}: a direction needs two checkpoints or more, start and end; got {[str(f) for f in folders]}"
            )
    if others and set(others) != set(trained):
        raise UserError(
            f"others are given for {', '.join(others)}, trainings for {', '.join(trained)}: planes are compared where "
            "each has a direction of its own, or none has"
        )


def check_end(folder: Path, task: Task) -> tuple[int, bool]:
    """P of the classifier in a folder, and whether it has layer groups; refused if it has no head for the task."""
    model, whole = classifier(folder, len(task.labels))
    if not whole:
        raise UserError(
            f"{folder} holds no head for the {len(task.labels)} classes of {task.name!r}: the last checkpoint must be "
            "the trained classifier"
        )
    try:
        layered = bool(layer_groups(model))
    except UserError:
        layered = False
    return ParameterSpace(model).size, layered
