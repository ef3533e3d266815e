"""What can be asked of a study: its tasks, its results, the claims."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np

from ..claims.claims import weigh
from ..claims.evidence import Claim
from ..errors import Lacking, UserError
from ..landscape.directions import RandomDirections
from ..landscape.paths import Obstacles
from ..landscape.rollback import Rollback
from ..landscape.scan import Curve, Plane, Surface
from ..landscape.trajectory import Trajectory
from ..landscape.walk import Walk
from ..names import CONTINUED, GROUPS, HOWS, SPLITS, display_name, one_of
from ..profiles import Profile
from ..store.store import Store
from ..training.finetune import Run
from ..training.tasks import Example, Task, sample_of
from .kind import Arrays, Kind, Trainings
from .results import CubeResult, RollbackResult, TrajectoryResult, UnseenWordsResult
from .run_result import RunResult
from .scan_results import CurveResult, LayerResult, SurfaceResult
from .way_results import BarrierResult, ObstaclesResult, PathResult, RandomDirectionsResult, WalkResult

OF_A_RUN: dict[str, type[Any]] = {  # what claims ask for by name, of one training
    "run": RunResult,
    "walk": WalkResult,
    "path": PathResult,
    "obstacles": ObstaclesResult,
    "curve": CurveResult,
    "surface": SurfaceResult,
    "random_directions": RandomDirectionsResult,
    "rollback": RollbackResult,
    "barrier": BarrierResult,
}


class Queries(ABC):
    """The questions; `Study` answers them by `get`.

    Attributes:
        tasks, seeds: that there are; `seed` is of the runs whose landscapes are looked at.
    """

    profile: Profile
    store: Store
    trainings: Trainings
    tasks: tuple[str, ...]
    seeds: tuple[int, ...]
    seed: int

    @abstractmethod
    def get(self, kind: Kind) -> Any:
        """A result, read from the store, or else computed after all that it needs, and kept."""

    @abstractmethod
    def has(self, kind: Kind) -> bool:
        """Whether the store has a result that the present code has computed."""

    # Tasks

    @property
    def ways(self) -> tuple[str, ...]:
        """The ways of training that there are, as they stand in figures from the left."""
        return self.trainings.ways

    @property
    def layer_tasks(self) -> tuple[str, ...]:
        """Figure 7's tasks among the chosen ones; all the chosen ones if none of them is."""
        if not self.trainings.layered:
            return ()
        return tuple(task for task in self.tasks if task in self.profile.layers.tasks) or self.tasks

    @property
    def surface_seeds(self) -> tuple[int, ...]:
        """The seeds of the trainings whose surfaces are scanned."""
        chosen = tuple(seed for seed in self.profile.surface_seeds if seed in self.seeds)
        return chosen or self.seeds

    @property
    def overfit_task(self) -> str:
        """The task that is trained on further (Figure 4), or ""."""
        return self.trainings.overfitted

    def task(self, name: str) -> Task:
        """The tokenised task. Raises UserError for data that are not at hand."""
        return self.trainings.task(name)

    def facts(self, name: str) -> dict[str, Any]:
        """What is known of a task without its data: labels, how many examples and tokens, majority share."""
        return self.trainings.facts(name)

    def heading(self, name: str) -> str:
        """A task as readers know it: "MNLI", or "MNLI-like (generated)" in the embedded language."""
        own = f"{display_name(name)}-like (generated)"
        return own if self.trainings.generated(name) else display_name(name)

    def partner(self, task: str) -> str:
        """The task that lends the second direction."""
        return self.trainings.partner(task)

    def sample(self, name: str, split: str) -> list[Example]:
        """The examples of a split that a landscape is computed on: the same ones, in the same order, every time."""
        return sample_of(getattr(self.task(name), split), getattr(self.profile.sample, split))

    # Results

    def run(
        self, task: str, how: str = HOWS[0], seed: int | None = None, learning_rate: float | None = None
    ) -> Run:
        """The training of a task: "pretrained" (fine-tuned), "scratch", or "continued" (Figure 4's further epochs).

        `learning_rate`: another one than the profile chose; see `learning_rates`.
        """
        return self.get(self._run(task, how, seed, learning_rate))

    def learning_rates(self, task: str) -> list[float]:
        """All that the profile names for fine-tuning on a task, the lowest first."""
        chosen = self.trainings.settings(self._run(task, self.trainings.main, None)).learning_rate
        return sorted({chosen, *self.trainings.tried(task)})

    def trained(self, run: RunResult) -> Run:
        """A training with its snapshots at hand: trained again if they are gone."""
        found = self.get(run)
        self.trainings.ready(run)
        return found

    def plane(self, task: str, how: str = HOWS[0], seed: int | None = None) -> Plane:
        """Through theta_0 along delta_1 of the task and delta_2 of its partner in the profile (section 3.2)."""
        named = self._run(task, how, seed)
        run = self.trained(named)
        origin = run.theta(0)
        return Plane(origin, run.theta() - origin, self.trainings.second(named).vector(origin))

    def curve(self, task: str, how: str = HOWS[0], split: str = SPLITS[0], seed: int | None = None) -> Curve:
        """Eq. 1: loss and error along the line from theta_0 through theta_1; `split` "train" or "dev"."""
        return self._split(CurveResult(*self._which(task, how, seed)), split)

    def surface(
        self, task: str, how: str = HOWS[0], split: str = SPLITS[0], seed: int | None = None
    ) -> Surface:
        """Eq. 2: loss and error over the task's plane; `split` "train" or "dev" (both are computed at once)."""
        return self._split(SurfaceResult(*self._which(task, how, seed)), split)

    def layer_surface(
        self, task: str, group: str, split: str = SPLITS[0], seed: int | None = None
    ) -> Surface:
        """Section 7: f(alpha, beta) around theta_1 where the layers of one group alone move.

        Its marks are "fine-tuned", (0, 0), and "rolled back", (-1, 0).
        """
        return self._split(LayerResult(*self._which(task, self.trainings.main, seed), group), split)

    def trajectory(
        self, task: str, how: str = HOWS[0], method: str = "plane", seed: int | None = None
    ) -> Trajectory:
        """Eq. 3-5: epochs 0 to the last in the coordinates of the task's plane."""
        return self.get(TrajectoryResult(*self._which(task, how, seed), method))

    def overfitting(self, method: str = "plane") -> Trajectory:
        """Figure 4: the epochs of fine-tuning and then the further ones, in the coordinates of the task's plane."""
        if not self.trainings.overfitted:
            raise UserError("no training was continued here; Figure 4 needs a profile with further epochs")
        return self.get(
            TrajectoryResult(self.trainings.overfitted, HOWS[0], self.seed, method, continued=True)
        )

    def rollback(self, task: str, learning_rate: float | None = None, seed: int | None = None) -> Rollback:
        """Table 1: accuracy on the whole dev split with one layer group set back to theta_0."""
        return self.get(RollbackResult(*self._which(task, self.trainings.main, seed), learning_rate))

    def cube(self, task: str) -> Arrays:
        """Dev "accuracy" with each layer group rolled back by the shares of `rollback.AXIS`; on how many "examples"."""
        return self.get(CubeResult(*self._which(task, self.trainings.main, None)))

    def walk(self, task: str, how: str = HOWS[0], seed: int | None = None) -> Walk:
        """Lengths and angles of a training's way, without any loss."""
        return self.get(WalkResult(*self._which(task, how, seed)))

    def path(self, task: str, how: str = HOWS[0], seed: int | None = None) -> Curve:
        """The training loss on the straight line from start to end, at 41 points in float32."""
        return self.get(PathResult(*self._which(task, how, seed)))

    def obstacles(self, task: str, how: str = HOWS[0], seed: int | None = None) -> Obstacles:
        """The training loss from epoch to epoch, and along the first epoch's direction."""
        return self.get(ObstaclesResult(*self._which(task, how, seed)))

    def random_directions(self, task: str, how: str = HOWS[0], seed: int | None = None) -> RandomDirections:
        """The training loss around the end along random directions, normalised filter by filter."""
        return self.get(RandomDirectionsResult(*self._which(task, how, seed)))

    def barrier(self, task: str, split: str = SPLITS[0], seed: int | None = None) -> Curve:
        """Figure 4: loss and error between the ends of the fine-tuning and of its further epochs."""
        return self._split(BarrierResult(*self._which(task, self.trainings.main, seed)), split)

    def schedule(self, task: str, how: str = HOWS[0]) -> np.ndarray:
        """(S,): the learning rate of each step of a training."""
        return self.trainings.schedule(self._run(task, how, None))

    def seeds_of(self, kind: str, task: str, how: str) -> tuple[int, ...]:
        """The seeds of which there are results of a kind, or which are to be computed; () for none.

        `kind`: the name of a method that takes a seed, or "continued".
        """
        if how not in self.ways or (kind in ("continued", "barrier") and task != self.overfit_task):
            return ()
        if kind in ("layer_surface", "rollback") and task not in self.layered_tasks(kind):
            return ()
        seeds = self.surface_seeds if kind in ("surface", "layer_surface") else self.seeds
        if not self.store.read_only:
            return seeds
        main = self.trainings.main
        named: dict[str, Callable[[int], Kind]] = {
            "continued": lambda seed: RunResult(task, CONTINUED, seed),
            "layer_surface": lambda seed: LayerResult(task, main, seed, GROUPS[0]),
        }
        make = named.get(kind) or (lambda seed: OF_A_RUN[kind](task, how, seed))
        return tuple(seed for seed in seeds if self._readable(make(seed)))

    def layered_tasks(self, kind: str) -> tuple[str, ...]:
        """The tasks of which the layers are looked at by this kind of result."""
        if not self.trainings.layered:
            return ()
        return self.layer_tasks if kind == "layer_surface" else self.tasks

    def _readable(self, kind: Kind) -> bool:
        """Whether a study that only reads has a result; without the data set's facts it has none."""
        try:
            return self.has(kind)
        except Lacking:
            return False

    def unseen_words(self, task: str, how: str, seed: int | None = None) -> Any:
        """(3,): accuracy on dev examples with known words, with unseen ones, and on test, in the generated language."""
        return self.get(UnseenWordsResult(*self._which(task, how, seed)))

    def claims(self) -> list[Claim]:
        """The paper's claims, weighed on this study's results; what is lacking is computed first."""
        names = self.trainings.claims
        return [] if names == () else weigh(self, *names or ())

    def _which(self, task: str, how: str, seed: int | None) -> tuple[str, str, int]:
        """Task, way of training and seed in full; refused if they are not known."""
        further = (CONTINUED,) if self.trainings.overfitted else ()
        one_of("way to train", how, (*self.ways, *further))
        return self.trainings.known(task), how, self.seed if seed is None else seed

    def _run(self, task: str, how: str, seed: int | None, learning_rate: float | None = None) -> RunResult:
        return RunResult(*self._which(task, how, seed), learning_rate)

    def _split(self, kind: Kind, split: str) -> Any:
        return self.get(kind)[one_of("split", split, SPLITS)]
