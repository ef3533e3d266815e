"""The kinds of result beside trainings and scans. A new one is a class, here or beside, stands in `computing.KINDS` and
`names.KINDS`, and has its method in `Study`."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import Any, ClassVar, Self

import numpy as np
from torch import Tensor

from ..engine.objective import Objective
from ..engine.space import ParameterSpace
from ..errors import UserError, one_of
from ..landscape import paths
from ..landscape.directions import COUNT, RADII, RandomDirections, random_filter_directions, scan_directions
from ..landscape.rollback import AXIS, RANDOM_SETS, Rollback, roll_back, roll_back_together
from ..landscape.scan import Curve, Line, scan
from ..landscape.trajectory import Trajectory, project
from ..names import GROUPS, HOWS, METHODS, SPLITS
from ..store.code import code_of
from ..store.result_file import as_arrays
from ..training.finetune import Run, epochs_of
from .kind import Arrays, Cost, Journal, Kind, Recipe, Scale, Subject, fields_of
from .run_result import DRAWS, OfOneRun, RunResult, arrays_of, pairs_of, sampling, scans_of, share_from


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
    def all(cls, study: Subject) -> Iterable[Kind]:
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
        run, loss = study.trained(self.run), study.trainings.loss
        dev = study.trainings.task(self.task).dev
        return roll_back(self.model(study), run.theta(0), run.theta(), dev, loss=loss).arrays()


class CubeResult(OfOneRun):
    """Dev accuracy with each of the three layer groups rolled back by the shares of `rollback.AXIS`."""

    folder = "cubes"
    form = dict
    splits = SPLITS[1:]
    name = RollbackResult.name

    @classmethod
    def all(cls, study: Subject) -> Iterable[Kind]:
        return [cls(task, study.trainings.main, study.seed) for task in study.layer_tasks]

    def recipe(self, study: Subject) -> Recipe:
        sample = sampling(study)
        del sample["train"]
        return super().recipe(study) | {"axis": AXIS.tolist(), "sample": sample}

    def compute(self, study: Subject, journal: Journal) -> Arrays:
        run, examples = study.trained(self.run), study.sample(self.task, "dev")
        objective = Objective(self.model(study), examples)
        found = roll_back_together(objective, run.theta(0), run.theta(), AXIS, journal)
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
    def all(cls, study: Subject) -> Iterable[Kind]:
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


class WalkResult(OfOneRun):
    """Lengths and angles of the way, without any loss."""

    folder = "walks"
    in_plane = True
    form = fields_of(paths.TrainingPath)

    def compute(self, study: Subject, journal: Journal) -> Arrays:
        run = study.trained(self.run)
        second = study.trainings.second(self.run).vector(run.theta(0))
        path = paths.training_path(run.model(), epochs_of([run]), run.theta(), run.theta_quarter(), second)
        return as_arrays(path)


class WayResult(OfOneRun):
    """Losses at points that a training's way leads to."""

    splits: ClassVar[tuple[str, ...]] = SPLITS[:1]

    def recipe(self, study: Subject) -> Recipe:
        return super().recipe(study) | {"sample": sampling(study), "draws": DRAWS}

    def at_hand(self, study: Subject) -> tuple[Run, list[Objective]]:
        """The training, and its end's objective of each split."""
        model, loss = self.model(study), study.trainings.loss
        objectives = [Objective(model, study.sample(self.task, split), loss=loss) for split in self.splits]
        return study.trained(self.run), objectives

    def straight(
        self, objectives: Any, start: Tensor, end: Tensor, shares: np.ndarray, journal: Journal
    ) -> Any:
        """The scan of the straight line between two snapshots, (P,) each."""
        line = Line(start, end - start)
        return scan(objectives, line, shares, draws=DRAWS, journal=journal, what="from start to end")


class PathResult(WayResult):
    """The training loss on the straight line from start to end, closely and in float32."""

    folder = "paths"
    form = Curve.from_arrays
    visits = len(paths.PATH)

    def compute(self, study: Subject, journal: Journal) -> Arrays:
        run, (objective,) = self.at_hand(study)
        return self.straight(objective, run.theta(0), run.theta(), paths.PATH, journal).arrays()


class ObstaclesResult(WayResult):
    """The training loss from epoch to epoch, and along the first epoch's direction."""

    folder = "obstacles"

    def points(self, study: Subject, scale: Scale) -> float:
        return paths.LEG * study.trainings.settings(self.run).epochs + len(paths.RAY)

    def compute(self, study: Subject, journal: Journal) -> Arrays:
        run, (objective,) = self.at_hand(study)
        return arrays_of(vars(paths.obstacles(objective, epochs_of([run]), run.theta(), draws=DRAWS)))

    def read(self, study: Subject, arrays: Arrays) -> paths.Obstacles:
        return paths.Obstacles(**scans_of(arrays, Curve, ("path", "ray")))


class RandomDirectionsResult(WayResult):
    """The training loss around the end along random directions, normalised row by row (Li et al. 2018)."""

    folder = "random_directions"
    form = fields_of(RandomDirections)
    visits = COUNT * (len(RADII) + 1)

    def compute(self, study: Subject, journal: Journal) -> Arrays:
        run, (objective,) = self.at_hand(study)
        directions = random_filter_directions(run.theta(), ParameterSpace(objective.model))
        return as_arrays(scan_directions(objective, run.theta(), directions, journal=journal, draws=DRAWS))


class BarrierResult(WayResult):
    """Loss and dev error between the ends of a fine-tuning and of its further epochs (Figure 4): {split: Curve}."""

    folder = "barriers"
    form = partial(scans_of, form=Curve)
    splits = SPLITS
    visits = len(paths.BARRIER)

    @classmethod
    def all(cls, study: Subject) -> Iterable[Kind]:
        task, main = study.trainings.overfitted, study.trainings.main
        return [cls(task, main, seed) for seed in study.seeds] if task else []

    def needs(self, study: Subject) -> tuple[Kind, ...]:
        return self.run, self.run.further

    def recipe(self, study: Subject) -> Recipe:
        return super().recipe(study) | {"further": self.run.further.recipe(study)}

    def compute(self, study: Subject, journal: Journal) -> Arrays:
        run, objectives = self.at_hand(study)
        further = study.trained(self.run.further)
        found = self.straight(objectives, run.theta(), further.theta(), paths.BARRIER, journal)
        return arrays_of(dict(zip(self.splits, found, strict=True)))


class UnseenWordsResult(OfOneRun):
    """In the generated language: accuracy at the end on dev with known words, with unseen ones, and on test, (3,)."""

    folder = "unseen_words"
    form = itemgetter("accuracy")
    splits = SPLITS[1:]
    whole = True
    visits = 2.0  # dev, and test, which is about as large

    @classmethod
    def all(cls, study: Subject) -> Iterable[Kind]:
        generated = [pair for pair in pairs_of(study) if study.trainings.generated(pair[0])]
        return [cls(task, how, seed) for task, how in generated for seed in study.seeds]

    def compute(self, study: Subject, journal: Journal) -> Arrays:
        task = study.trainings.task(self.task)
        seen = np.asarray(task.dev_seen, dtype=bool)
        known, unseen = ([task.dev[i] for i in np.flatnonzero(where)] for where in (seen, ~seen))
        parts = known, unseen, task.test
        model = self.model(study)
        return {"accuracy": np.array([1 - Objective(model, part)().error for part in parts])}


@dataclass(frozen=True)
class SimilarityResult(Kind):
    """A null model for pairs in two classes: dev accuracy of the cosine of the two sentences' vectors alone, ()."""

    folder = "similarities"
    form = itemgetter("accuracy")
    task: str

    @classmethod
    def code(cls, recipe: Recipe) -> str:
        return code_of("training.sentence_vectors")

    @classmethod
    def all(cls, study: Subject) -> list[Self]:
        return [cls(task) for task in study.tasks if study.trainings.similarity(task)]

    @property
    def name(self) -> str:
        return self.task

    def accuracy(self, study: Subject) -> Callable[[], float]:
        """Measures it; refused for a task that is not of pairs in two classes."""
        if found := study.trainings.similarity(self.task):
            return found
        there = ", ".join(kind.name for kind in self.all(study)) or "none"
        raise UserError(f"task {self.task!r} is not of pairs of sentences in two classes; such are {there}")

    def recipe(self, study: Subject) -> Recipe:
        self.accuracy(study)
        data = study.trainings.facts(self.task)["checksum"]
        return {"task": self.task, "data": data, **study.trainings.encoder}

    def compute(self, study: Subject, journal: Journal) -> Arrays:
        return {"accuracy": np.array(self.accuracy(study)())}

    def cost(self, study: Subject, scale: Scale) -> Cost:
        pairs = zip(scale.examples[self.task], scale.tokens[self.task], strict=True)
        return Cost(visits=1, visit_tokens=sum(n * length for n, length in pairs), exact=True)
