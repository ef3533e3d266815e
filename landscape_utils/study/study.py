"""Study: a profile bound to a results store. A notebook asks it for a result; it is loaded, or else computed and kept.

    profile -> task, model -> run -> directions -> plane -> scan -> surface

Every result has a recipe: what changes its numbers and nothing else.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch

from ..engine.objective import TOKENS_PER_BATCH, Objective
from ..engine.space import ParameterSpace, layer_groups
from ..errors import Lacking
from ..landscape.rollback import AXIS, LAYER_MARKS, Rollback, roll_back, roll_back_together
from ..landscape.scan import Curve, Line, Plane, Surface, scan
from ..landscape.trajectory import Trajectory, project
from ..names import HOWS, SPLITS, one_of
from ..profiles import load_profile
from ..store.result_file import plain_values
from ..training.finetune import Run, epochs_of
from ..training.models import on_device
from .jobs import Job, label, plan_jobs, run_jobs, usual_workers
from .keys import DRAWS, Key
from .runs import Runs

if TYPE_CHECKING:
    from ..claims.evidence import Claim


class Study(Runs):
    """A profile bound to its results in `results_dir/<profile>`: runs, landscapes, trajectories, rollbacks, claims.

    Args:
        profile: the name of a built-in profile, the path of a TOML file, or a Profile.
        tasks: "all", or names separated by commas.
        seed: of the runs whose landscapes are looked at; None: the profile's first. Means are over `seeds`, the
            profile's, or over this one alone if it is none of them.
        resolution, span, examples: of the grid and the sample; 0: as the profile says.
        data_dir: a folder in the GLUE layout; empty: the hub.
        results_dir: absolute, or in the project.
        device: "auto", "cpu", "cuda" or one of several, "cuda:1"; with a client, of its workers. "none": results are
            read, and nothing is computed, fetched or written; what is not there is `Lacking`.
        client: of `dask.distributed`: its workers train, each a run, and visit the points of the scans. They and this
            side must share `results_dir`; this side alone writes results.

    Raises:
        UserError: before any work, for any value that is not allowed.
    """

    ways: tuple[str, ...] = HOWS[::-1]  # from scratch on the left, as in the paper's figures

    def partner(self, task: str) -> str:
        """The task that lends the second direction."""
        return self.profile.tasks[self.keys.known(task)].other

    def plane(self, task: str, how: str = "pretrained") -> Plane:
        """Through theta_0 along delta_1 of the task and delta_2 of its partner in the profile (section 3.2)."""
        task = self.keys.known(task)
        run, other = self.snapshots(task, how), self.snapshots(self.partner(task), how)
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
            trained = self.run(run["task"], run["how"], run["seed"])
            model = trained.model() if self.client else on_device(trained.model(), self.device)
            batch = TOKENS_PER_BATCH[torch.device(self.device).type]
            found = scan(
                [Objective(model, self.sample(run["task"], s), batch) for s in SPLITS],
                where,
                *[axis] * len(where.directions),
                marks=marks,
                precision=self.profile.precision,
                draws=DRAWS,
                journal=journal,
                client=self.client,
                device=self.device,
                what=f"{kind} {name}",
            )
            return {
                f"{split}.{name}": array
                for split, one in zip(SPLITS, found, strict=True)
                for name, array in replace(one, learned=trained.learned).arrays().items()
            }

        arrays = self._computed(key, both)
        return {k.removeprefix(f"{split}."): a for k, a in arrays.items() if k.startswith(f"{split}.")}

    def rollback(self, task: str, learning_rate: float | None = None) -> Rollback:
        """Table 1: accuracy on the whole dev split with one layer group set back to theta_0.

        `learning_rate`: of the fine-tuning, another one than the profile chose; see `tried`.
        """

        def accuracies(journal: Any) -> dict[str, np.ndarray]:
            run = self.snapshots(task, learning_rate=learning_rate)
            return self._apart("rolled_back", run).arrays()

        return Rollback.from_arrays(self._computed(self.keys.rollback(task, learning_rate), accuracies))

    def rolled_back(self, run: Run) -> Rollback:
        """The rollback of a run, computed here."""
        model = on_device(run.model(), self.device)
        return roll_back(model, run.theta(0), run.theta(), self.task(run.task).dev)

    def cube(self, task: str) -> dict[str, np.ndarray]:
        """Dev "accuracy" with each layer group rolled back by the shares of `cube.AXIS`; on how many "examples"."""

        def accuracies(journal: Any) -> dict[str, np.ndarray]:
            return self._apart("rolled_back_together", self.snapshots(task), {} if self.client else journal)

        return self._computed(self.keys.cube(task), accuracies)

    def rolled_back_together(self, run: Run, journal: Any) -> dict[str, np.ndarray]:
        """The cube of a run, computed here."""
        model, examples = on_device(run.model(), self.device), self.sample(run.task, "dev")
        found = roll_back_together(model, run.theta(0), run.theta(), examples, AXIS, journal)
        return {"accuracy": found, "examples": np.array(len(examples))}

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

    def under(self, precision: str, **changes: Any) -> Self:
        """This study with another precision and other `resolution`, `span` or `examples`; the same trainings."""
        again = copy.copy(self)
        again.profile = load_profile(self.profile.model_copy(update={"precision": precision}), **changes)
        again.keys = copy.copy(self.keys)
        again.keys.profile = again.profile
        return again

    # Computing

    def compute(self, *what: str, workers: int | None = None) -> None:
        """Compute what the store lacks of `what` (default: everything), side by side where the profile says so.

        Args:
            what: any of "runs", "curves", "surfaces", "trajectories", "overfitting", "layers", "rollbacks", "cubes".
            workers: processes; default: one for each core if the profile is `side_by_side`, else 1. Those of the
                client, if there is one.

        Raises:
            Lacking: something is to be computed, on device "none".
        """
        jobs = plan_jobs(self, what)
        if jobs and self.store.read_only:
            raise Lacking(f"{self.store.folder} lacks {len(jobs)} results: {label(jobs[0])} is the first")
        run_jobs(self, jobs, workers or usual_workers(self))

    def claims(self) -> list[Claim]:
        """The paper's claims, weighed on this study's results; what is lacking is computed first."""
        from ..claims.claims import weigh  # a floor above: it asks the study for what it measures

        return weigh(self)

    def has(self, job: Job) -> bool:
        """Whether the store has the result of a job."""
        return self.store.path(*getattr(self.keys, job.method)(*job.arguments)).exists()
