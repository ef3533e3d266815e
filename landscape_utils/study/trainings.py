"""The trainings of a profile: its data, its model, and the runs that are trained as it says.

Where a result is in the store, neither the data set nor the model is needed to read it again, unless the user names a
folder of data, which is then read and compared. On device "none" nothing is computed, fetched or written at all.
"""

import logging
import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from ..environment import NOTHING
from ..errors import Lacking, UserError, one_of
from ..names import CONTINUED, HOWS, display_name, task_key
from ..profiles.profile import Profile, Training
from ..store.files import full_disk_told
from ..store.result_file import plain_values
from ..store.store import Store
from ..training import hub
from ..training.finetune import HISTORY, Run, fine_tune, load_run
from ..training.models import (
    PUBLISHED,
    build_model,
    load_tokenizer,
    locate,
    model_checksum,
    on_device,
    tokenizer_checksum,
)
from ..training.sentence_vectors import accuracy_of_cosine
from ..training.sources import PAIRED
from ..training.tasks import Task, load_task, task_facts
from .kind import Arrays, Recipe, Second, Trainings
from .run_result import RunResult

logger = logging.getLogger(__name__)
# To what the dev losses of two trainings agree that are one but for rounding; another machine may make them two.
SAME = 1e-3


def cache_of(store: Store) -> Path:
    """Where a study keeps the models that are made or unpacked for it."""
    return store.folder / "models"


class ProfileTrainings(Trainings):
    """The tasks and trainings of a profile; see `Trainings` for what each method is asked."""

    ways: tuple[str, ...] = HOWS[::-1]  # from scratch on the left, as in the paper's figures
    main = HOWS[0]

    def __init__(self, profile: Profile, store: Store, device: str):
        self.profile, self.store, self.device = profile, store, device
        self._cache = cache_of(store)
        self.tasks, self.seeds = tuple(profile.chosen), tuple(profile.seeds)
        self.extra_seeds, self.overfitted = tuple(profile.extra_seeds), profile.overfitting.task
        self._tasks: dict[str, Task] = {}
        self._facts: dict[str, dict[str, Any]] = {}
        self._warned: set[str] = set()
        if profile.data_dir:  # a folder that lacks a task is found out now, not after an hour
            for name in profile.chosen:
                self.task(name)
                try:
                    self.task(self.partner(name))
                except UserError as error:
                    raise UserError(
                        f"{error}; {display_name(name)} needs its direction, or another `other`"
                    ) from None

    def known(self, task: str) -> str:
        return one_of("task", task_key(task), tuple(self.profile.tasks))

    # Data

    def task(self, name: str) -> Task:
        name = self.known(name)
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
                    f"the results in {self.store.folder} were computed on other data of {display_name(name)} "
                    f"than the hub has: give data_dir, the folder of those data, or another results_dir"
                )
            self._tasks[name] = task
        return self._tasks[name]

    def facts(self, name: str) -> dict[str, Any]:
        """See `task_facts`. They are kept in the store, so that results can be read where the data set is not: where no
        folder of data is given, and the results are of one data set of this task, model and limit, it is that one.
        """
        name = self.known(name)
        if name not in self._facts:
            spec = self.profile.tasks[name]
            of: Recipe = spec.model_dump(include={"source", "train_limit"})
            of |= self.encoder | self._tokenizer
            elsewhere = spec.source == "glue" and not self.profile.data_dir and name not in self._tasks
            arrays = self._kept_facts(name, of) if elsewhere else None
            if arrays is None:
                arrays = found = task_facts(self.task(name))
                if not self.store.read_only:
                    recipe = {**of, "checksum": self.task(name).checksum}
                    self.store.compute("tasks", name, recipe, lambda journal: found)
            self._facts[name] = {key: value.tolist() for key, value in arrays.items()}
        return self._facts[name]

    def _kept_facts(self, name: str, of: Recipe) -> dict[str, np.ndarray] | None:
        """Those of the one data set that the results are of; None if there is none, or several to choose from."""
        kept = {str(found.arrays["checksum"]): found.arrays for found in self.store.find("tasks", name, of)}
        if len(kept) == 1:
            return next(iter(kept.values()))
        if self.store.read_only:
            raise Lacking(
                f"{self.store.folder} has results of {display_name(name)} of {len(kept) or 'no'} data sets: give "
                f"data_dir, the folder of the one meant"
            )
        return None

    @cached_property
    def _checksum(self) -> str:
        with self._left_alone():
            return model_checksum(self.profile.model, self._cache)

    @cached_property
    def _tokenizer(self) -> Recipe:
        """What tells the tokenizer of a model that the package does not know from another: the tokens are its work."""
        model = self.profile.model
        if model.source == "demo" or model.source in PUBLISHED:
            return {}
        with self._left_alone():
            return {"tokenizer": tokenizer_checksum(locate(model, self._cache))}

    def _left_alone(self) -> AbstractContextManager[None]:
        """Where results are read alone, the hub is asked for nothing."""
        return hub.left_alone() if self.store.read_only else nullcontext()

    @property
    def encoder(self) -> Recipe:
        model = self.profile.model
        drawn = {"seed": self.seeds[0]} if model.fresh else {}  # by which modules are drawn anew
        return {"model": self._checksum, "max_length": model.max_length, **drawn}

    def partner(self, task: str) -> str:
        return self.profile.tasks[self.known(task)].other

    def generated(self, task: str) -> bool:
        return self.profile.tasks[task].source == "demo"

    def similarity(self, task: str) -> Callable[[], float] | None:
        spec, model = self.profile.tasks[task], self.profile.model

        def accuracy() -> float:
            classifier = build_model(model, 2, HOWS[0], self.seeds[0], self._cache).eval()
            tokenizer = load_tokenizer(model, self._cache)
            encoder = on_device(classifier, self.device).base_model
            return accuracy_of_cosine(encoder, tokenizer, self.task(task), model.max_length)

        return accuracy if spec.files is None and task in PAIRED else None

    # Trainings

    def tried(self, task: str) -> list[float]:
        return self.profile.tasks[task].tried

    def settings(self, run: RunResult) -> Training:
        spec = self.profile.tasks[self.known(run.task)]
        if run.how == CONTINUED:
            if run.learning_rate is not None:
                raise UserError(
                    f"learning_rate = {run.learning_rate:g}: further epochs have that of the fine-tuning"
                )
            return spec.pretrained.model_copy(update={"epochs": self.profile.overfitting.extra_epochs})
        chosen: Training = getattr(spec, one_of("way to train", run.how, (*HOWS, CONTINUED)))
        return chosen.model_copy(update={"learning_rate": run.learning_rate or chosen.learning_rate})

    def schedule(self, run: RunResult) -> np.ndarray:
        """By the Trainer's linear warm-up and decay."""
        settings = self.settings(run)
        steps = settings.epochs * math.ceil(self.facts(run.task)["train_examples"] / settings.batch_size)
        warmup, step = math.ceil(self.profile.training.warmup * steps), np.arange(steps)
        rising, falling = step / max(warmup, 1), (steps - step) / max(steps - warmup, 1)
        return settings.learning_rate * np.where(step < warmup, rising, falling)

    def recipe(self, run: RunResult) -> Recipe:
        known = {"data": self.facts(run.task)["checksum"], "model": self._checksum}
        recipe = asdict(run) | known | self.settings(run).model_dump() | self.profile.training.model_dump()
        for before in self.needs(run):
            recipe["after"] = self.recipe(before)
        return recipe

    def needs(self, run: RunResult) -> tuple[RunResult, ...]:
        """Further epochs need the training that they go on from."""
        return (RunResult(run.task, HOWS[0], run.seed),) if run.how == CONTINUED else ()

    def folder(self, run: RunResult) -> Path:
        return self.store.folder_for(run.folder, run.name, self.recipe(run))

    def run(self, run: RunResult, history: Arrays) -> Run:
        return Run(folder=self.folder(run), **plain_values(history))

    def history(self, run: RunResult) -> Arrays:
        return self.ready(run).history()

    def ready(self, run: RunResult) -> Run:
        """The training with its snapshots on disk: trained again, if they are not there. On another machine that may be
        another training than the stored one; a warning then says so."""
        if self.store.read_only:
            raise Lacking(
                f"device {NOTHING!r} reads results alone, and the snapshots of {run.name} are no result: "
                "choose another device"
            )
        folder = self.folder(run)
        if (found := self._kept(run, folder)) is None:
            # somebody may be at it: a worker, perhaps of a client that was killed
            with self.store.lock(folder):
                found = self._kept(run, folder) or self._train(run, folder)
        stored = None if run.name in self._warned else self.store.load(run.folder, run.name, self.recipe(run))
        if stored and not np.allclose(found.dev_loss, stored.arrays["dev_loss"], rtol=SAME, equal_nan=True):
            self._warned.add(run.name)
            logger.warning(
                f"{run.name} was trained again because its snapshots were gone, and is not the training that the "
                "stored results are of: choose a results_dir of your own, and all results are of one training"
            )
        return found

    def _kept(self, run: RunResult, folder: Path) -> Run | None:
        """The training in its folder, unless somebody moved another one there."""
        found = load_run(folder)
        same = found and (found.task, found.how, found.seed) == (run.task, run.how, run.seed)
        return found if same else None

    def _train(self, run: RunResult, folder: Path) -> Run:
        task = self.task(run.task)
        if (folder / HISTORY).exists():
            logger.warning("%s is not what was saved: %s is trained anew", folder, run.name)
        before, start = [self.ready(need) for need in self.needs(run)], (run.how, run.seed, self._cache)
        model = before[0].model() if before else build_model(self.profile.model, len(task.labels), *start)
        with full_disk_told(folder / HISTORY):
            return fine_tune(
                model,
                task,
                folder=folder,
                how=run.how,
                seed=run.seed,
                training=self.profile.training,
                device=self.device,
                **self.settings(run).model_dump(),
            )

    def second(self, run: RunResult) -> Second:
        """What training on the partner did, from the same theta_0 (section 3.2)."""
        if run.how == CONTINUED:
            raise UserError(
                "further epochs have no plane of their own: no training on another task starts where they do; "
                "overfitting() shows them in the plane of the fine-tuning"
            )
        other = RunResult(self.partner(run.task), run.how, run.seed)

        def vector(origin: Tensor) -> Tensor:
            trained = self.ready(other)
            if not origin.equal(trained.theta(0)):
                raise RuntimeError(f"{run.name} and {other.name} do not start from the same theta_0")
            return trained.theta() - origin

        return Second(partial(self.recipe, other), (other,), vector)
