"""Runs: a profile's data, models and trainings, bound to a store. What a study stands on.

Where a result is in the store, neither the data set nor the model is needed to read it again, unless the user names a
folder of data, which is then read and compared. On device "none" nothing is computed, fetched or written at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..engine.cluster import apart, device_names, join
from ..environment import NOTHING, check_device, data_folder, device_name, one_thread, project_folder
from ..errors import Lacking, UserError
from ..names import CONTINUED, display_name
from ..profiles import Profile, Training, load_profile
from ..store.result_file import plain_values
from ..store.store import Store
from ..training import hub
from ..training.finetune import Run, fine_tune, load_run
from ..training.models import build_model, load_tokenizer, model_checksum
from ..training.tasks import Example, Task, load_task, sample_of, task_facts
from .keys import Key, Keys, Recipe

if TYPE_CHECKING:
    from distributed import Client


class Runs:
    """The tasks and trainings of a profile, and their place in the results; arguments and errors: see `Study`."""

    def __init__(
        self,
        profile: str | Path | Profile = "demo",
        *,
        tasks: str | Sequence[str] = "all",
        seed: int | None = None,
        resolution: int = 0,
        span: float = 0.0,
        examples: int = 0,
        data_dir: str | Path = "",
        results_dir: str | Path = "results",
        device: str = "auto",
        client: Client | None = None,
    ):
        base = load_profile(profile)
        self.profile = load_profile(
            base,
            tasks=tasks,
            seed=None if type(seed) is int and seed in base.seeds else seed,
            resolution=resolution,
            span=span,
            examples=examples,
            data_dir=data_folder(data_dir or base.data_dir),
        )
        self.tasks = tuple(self.profile.chosen)
        self.seeds = tuple(self.profile.seeds)
        self.seed = self.seeds[0] if seed is None else seed
        self.store = Store(project_folder(results_dir) / self.profile.name, read_only=device == NOTHING)
        self.client = client
        self.device = check_device(device) if client is None else join(client, device, self.store.folder)
        self.keys = Keys(self.profile, self.seed, self._data, self._model)
        self._tasks: dict[str, Task] = {}
        self._facts: dict[str, dict[str, Any]] = {}
        if self.profile.data_dir:  # a folder that lacks a task is found out now, not after an hour
            for name in self.tasks:
                self.task(name)
            for name in self.tasks:
                self._lending(name)

    def _lending(self, name: str) -> None:
        """Read the task that lends a chosen one its second direction; refused, with the reason, if it is not there."""
        other = self.profile.tasks[name].other
        try:
            self.task(other)
        except UserError as error:
            lender, borrower = display_name(other), display_name(name)
            raise UserError(
                f"{error}; {lender} is wanted because it lends {borrower} its second direction: put it there too, or "
                f"name another task as tasks.{name}.other in a profile of your own"
            ) from None

    def __getstate__(self) -> dict[str, Any]:
        """What goes to another process, which computes by itself."""
        return self.__dict__ | {"client": None}

    # Data and models

    def task(self, name: str) -> Task:
        """The tokenised task.

        Raises:
            UserError: data that are not at hand, or not those that the results here were found by.
        """
        name = self.keys.known(name)
        if name not in self._tasks:
            with hub.left_alone() if self.store.read_only else nullcontext():
                task = load_task(
                    name,
                    self.profile.tasks[name],
                    load_tokenizer(self.profile.model, self._cache),
                    max_length=self.profile.model.max_length,
                    data_dir=self.profile.data_dir or None,
                )
            if self._facts.get(name, {}).get("checksum", task.checksum) != task.checksum:
                raise UserError(
                    f"the results in {self.store.folder} are of other data of {display_name(name)} than the hub's: "
                    f"give data_dir, the folder of those data, or another results_dir"
                )
            self._tasks[name] = task
        return self._tasks[name]

    def facts(self, name: str) -> dict[str, Any]:
        """What is known of a task without its data: checksum, labels, how many examples and tokens, majority share.

        Kept in the store, so that results can be read where the data set is not. A folder of data is always read. Where
        none is given and the results are of one data set of this task, model and limit, it is that one.
        """
        name = self.keys.known(name)
        if name not in self._facts:
            spec = self.profile.tasks[name]
            of: Recipe = spec.model_dump(include={"source", "train_limit"})
            of |= {"model": self._model(), "max_length": self.profile.model.max_length}
            elsewhere = spec.source == "glue" and not self.profile.data_dir and name not in self._tasks
            arrays = (self._kept_facts(name, of) if elsewhere else None) or self._read_facts(name, of)
            self._facts[name] = {key: value.tolist() for key, value in arrays.items()}
        return self._facts[name]

    def _kept_facts(self, name: str, of: Recipe) -> dict[str, np.ndarray] | None:
        """The facts of the one data set that the results are of; None if there is none, or several to choose from."""
        kept = {str(found.arrays["checksum"]): found.arrays for found in self.store.find("tasks", name, of)}
        if len(kept) == 1:
            return next(iter(kept.values()))
        if self.store.read_only:
            task, several = (
                display_name(name),
                f"{len(kept)} data sets: give data_dir, the folder of the one meant",
            )
            raise Lacking(
                f"{self.store.folder} has results of {task} of {several if kept else 'no data set'}"
            )
        return None

    def _read_facts(self, name: str, of: Recipe) -> dict[str, np.ndarray]:
        """The facts of the data as they are read now."""
        task = self.task(name)
        if self.store.read_only:
            return task_facts(task)
        recipe = {**of, "checksum": task.checksum}
        return self.store.compute("tasks", name, recipe, lambda journal: task_facts(task)).arrays

    def sample(self, name: str, split: str) -> list[Example]:
        """The examples of a split that a landscape is computed on: the same ones, in the same order, every time."""
        return sample_of(getattr(self.task(name), split), getattr(self.profile.sample, split))

    def _data(self, task: str) -> str:
        return self.facts(task)["checksum"]

    def _model(self) -> str:
        return self._checksum

    @cached_property
    def _checksum(self) -> str:
        return model_checksum(self.profile.model, self._cache)

    @property
    def _cache(self) -> Path:
        return self.store.folder / "models"

    @property
    def layer_tasks(self) -> tuple[str, ...]:
        """Figure 7's tasks among the chosen ones; all the chosen ones if none of them is."""
        return tuple(task for task in self.tasks if task in self.profile.layers.tasks) or self.tasks

    # Runs

    def run(
        self,
        task: str,
        how: str = "pretrained",
        seed: int | None = None,
        learning_rate: float | None = None,
    ) -> Run:
        """The training of a task: "pretrained" (fine-tuned), "scratch", or "continued" (Figure 4's further epochs).

        `learning_rate`: another one than the profile chose; see `tried`. The history is in the store; the snapshots lie
        beside it, and are made again if they are gone and needed.
        """
        key = self.keys.run(task, how, seed, learning_rate)
        folder = self.store.folder_for(*key)

        def history() -> dict[str, np.ndarray]:
            if how == CONTINUED:
                self.snapshots(task, "pretrained", key[2]["seed"])
            run = load_run(folder) or self._apart("train", key)
            return {f.name: np.asarray(getattr(run, f.name)) for f in fields(Run) if f.name != "folder"}

        arrays = self._computed(key, lambda journal: history())
        return Run(folder=folder, **plain_values(arrays))

    def tried(self, task: str) -> dict[float, Run]:
        """Fine-tuning at every learning rate that the profile names, the lowest first: what the dev set chose from."""
        return {rate: self.run(task, learning_rate=rate) for rate in self.learning_rates(task)}

    def learning_rates(self, task: str) -> list[float]:
        """All that the profile names for fine-tuning on a task, the lowest first."""
        spec = self.profile.tasks[self.keys.known(task)]
        return sorted({spec.pretrained.learning_rate, *spec.tried})

    def snapshots(
        self,
        task: str,
        how: str = "pretrained",
        seed: int | None = None,
        learning_rate: float | None = None,
    ) -> Run:
        """The run with its snapshots on disk: trained again if they are gone."""
        run = self.run(task, how, seed, learning_rate)
        if self.store.read_only:
            raise Lacking(
                f"device {NOTHING!r} reads results alone, and no model: snapshots of {run.folder.name}"
            )
        with self.store.lock(run.folder), self._threads():
            return load_run(run.folder) or self._apart("train", self.keys.run(task, how, seed, learning_rate))

    def train(self, key: Key) -> Run:
        """The run of this key, trained here into its folder; nothing goes into the store."""
        recipe, folder = key[2], self.store.folder_for(*key)
        with self.store.lock(folder / "training"):  # a worker may still be at it for a client that was killed
            return load_run(folder) or self._train(recipe, folder)

    def _train(self, recipe: Mapping[str, Any], folder: Path) -> Run:
        name, how, seed = recipe["task"], recipe["how"], recipe["seed"]
        task = self.task(name)
        if how == CONTINUED:
            model = self.snapshots(name, "pretrained", seed).model()
        else:
            model = build_model(self.profile.model, len(task.labels), how, seed, self._cache)
        return fine_tune(
            model,
            task,
            folder=folder,
            how=how,
            seed=seed,
            training=self.profile.training,
            device=self.device,
            **{setting: recipe[setting] for setting in Training.model_fields},
        )

    # Computing and keeping

    def _computed(
        self, key: Key, function: Callable[[Any], Mapping[str, np.ndarray]]
    ) -> dict[str, np.ndarray]:
        with self._threads():
            device = device_names(self.client, self.device) if self.client else device_name(self.device)
            return self.store.compute(*key, function, device=device).arrays

    def _apart(self, method: str, *arguments: Any) -> Any:
        """What a method returns, called at one of the client's workers, or here if there is no client."""
        if self.client is None:
            return getattr(self, method)(*arguments)
        ((_, result),) = apart(self.client, self, [(method, method, arguments)])
        return result

    def _threads(self) -> AbstractContextManager[None]:
        return one_thread() if self.profile.side_by_side else nullcontext()
