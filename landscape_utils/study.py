"""Study: a profile bound to a results store. A notebook asks it for a result; it is loaded, or else computed and kept.

    profile -> task, model -> run -> directions -> plane -> scan -> surface

Every result has a recipe: what changes its numbers and nothing else. Where a result is in the store, neither the data
set nor the model is needed to read it again, unless the user names a folder of data, which is then read and compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from .cluster import apart, device_names, join
from .finetune import Run, epochs_of, fine_tune, load_run
from .jobs import Job, plan_jobs, run_jobs, usual_workers
from .keys import CONTINUED, SAMPLE_SEED, Key, Keys, one_of
from .landscape import Curve, Line, Plane, Surface, scan
from .models import build_model, load_tokenizer, model_checksum
from .objective import TOKENS_PER_BATCH, Example, Objective
from .parameters import ParameterSpace, layer_groups
from .places import check_device, data_folder, device_name, project_folder
from .profiles import Profile, load_profile
from .result_file import plain_values
from .rollback import LAYER_MARKS, Rollback, roll_back
from .store import Store
from .tasks import Task, load_task, task_facts
from .trajectory import Trajectory, project

if TYPE_CHECKING:
    from distributed import Client

    from .weighing import Claim

SPLITS = ("train", "dev")


class Study:
    """A profile bound to the results in `results_dir/<profile>`.

    Args:
        profile: the name of a built-in profile, the path of a TOML file, or a Profile.
        tasks: "all", or names separated by commas.
        seed: of the runs whose landscapes are looked at; None: the profile's first. Means are over `seeds`, the
            profile's, or over this one alone if it is none of them.
        resolution, span, examples: of the grid and the sample; 0: as the profile says.
        data_dir: a folder in the GLUE layout; empty: the hub.
        results_dir: absolute, or in the project.
        device: "auto", "cpu", "cuda" or one of several, "cuda:1"; with a client, of its workers.
        client: of `dask.distributed`: its workers train, each a run, and visit the points of the scans. They and this
            side must share `results_dir`; this side alone writes results.

    Raises:
        UserError: before any work, for any value that is not allowed.
    """

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
            data_dir=data_folder(data_dir),
        )
        self.tasks = tuple(self.profile.chosen)
        self.seeds = tuple(self.profile.seeds)
        self.seed = self.seeds[0] if seed is None else seed
        self.store = Store(project_folder(results_dir) / self.profile.name)
        self.client = client
        self.device = check_device(device) if client is None else join(client, device, self.store.folder)
        self.keys = Keys(self.profile, self.seed, self._data, self._model)
        self._tasks: dict[str, Task] = {}
        self._facts: dict[str, dict[str, Any]] = {}
        if self.profile.data_dir:  # a folder that lacks a task is found out now, not after an hour
            for name in {*self.tasks, *(self.profile.tasks[name].other for name in self.tasks)}:
                self.task(name)

    def __getstate__(self) -> dict[str, Any]:
        """What goes to another process, which computes by itself."""
        return self.__dict__ | {"client": None}

    # Data and models

    def task(self, name: str) -> Task:
        """The tokenised task."""
        name = self.keys.known(name)
        if name not in self._tasks:
            self._tasks[name] = load_task(
                name,
                self.profile.tasks[name],
                load_tokenizer(self.profile.model, self._cache),
                max_length=self.profile.model.max_length,
                data_dir=self.profile.data_dir or None,
            )
        return self._tasks[name]

    def facts(self, name: str) -> dict[str, Any]:
        """What is known of a task without its data: checksum, labels, how many examples and tokens, majority share.

        Kept in the store, so that results can be read where the data set is not. A folder of data is always read.
        """
        name = self.keys.known(name)
        if name in self._facts:
            return self._facts[name]
        spec = self.profile.tasks[name]
        of: dict[str, Any] = spec.model_dump(include={"source", "train_limit"})
        of |= {"model": self._model(), "max_length": self.profile.model.max_length}
        if self.profile.data_dir or spec.source != "glue":
            of["checksum"] = self.task(name).checksum
        arrays = self.store.compute("tasks", name, of, lambda journal: task_facts(self.task(name))).arrays
        self._facts[name] = {key: value.tolist() for key, value in arrays.items()}
        return self._facts[name]

    def sample(self, name: str, split: str) -> list[Example]:
        """The examples of a split that a landscape is computed on: the same ones, in the same order, every time."""
        examples, size = getattr(self.task(name), split), getattr(self.profile.sample, split)
        if size == 0 or size >= len(examples):
            return examples
        chosen = np.random.default_rng(SAMPLE_SEED).permutation(len(examples))[:size]
        return [examples[i] for i in np.sort(chosen)]

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

    def run(self, task: str, how: str = "pretrained", seed: int | None = None) -> Run:
        """The training of a task: "pretrained" (fine-tuned), "scratch", or "continued" (Figure 4's further epochs).

        Its history is in the store; its snapshots lie beside, and are made again if they are gone and needed.
        """
        key = self.keys.run(task, how, seed)
        folder = self.store.folder_for(*key)

        def history() -> dict[str, np.ndarray]:
            if how == CONTINUED:
                self.snapshots(task, "pretrained", key[2]["seed"])
            run = load_run(folder) or self._apart("train", key)
            return {f.name: np.asarray(getattr(run, f.name)) for f in fields(Run) if f.name != "folder"}

        arrays = self._computed(key, lambda journal: history())
        return Run(folder=folder, **plain_values(arrays))

    def snapshots(self, task: str, how: str = "pretrained", seed: int | None = None) -> Run:
        """The run with its snapshots on disk: trained again if they are gone."""
        run = self.run(task, how, seed)
        with self.store.lock(run.folder), self._threads():
            return load_run(run.folder) or self._apart("train", self.keys.run(task, how, seed))

    def train(self, key: Key) -> Run:
        """The run of this key, trained here into its folder; nothing goes into the store."""
        recipe, folder = key[2], self.store.folder_for(*key)
        with self.store.lock(folder / "training"):  # a worker may still be at it for a client that was killed
            return load_run(folder) or self._train(recipe, folder)

    def _train(self, recipe: Mapping[str, Any], folder: Path) -> Run:
        name, how, seed = recipe["task"], recipe["how"], recipe["seed"]
        task, settings = self.task(name), self.keys.settings(name, how)
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
            **settings.model_dump(),
        )

    # Landscapes

    def plane(self, task: str, how: str = "pretrained") -> Plane:
        """Through theta_0 along delta_1 of the task and delta_2 of its partner in the profile (section 3.2)."""
        task = self.keys.known(task)
        run, other = self.snapshots(task, how), self.snapshots(self.profile.tasks[task].other, how)
        origin = run.theta(0)
        if not torch.equal(origin, other.theta(0)):
            raise RuntimeError(f"{task} and {other.task} do not start from the same theta_0")
        return Plane(origin, run.theta() - origin, other.theta() - origin)

    def curve(self, task: str, how: str = "pretrained", split: str = "train") -> Curve:
        """Eq. 1: loss and error along the line from theta_0 through theta_1; `split` "train" or "dev"."""

        def line() -> Line:
            plane = self.plane(task, how)
            return Line(plane.origin, plane.x)

        return Curve.from_arrays(self._scanned(self.keys.curve(task, how), line, split))

    def surface(self, task: str, how: str = "pretrained", split: str = "train") -> Surface:
        """Eq. 2: loss and error over the task's plane; `split` "train" or "dev" (both are computed at once)."""
        key = self.keys.surface(task, how)
        return Surface.from_arrays(self._scanned(key, lambda: self.plane(task, how), split))

    def layer_surface(self, task: str, group: str, split: str = "train") -> Surface:
        """Section 7: f(alpha, beta) around theta_1 where the layers of one group alone move.

        Its marks are "fine-tuned", (0, 0), and "rolled back", (-1, 0).
        """

        def plane() -> Plane:
            whole, run = self.plane(task), self.run(task)
            model = run.model()
            space, names = ParameterSpace(model), layer_groups(model)[group]
            return Plane(run.theta(), space.restrict(whole.x, names), space.restrict(whole.y, names))

        return Surface.from_arrays(
            self._scanned(self.keys.layer_surface(task, group), plane, split, LAYER_MARKS)
        )

    def _scanned(
        self, key: Key, region: Callable[[], Line | Plane], split: str, marks: Mapping[str, Any] | None = None
    ) -> dict[str, np.ndarray]:
        """The arrays of one split; both splits are scanned in one walk and kept in one file."""
        one_of("split", split, SPLITS)
        kind, name, recipe = key
        axis = np.linspace(-recipe["span"], recipe["span"], recipe["resolution"])

        def both(journal: Any) -> dict[str, np.ndarray]:
            where = region()
            run = recipe["run"]
            model = self.run(run["task"], run["how"], run["seed"]).model()
            if self.client is None:
                model.to(torch.device(self.device))  # type: ignore[arg-type]
            batch = TOKENS_PER_BATCH[torch.device(self.device).type]
            found = scan(
                [Objective(model, self.sample(run["task"], s), batch) for s in SPLITS],
                where,
                *[axis] * len(where.directions),
                marks=marks,
                precision=self.profile.precision,
                journal=journal,
                client=self.client,
                device=self.device,
                what=f"{kind} {name}",
            )
            return {
                f"{s}.{k}": a for s, one in zip(SPLITS, found, strict=True) for k, a in one.arrays().items()
            }

        arrays = self._computed(key, both)
        return {k.removeprefix(f"{split}."): a for k, a in arrays.items() if k.startswith(f"{split}.")}

    def rollback(self, task: str) -> Rollback:
        """Table 1: accuracy on the whole dev split with one layer group set back to theta_0."""

        def accuracies(journal: Any) -> dict[str, np.ndarray]:
            return self._apart("rolled_back", self.snapshots(task)).arrays()

        return Rollback.from_arrays(self._computed(self.keys.rollback(task), accuracies))

    def rolled_back(self, run: Run) -> Rollback:
        """The rollback of a run, computed here."""
        model = run.model()
        model.to(torch.device(self.device))  # type: ignore[arg-type]
        return roll_back(model, run.theta(0), run.theta(), self.task(run.task).dev)

    def trajectory(self, task: str, how: str = "pretrained", method: str = "plane") -> Trajectory:
        """Eq. 3-5: epochs 0 to the last in the coordinates of the task's plane."""
        return self._projected(self.keys.trajectory(task, how, method))

    def overfitting(self, method: str = "plane") -> Trajectory:
        """Figure 4: the epochs of fine-tuning and then the further ones, in the coordinates of the task's plane."""
        return self._projected(self.keys.overfitting(method))

    def _projected(self, key: Key) -> Trajectory:
        recipe = key[2]

        def coordinates(journal: Any) -> dict[str, np.ndarray]:
            runs = [self.snapshots(leg["task"], leg["how"], leg["seed"]) for leg in recipe["legs"]]
            plane = self.plane(runs[0].task, runs[0].how)
            found = asdict(project(epochs_of(runs), plane, recipe["method"]))
            return {name: np.asarray(value) for name, value in found.items()}

        arrays = self._computed(key, coordinates)
        return Trajectory(**plain_values(arrays))

    # Computing

    def compute(self, *what: str, workers: int | None = None) -> None:
        """Compute what the store lacks of `what` (default: everything), side by side where the profile says so.

        Args:
            what: any of "runs", "curves", "surfaces", "trajectories", "overfitting", "layers", "rollbacks".
            workers: processes; default: one for each core if the profile is `side_by_side`, else 1. Those of the
                client, if there is one.
        """
        run_jobs(self, plan_jobs(self, what), workers or usual_workers(self))

    def claims(self) -> list[Claim]:
        """The paper's claims, weighed on this study's results; what is lacking is computed first."""
        from .claims import weigh  # a floor above: it asks the study for what it measures

        return weigh(self)

    def has(self, job: Job) -> bool:
        """Whether the store has the result of a job."""
        return self.store.path(*getattr(self.keys, job.method)(*job.arguments)).exists()

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

    @contextmanager
    def _threads(self) -> Iterator[None]:
        """One thread where networks are tiny: faster, and the same bits in a notebook and in a worker."""
        before = torch.get_num_threads()
        try:
            if self.profile.side_by_side:
                torch.set_num_threads(1)
            yield
        finally:
            torch.set_num_threads(before)
