"""The kinds of result that a study has. A new one is a class, here or beside, and its place in `KINDS`; a method of
`Study` asks for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from ..engine.objective import Objective
from ..landscape.rollback import AXIS, RANDOM_SETS, Rollback, roll_back, roll_back_together
from ..landscape.trajectory import Trajectory, project
from ..names import CONTINUED, GROUPS, HOWS, METHODS, one_of
from ..store.result_file import Result, as_arrays, plain_values
from ..training.finetune import epochs_of
from ..training.models import on_device
from ..training.tasks import SAMPLE_SEED
from .kind import Arrays, Cost, Journal, Kind, Recipe, Scale, Subject
from .maps import MapResult
from .run_result import RunResult, pairs_of
from .scan_results import CurveResult, LayerResult, SurfaceResult, share_from, visits
from .way_results import BarrierResult, ObstaclesResult, PathResult, RandomDirectionsResult, WalkResult


@dataclass(frozen=True)
class OfOneRun(Kind):
    """What one worker computes from one training, in float32."""

    task: str
    how: str
    seed: int
    learning_rate: float | None = None

    @property
    def run(self) -> RunResult:
        return RunResult(self.task, self.how, self.seed, self.learning_rate)

    @property
    def name(self) -> str:
        return self.task if self.how == HOWS[0] else f"{self.task}-{self.how}"

    def needs(self, study: Subject) -> tuple[Kind, ...]:
        return (self.run,)


@dataclass(frozen=True)
class RollbackResult(OfOneRun):
    """Table 1: accuracy on the whole dev split with one layer group set back to theta_0."""

    folder: ClassVar[str] = "rollbacks"

    @classmethod
    def all(cls, study: Subject) -> Iterable[RollbackResult]:
        main = study.trainings.main
        for task in study.tasks if study.trainings.layered else ():
            yield from (cls(task, main, seed) for seed in study.seeds)
            yield from (cls(task, main, study.seed, rate) for rate in study.trainings.tried(task))

    def recipe(self, study: Subject) -> Recipe:
        # As before the random sets came: results of an earlier version are found, and say what they lack.
        return {"run": self.run.recipe(study), "examples": "dev, all", "moved": "each group"}

    def compute(self, study: Subject, journal: Journal) -> Arrays:
        run = study.trained(self.run)
        model = on_device(run.model(), study.device)
        dev = study.trainings.task(self.task).dev
        return roll_back(model, run.theta(0), run.theta(), dev, loss=study.trainings.loss).arrays()

    def cost(self, study: Subject, scale: Scale) -> Cost:
        (_, dev), (_, length) = scale.examples[self.task], scale.tokens[self.task]
        points = 1 + len(GROUPS) + RANDOM_SETS
        return Cost(visits=points, visit_tokens=points * dev * length, exact=True)

    def read(self, study: Subject, arrays: Arrays) -> Rollback:
        return Rollback.from_arrays(dict(arrays))


@dataclass(frozen=True)
class CubeResult(OfOneRun):
    """Dev accuracy with each of the three layer groups rolled back by the shares of `rollback.AXIS`."""

    folder: ClassVar[str] = "cubes"

    @classmethod
    def all(cls, study: Subject) -> Iterable[CubeResult]:
        return [cls(task, study.trainings.main, study.seed) for task in study.layer_tasks]

    def recipe(self, study: Subject) -> Recipe:
        sample = {"dev": study.profile.sample.dev, "seed": SAMPLE_SEED}
        return {"run": self.run.recipe(study), "axis": AXIS.tolist(), "sample": sample}

    def compute(self, study: Subject, journal: Journal) -> Arrays:
        run, examples = study.trained(self.run), study.sample(self.task, "dev")
        model = on_device(run.model(), study.device)
        found = roll_back_together(model, run.theta(0), run.theta(), examples, AXIS, journal)
        return {"accuracy": found, "examples": np.array(len(examples))}

    def cost(self, study: Subject, scale: Scale) -> Cost:
        planes = len(AXIS)  # of the middle and the high layers, one for each place of the low ones
        points = planes + (planes**3 - planes) * share_from(scale, "middle")
        return replace(visits(study, scale, self.task, points, ("dev",)), exact=True)

    def read(self, study: Subject, arrays: Arrays) -> Arrays:
        return arrays


@dataclass(frozen=True)
class TrajectoryResult(Kind):
    """Eq. 3-5: the epochs of a training, or of one and its continuation, in the coordinates of the task's plane."""

    folder: ClassVar[str] = "trajectories"
    task: str
    legs: tuple[str, ...]
    seed: int
    method: str

    def __post_init__(self) -> None:
        one_of("method", self.method, METHODS)

    @classmethod
    def all(cls, study: Subject) -> Iterable[TrajectoryResult]:
        legs: list[tuple[str, tuple[str, ...]]] = [(task, (how,)) for task, how in pairs_of(study)]
        if study.trainings.overfitted:
            legs.append((study.trainings.overfitted, (HOWS[0], CONTINUED)))
        return [cls(task, path, study.seed, method) for task, path in legs for method in METHODS]

    @property
    def runs(self) -> list[RunResult]:
        return [RunResult(self.task, leg, self.seed) for leg in self.legs]

    @property
    def name(self) -> str:
        return "-".join((self.task, *self.legs, self.method))

    def recipe(self, study: Subject) -> Recipe:
        first, legs = self.runs[0], [run.recipe(study) for run in self.runs]
        other = study.trainings.second(first).recipe()
        return {"run": legs[0], "other": other, "legs": legs, "method": self.method}

    def needs(self, study: Subject) -> tuple[Kind, ...]:
        return *self.runs, *study.trainings.second(self.runs[0]).needs

    def compute(self, study: Subject, journal: Journal) -> Arrays:
        runs = [study.trained(run) for run in self.runs]
        plane = study.plane(self.task, self.legs[0], self.seed)
        return as_arrays(project(epochs_of(runs), plane, self.method))

    def cost(self, study: Subject, scale: Scale) -> Cost:
        return Cost()  # a few products of vectors

    def read(self, study: Subject, arrays: Arrays) -> Trajectory:
        return Trajectory(**plain_values(arrays))


@dataclass(frozen=True)
class UnseenWordsResult(OfOneRun):
    """Of a task in the generated language: accuracy of a training's end on dev examples with known words, on those
    with unseen words, and on test, (3,)."""

    folder: ClassVar[str] = "unseen_words"

    @classmethod
    def all(cls, study: Subject) -> Iterable[UnseenWordsResult]:
        generated = [pair for pair in pairs_of(study) if study.trainings.generated(pair[0])]
        return [cls(task, how, seed) for task, how in generated for seed in study.seeds]

    @property
    def name(self) -> str:
        return self.run.name

    def recipe(self, study: Subject) -> Recipe:
        return {"run": self.run.recipe(study)}

    def compute(self, study: Subject, journal: Journal) -> Arrays:
        task = study.trainings.task(self.task)
        model = on_device(study.trained(self.run).model(), study.device)
        seen = np.asarray(task.dev_seen, dtype=bool)
        known, unseen = ([task.dev[i] for i in np.flatnonzero(where)] for where in (seen, ~seen))
        parts = (known, unseen, task.test)
        return {"accuracy": np.array([1 - Objective(model, part)().error for part in parts])}

    def cost(self, study: Subject, scale: Scale) -> Cost:
        (_, dev), (_, length) = scale.examples[self.task], scale.tokens[self.task]
        return Cost(visits=1, visit_tokens=2 * dev * length, exact=True)

    def read(self, study: Subject, arrays: Arrays) -> np.ndarray:
        return arrays["accuracy"]


def current_code(result: Result) -> str:
    """The fingerprint of the code that would compute a stored result now; "" where any will do."""
    kind = (KINDS | {MapResult.folder: MapResult}).get(result.meta["kind"])
    return kind.code() if kind else ""


KINDS: dict[str, type[Kind]] = {
    kind.folder: kind
    for kind in (
        RunResult,
        SurfaceResult,
        LayerResult,
        CurveResult,
        TrajectoryResult,
        WalkResult,
        PathResult,
        ObstaclesResult,
        RandomDirectionsResult,
        BarrierResult,
        RollbackResult,
        CubeResult,
        UnseenWordsResult,
    )
}
