"""What is measured of a training's way and of the surroundings of its end, as results of a study."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

from ..engine.objective import Objective
from ..engine.space import ParameterSpace
from ..landscape.directions import COUNT, RADII, RandomDirections, random_filter_directions, scan_directions
from ..landscape.paths import BARRIER, LEG, PATH, RAY, Obstacles, barrier, obstacles, straight_path
from ..landscape.scan import Curve
from ..landscape.walk import Walk, walk
from ..names import CONTINUED, SPLITS
from ..store.result_file import as_arrays, plain_values
from ..training.finetune import Run, epochs_of
from ..training.models import on_device
from ..training.tasks import SAMPLE_SEED
from .kind import Arrays, Cost, Journal, Kind, Recipe, Scale, Subject
from .run_result import RunResult, pairs_of
from .scan_results import DRAWS, arrays_of, of_split, visits


@dataclass(frozen=True)
class WayResult(Kind):
    """Of one training, by one worker, in float32."""

    parts: ClassVar[tuple[str, ...]] = ("engine", "landscape", "study.way_results")
    task: str
    how: str
    seed: int

    @classmethod
    def all(cls, study: Subject) -> Iterable[Kind]:
        return [cls(task, how, seed) for task, how in pairs_of(study) for seed in study.seeds]

    @property
    def run(self) -> RunResult:
        return RunResult(self.task, self.how, self.seed)

    @property
    def name(self) -> str:
        return self.run.name

    def needs(self, study: Subject) -> tuple[Kind, ...]:
        return (self.run,)

    def recipe(self, study: Subject) -> Recipe:
        sample = {**study.profile.sample.model_dump(), "seed": SAMPLE_SEED}
        return {"run": self.run.recipe(study), "sample": sample, "draws": DRAWS}

    def cost(self, study: Subject, scale: Scale) -> Cost:
        points = self.points(study)
        return replace(visits(study, scale, self.task, points, SPLITS[:1]), exact=True)

    def points(self, study: Subject) -> int:
        """How many points are visited."""
        return 0

    def objective(self, study: Subject, run: Run, split: str = SPLITS[0]) -> Objective:
        model = on_device(run.model(), study.device)
        return Objective(model, study.sample(self.task, split), loss=study.trainings.loss)


@dataclass(frozen=True)
class WalkResult(WayResult):
    """Lengths and angles of the way, without any loss."""

    folder: ClassVar[str] = "walks"

    def needs(self, study: Subject) -> tuple[Kind, ...]:
        return self.run, *study.trainings.second(self.run).needs

    def recipe(self, study: Subject) -> Recipe:
        return {"run": self.run.recipe(study), "other": study.trainings.second(self.run).recipe()}

    def compute(self, study: Subject, journal: Journal) -> Arrays:
        run = study.trained(self.run)
        origin = run.theta(0)
        second = study.trainings.second(self.run).vector(origin)
        return as_arrays(walk(run.model(), epochs_of([run]), run.theta(), run.theta_quarter(), second))

    def read(self, study: Subject, arrays: Arrays) -> Walk:
        return Walk(**plain_values(arrays))


@dataclass(frozen=True)
class PathResult(WayResult):
    """The training loss on the straight line from start to end, closely and in float32."""

    folder: ClassVar[str] = "paths"

    def points(self, study: Subject) -> int:
        return len(PATH)

    def compute(self, study: Subject, journal: Journal) -> Arrays:
        run = study.trained(self.run)
        found = straight_path(
            self.objective(study, run), run.theta(0), run.theta(), draws=DRAWS, journal=journal
        )
        return found.arrays()

    def read(self, study: Subject, arrays: Arrays) -> Curve:
        return Curve.from_arrays(arrays)


@dataclass(frozen=True)
class ObstaclesResult(WayResult):
    """The training loss from epoch to epoch, and along the first epoch's direction."""

    folder: ClassVar[str] = "obstacles"

    def points(self, study: Subject) -> int:
        return LEG * study.trainings.settings(self.run).epochs + len(RAY)

    def compute(self, study: Subject, journal: Journal) -> Arrays:
        run = study.trained(self.run)
        found = obstacles(self.objective(study, run), epochs_of([run]), run.theta(), draws=DRAWS)
        return arrays_of(vars(found))

    def read(self, study: Subject, arrays: Arrays) -> Obstacles:
        return Obstacles(**{part: Curve.from_arrays(of_split(arrays, part)) for part in ("path", "ray")})


@dataclass(frozen=True)
class RandomDirectionsResult(WayResult):
    """The training loss around the end along random directions, normalised filter by filter (Li et al. 2018)."""

    folder: ClassVar[str] = "random_directions"

    def points(self, study: Subject) -> int:
        return COUNT * (len(RADII) + 1)

    def compute(self, study: Subject, journal: Journal) -> Arrays:
        run = study.trained(self.run)
        objective, theta = self.objective(study, run), run.theta()
        directions = random_filter_directions(theta, ParameterSpace(objective.model))
        return as_arrays(scan_directions(objective, theta, directions, journal=journal, draws=DRAWS))

    def read(self, study: Subject, arrays: Arrays) -> RandomDirections:
        return RandomDirections(**plain_values(arrays))


@dataclass(frozen=True)
class BarrierResult(WayResult):
    """Loss and dev error between the ends of a fine-tuning and of its further epochs (Figure 4): {split: Curve}."""

    folder: ClassVar[str] = "barriers"

    @classmethod
    def all(cls, study: Subject) -> Iterable[Kind]:
        task, main = study.trainings.overfitted, study.trainings.main
        return [cls(task, main, seed) for seed in study.seeds] if task else []

    @property
    def further(self) -> RunResult:
        return RunResult(self.task, CONTINUED, self.seed)

    def needs(self, study: Subject) -> tuple[Kind, ...]:
        return self.run, self.further

    def recipe(self, study: Subject) -> Recipe:
        return super().recipe(study) | {"further": self.further.recipe(study)}

    def points(self, study: Subject) -> int:
        return 2 * len(BARRIER)

    def compute(self, study: Subject, journal: Journal) -> Arrays:
        run, further = study.trained(self.run), study.trained(self.further)
        model = on_device(run.model(), study.device)
        objectives = [Objective(model, study.sample(self.task, split)) for split in SPLITS]
        found = barrier(objectives, run.theta(), further.theta(), draws=DRAWS, journal=journal)
        return arrays_of(dict(zip(SPLITS, found, strict=True)))

    def read(self, study: Subject, arrays: Arrays) -> dict[str, Curve]:
        return {split: Curve.from_arrays(of_split(arrays, split)) for split in SPLITS}
