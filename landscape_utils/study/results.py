"""The kinds of result that a study has. A new one is a class, here or beside, and its place in `KINDS`, here and in
`names`; a method of `Study` asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from operator import itemgetter

import numpy as np

from ..engine.objective import Objective
from ..landscape.rollback import AXIS, RANDOM_SETS, Rollback, roll_back, roll_back_together
from ..landscape.trajectory import Trajectory, project
from ..names import GROUPS, HOWS, METHODS, SPLITS, one_of
from ..store.result_file import Result, as_arrays
from ..training.finetune import epochs_of
from ..training.models import on_device
from .kind import Arrays, Journal, Kind, Recipe, Scale, Subject, fields_of
from .run_result import OfOneRun, RunResult, pairs_of, sampling
from .scan_results import CurveResult, LayerResult, MapResult, SurfaceResult, share_from
from .way_results import BarrierResult, ObstaclesResult, PathResult, RandomDirectionsResult, WalkResult


@dataclass(frozen=True)
class RollbackResult(OfOneRun):
    """Table 1: accuracy on the whole dev split with one layer group set back to theta_0."""

    folder = "rollbacks"
    form = Rollback.from_arrays
    splits = SPLITS[1:]
    whole = True
    visits = 1 + len(GROUPS) + RANDOM_SETS
    learning_rate: float | None = None

    @classmethod
    def all(cls, study: Subject) -> Iterable[RollbackResult]:
        main = study.trainings.main
        for task in study.tasks if study.trainings.layered else ():
            yield from (cls(task, main, seed) for seed in study.seeds)
            yield from (cls(task, main, study.seed, rate) for rate in study.trainings.tried(task))

    @property
    def run(self) -> RunResult:
        return RunResult(self.task, self.how, self.seed, self.learning_rate)

    @property
    def name(self) -> str:
        return self.task if self.how == HOWS[0] else f"{self.task}-{self.how}"

    def recipe(self, study: Subject) -> Recipe:
        # As before the random sets came: results of an earlier version are found, and say what they lack.
        return super().recipe(study) | {"examples": "dev, all", "moved": "each group"}

    def compute(self, study: Subject, journal: Journal) -> Arrays:
        run = study.trained(self.run)
        model = on_device(run.model(), study.device)
        dev = study.trainings.task(self.task).dev
        return roll_back(model, run.theta(0), run.theta(), dev, loss=study.trainings.loss).arrays()


@dataclass(frozen=True)
class CubeResult(OfOneRun):
    """Dev accuracy with each of the three layer groups rolled back by the shares of `rollback.AXIS`."""

    folder = "cubes"
    form = dict
    splits = SPLITS[1:]
    name = RollbackResult.name

    @classmethod
    def all(cls, study: Subject) -> Iterable[CubeResult]:
        return [cls(task, study.trainings.main, study.seed) for task in study.layer_tasks]

    def recipe(self, study: Subject) -> Recipe:
        sample = sampling(study)
        del sample["train"]
        return super().recipe(study) | {"axis": AXIS.tolist(), "sample": sample}

    def compute(self, study: Subject, journal: Journal) -> Arrays:
        run, examples = study.trained(self.run), study.sample(self.task, "dev")
        model = on_device(run.model(), study.device)
        found = roll_back_together(model, run.theta(0), run.theta(), examples, AXIS, journal)
        return {"accuracy": found, "examples": np.array(len(examples))}

    def points(self, study: Subject, scale: Scale) -> float:
        planes = len(AXIS)  # of the middle and the high layers, one for each place of the low ones
        return planes + (planes**3 - planes) * share_from(scale, "middle")


@dataclass(frozen=True)
class TrajectoryResult(OfOneRun):
    """Eq. 3-5: the epochs of a training, and perhaps of its continuation, in the coordinates of the task's plane."""

    folder = "trajectories"
    form = fields_of(Trajectory)
    in_plane = True
    method: str = METHODS[0]
    continued: bool = False

    def __post_init__(self) -> None:
        one_of("method", self.method, METHODS)

    @classmethod
    def all(cls, study: Subject) -> Iterable[TrajectoryResult]:
        ways = [(task, how, False) for task, how in pairs_of(study)]
        if task := study.trainings.overfitted:
            ways.append((task, HOWS[0], True))
        return [cls(task, how, study.seed, method, more) for task, how, more in ways for method in METHODS]

    @property
    def legs(self) -> list[RunResult]:
        return [self.run, self.run.further] if self.continued else [self.run]

    @property
    def name(self) -> str:
        return "-".join((self.task, *(leg.how for leg in self.legs), self.method))

    def recipe(self, study: Subject) -> Recipe:
        legs = [leg.recipe(study) for leg in self.legs]
        return super().recipe(study) | {"legs": legs, "method": self.method}

    def needs(self, study: Subject) -> tuple[Kind, ...]:
        return *super().needs(study), *self.legs[1:]

    def compute(self, study: Subject, journal: Journal) -> Arrays:
        runs = [study.trained(leg) for leg in self.legs]
        plane = study.plane(self.task, self.how, self.seed)
        return as_arrays(project(epochs_of(runs), plane, self.method))


@dataclass(frozen=True)
class UnseenWordsResult(OfOneRun):
    """Of a task in the generated language: accuracy of a training's end on dev examples with known words, on those
    with unseen words, and on test, (3,)."""

    folder = "unseen_words"
    form = itemgetter("accuracy")
    splits = SPLITS[1:]
    whole = True
    visits = 2.0  # dev, and test, which is about as large

    @classmethod
    def all(cls, study: Subject) -> Iterable[UnseenWordsResult]:
        generated = [pair for pair in pairs_of(study) if study.trainings.generated(pair[0])]
        return [cls(task, how, seed) for task, how in generated for seed in study.seeds]

    def compute(self, study: Subject, journal: Journal) -> Arrays:
        task = study.trainings.task(self.task)
        model = on_device(study.trained(self.run).model(), study.device)
        seen = np.asarray(task.dev_seen, dtype=bool)
        known, unseen = ([task.dev[i] for i in np.flatnonzero(where)] for where in (seen, ~seen))
        parts = (known, unseen, task.test)
        return {"accuracy": np.array([1 - Objective(model, part)().error for part in parts])}


def current_code(result: Result) -> str:
    """The fingerprint of the code that would compute a stored result now; "" where any will do."""
    kind = (KINDS | {MapResult.folder: MapResult}).get(result.meta["kind"])
    return kind.code() if kind else ""


KINDS: dict[str, type[Kind]] = {
    kind.folder: kind
    for kind in (
        *(RunResult, SurfaceResult, LayerResult, CurveResult, TrajectoryResult, WalkResult, PathResult),
        *(ObstaclesResult, RandomDirectionsResult, BarrierResult, RollbackResult, CubeResult),
        UnseenWordsResult,
    )
}
