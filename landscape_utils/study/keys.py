"""Keys: what each result of a study is, written out, by which the store finds it.

A recipe holds what changes the numbers and nothing else: the data and the model by their checksums, hyper-parameters,
seeds, grid, sample, precision. A surface's recipe holds those of the runs that span its plane.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..errors import UserError
from ..landscape.rollback import AXIS
from ..names import CONTINUED, GROUPS, HOWS, METHODS, one_of, task_key
from ..profiles import Profile, Training
from ..training.tasks import SAMPLE_SEED

DRAWS = 100  # of the bootstrap: its 95 % interval then has two or three draws outside on each side

Recipe = dict[str, Any]
Key = tuple[str, str, Recipe]  # kind, name, recipe


class Keys:
    """The keys of a study's results; each method has the name and the arguments of the study's own.

    Args:
        profile, seed: of the study.
        data: task -> checksum of its examples.
        model: -> checksum of the model; a function, as it may have to read a file.
    """

    def __init__(self, profile: Profile, seed: int, data: Callable[[str], str], model: Callable[[], str]):
        self.profile, self.seed, self.data, self.model = profile, seed, data, model

    def known(self, task: str) -> str:
        """The profile's name of a task. Raises UserError for one that it has not."""
        name = task_key(task)
        if name not in self.profile.tasks:
            raise UserError(
                f"unknown task {task!r}; profile {self.profile.name!r} has {', '.join(self.profile.tasks)}"
            )
        return name

    def settings(self, task: str, how: str) -> Training:
        """Epochs, learning rate and batch size of a run."""
        spec = self.profile.tasks[task]
        if how == CONTINUED:
            return spec.pretrained.model_copy(update={"epochs": self.profile.overfitting.extra_epochs})
        return getattr(spec, how)

    def run(
        self,
        task: str,
        how: str = "pretrained",
        seed: int | None = None,
        learning_rate: float | None = None,
    ) -> Key:
        task, seed = self.known(task), self.seed if seed is None else seed
        one_of("way to train", how, (*HOWS, CONTINUED))
        recipe = {
            "task": task,
            "how": how,
            "seed": seed,
            "data": self.data(task),
            "model": self.model(),
            **self.settings(task, how).model_dump(),
            **self.profile.training.model_dump(),
        }
        if learning_rate is not None:
            recipe["learning_rate"] = learning_rate
        if how == CONTINUED:
            recipe["after"] = self.run(task, "pretrained", seed)[2]
        return "runs", f"{task}-{how}-{seed}", recipe

    def curve(self, task: str, how: str = "pretrained") -> Key:
        run = self.run(task, how)[2]
        return (
            "curves",
            f"{run['task']}-{how}",
            {"run": run, **self._scan(self.profile.grid.curve_resolution)},
        )

    def surface(self, task: str, how: str = "pretrained") -> Key:
        recipe = self._plane(task, how) | self._scan(self.profile.grid.resolution)
        return "surfaces", f"{recipe['run']['task']}-{how}", recipe

    def layer_surface(self, task: str, group: str) -> Key:
        one_of("layer group", group, GROUPS)
        recipe = self._plane(task, "pretrained") | self._scan(self.profile.grid.resolution) | {"group": group}
        return "layers", f"{recipe['run']['task']}-{group}", recipe

    def rollback(self, task: str, learning_rate: float | None = None) -> Key:
        run = self.run(task, learning_rate=learning_rate)[2]
        return "rollbacks", self.known(task), {"run": run, "examples": "dev, all", "moved": "each group"}

    def cube(self, task: str) -> Key:
        sample = {"dev": self.profile.sample.dev, "seed": SAMPLE_SEED}
        return "cubes", self.known(task), {"run": self.run(task)[2], "axis": AXIS.tolist(), "sample": sample}

    def trajectory(self, task: str, how: str = "pretrained", method: str = "plane") -> Key:
        return self._legs(task, (how,), method)

    def overfitting(self, method: str = "plane") -> Key:
        return self._legs(self.profile.overfitting.task, ("pretrained", CONTINUED), method)

    def _legs(self, task: str, legs: Sequence[str], method: str) -> Key:
        one_of("method", method, METHODS)
        recipe = self._plane(task, legs[0])
        recipe |= {"legs": [self.run(task, leg)[2] for leg in legs], "method": method}
        return "trajectories", "-".join((recipe["run"]["task"], *legs, method)), recipe

    def _plane(self, task: str, how: str) -> Recipe:
        run = self.run(task, how)[2]
        return {"run": run, "other": self.run(self.profile.tasks[run["task"]].other, how)[2]}

    def _scan(self, resolution: int) -> Recipe:
        return {
            "resolution": resolution,
            "span": self.profile.grid.span,
            "sample": {**self.profile.sample.model_dump(), "seed": SAMPLE_SEED},
            "precision": self.profile.precision,
            "draws": DRAWS,
        }
