"""What is measured of a training's way and of the surroundings of its end, as results of a study."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from ..engine.objective import Objective
from ..engine.space import ParameterSpace
from ..landscape.directions import COUNT, RADII, RandomDirections, random_filter_directions, scan_directions
from ..landscape.paths import BARRIER, LEG, PATH, RAY, Obstacles, barrier, obstacles, straight_path
from ..landscape.scan import Curve
from ..landscape.walk import Walk, walk
from ..names import SPLITS
from ..store.result_file import as_arrays
from ..training.finetune import Run, epochs_of
from ..training.models import on_device
from .kind import Arrays, Journal, Kind, Recipe, Scale, Subject, fields_of
from .run_result import DRAWS, OfOneRun, sampling
from .scan_results import arrays_of, scans_of


@dataclass(frozen=True)
class WalkResult(OfOneRun):
    """Lengths and angles of the way, without any loss."""

    folder = "walks"
    in_plane = True
    form = fields_of(Walk)

    def compute(self, study: Subject, journal: Journal) -> Arrays:
        run = study.trained(self.run)
        second = study.trainings.second(self.run).vector(run.theta(0))
        return as_arrays(walk(run.model(), epochs_of([run]), run.theta(), run.theta_quarter(), second))


@dataclass(frozen=True)
class WayResult(OfOneRun):
    """Losses at points that a training's way leads to."""

    splits: ClassVar[tuple[str, ...]] = SPLITS[:1]

    def recipe(self, study: Subject) -> Recipe:
        return super().recipe(study) | {"sample": sampling(study), "draws": DRAWS}

    def objectives(self, study: Subject, run: Run) -> list[Objective]:
        model, loss = on_device(run.model(), study.device), study.trainings.loss
        return [Objective(model, study.sample(self.task, split), loss=loss) for split in self.splits]


@dataclass(frozen=True)
class PathResult(WayResult):
    """The training loss on the straight line from start to end, closely and in float32."""

    folder = "paths"
    form = Curve.from_arrays
    visits = len(PATH)

    def compute(self, study: Subject, journal: Journal) -> Arrays:
        run = study.trained(self.run)
        (objective,) = self.objectives(study, run)
        return straight_path(objective, run.theta(0), run.theta(), draws=DRAWS, journal=journal).arrays()


@dataclass(frozen=True)
class ObstaclesResult(WayResult):
    """The training loss from epoch to epoch, and along the first epoch's direction."""

    folder = "obstacles"

    def points(self, study: Subject, scale: Scale) -> float:
        return LEG * study.trainings.settings(self.run).epochs + len(RAY)

    def compute(self, study: Subject, journal: Journal) -> Arrays:
        run = study.trained(self.run)
        (objective,) = self.objectives(study, run)
        return arrays_of(vars(obstacles(objective, epochs_of([run]), run.theta(), draws=DRAWS)))

    def read(self, study: Subject, arrays: Arrays) -> Obstacles:
        return Obstacles(**scans_of(arrays, Curve, ("path", "ray")))


@dataclass(frozen=True)
class RandomDirectionsResult(WayResult):
    """The training loss around the end along random directions, normalised filter by filter (Li et al. 2018)."""

    folder = "random_directions"
    form = fields_of(RandomDirections)
    visits = COUNT * (len(RADII) + 1)

    def compute(self, study: Subject, journal: Journal) -> Arrays:
        run = study.trained(self.run)
        (objective,), theta = self.objectives(study, run), run.theta()
        directions = random_filter_directions(theta, ParameterSpace(objective.model))
        return as_arrays(scan_directions(objective, theta, directions, journal=journal, draws=DRAWS))


@dataclass(frozen=True)
class BarrierResult(WayResult):
    """Loss and dev error between the ends of a fine-tuning and of its further epochs (Figure 4): {split: Curve}."""

    folder = "barriers"
    form = partial(scans_of, form=Curve)
    splits = SPLITS
    visits = len(BARRIER)

    @classmethod
    def all(cls, study: Subject) -> Iterable[Kind]:
        task, main = study.trainings.overfitted, study.trainings.main
        return [cls(task, main, seed) for seed in study.seeds] if task else []

    def needs(self, study: Subject) -> tuple[Kind, ...]:
        return self.run, self.run.further

    def recipe(self, study: Subject) -> Recipe:
        return super().recipe(study) | {"further": self.run.further.recipe(study)}

    def compute(self, study: Subject, journal: Journal) -> Arrays:
        run, further = study.trained(self.run), study.trained(self.run.further)
        objectives = self.objectives(study, run)
        found = barrier(objectives, run.theta(), further.theta(), draws=DRAWS, journal=journal)
        return arrays_of(dict(zip(self.splits, found, strict=True)))
