"""Curves and surfaces as results of a study: an objective scanned over a line or a plane (Eq. 1 and 2, section 7), or
along directions of the user's choice.
"""

import math
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch

from ..engine.objective import TOKENS_PER_BATCH, Objective
from ..engine.space import ParameterSpace, layer_groups
from ..errors import one_of
from ..landscape.directions import TRAINED, principal_plane, random_plane
from ..landscape.rollback import LAYER_MARKS
from ..landscape.scan import MARKS, Curve, Line, Plane, Surface, scan
from ..landscape.trajectory import Trajectory, project
from ..names import GROUPS, SPLITS
from ..store.result_file import as_arrays, part_of, plain_values
from ..training.finetune import epochs_of
from ..training.models import on_device
from .kind import Arrays, Journal, Kind, Recipe, Scale, Subject
from .run_result import DRAWS, OfOneRun, arrays_of, pairs_of, sampling, scans_of, share_from


class ScanResult(OfOneRun):
    """An objective scanned over a region, both splits in one walk and in one file: {split: Curve or Surface}."""

    by_points = True
    in_plane = True
    form: ClassVar[Any] = partial(scans_of, form=Surface)
    dimensions: ClassVar[int] = 2
    marks: ClassVar[Mapping[str, Any]] = MARKS

    @classmethod
    def all(cls, study: Subject) -> Iterable[Kind]:
        seeds = study.seeds if cls.dimensions == 1 else study.surface_seeds
        return [cls(task, how, seed) for task, how in pairs_of(study) for seed in seeds]

    @property
    def name(self) -> str:
        return f"{self.task}-{self.how}"

    @abstractmethod
    def region(self, study: Subject) -> Line | Plane:
        """What is scanned."""

    def recipe(self, study: Subject) -> Recipe:
        axis = study.profile.grid.axes(self.dimensions)[0]
        scanned: Recipe = {
            "resolution": len(axis),
            "span": study.profile.grid.span,
            "precision": study.profile.precision,
        }
        if tolerance := self.tolerance(study):
            scanned["tolerance"] = tolerance
        return super().recipe(study) | scanned | {"sample": sampling(study), "draws": DRAWS}

    def tolerance(self, study: Subject) -> float | str | None:
        """Of interpolated points; a curve has so few that all are computed."""
        return study.profile.grid.tolerance if self.dimensions == 2 else None

    def compute(self, study: Subject, journal: Journal) -> Arrays:
        return self.scanned(study, journal, self.region(study))

    def scanned(self, study: Subject, journal: Journal, region: Line | Plane) -> Arrays:
        """The arrays of the scan of a region."""
        trained = study.trained(self.run)
        model = trained.model() if study.client else on_device(trained.model(), study.device)
        batch, loss = TOKENS_PER_BATCH[torch.device(study.device).type], study.trainings.loss
        found = scan(
            [Objective(model, study.sample(self.task, split), batch, loss) for split in SPLITS],
            region,
            *study.profile.grid.axes(self.dimensions),
            marks=self.marks,
            precision=study.profile.precision,
            draws=DRAWS,
            tolerance=self.tolerance(study),
            journal=journal,
            client=study.client,
            device=study.device,
            what=self.label,
        )
        told = [replace(one, learned=trained.learned) for one in found]
        return arrays_of(dict(zip(SPLITS, told, strict=True)))

    def points(self, study: Subject, scale: Scale) -> float:
        return math.prod(map(len, study.profile.grid.axes(self.dimensions))) + len(self.marks)


class CurveResult(ScanResult):
    """Eq. 1: the line from theta_0 through theta_1."""

    folder = "curves"
    in_plane = False
    form = partial(scans_of, form=Curve)
    dimensions = 1

    def region(self, study: Subject) -> Line:
        run = study.trained(self.run)
        return Line(run.theta(0), run.theta() - run.theta(0))


class SurfaceResult(ScanResult):
    """Eq. 2: the plane through theta_0 along delta_1 of the task and delta_2 of its partner."""

    folder = "surfaces"

    def region(self, study: Subject) -> Plane:
        return study.plane(self.task, self.how, self.seed)


@dataclass(frozen=True)
class LayerResult(ScanResult):
    """Section 7: f(alpha, beta) around theta_1 where the layers of one group alone move."""

    folder = "layers"
    marks = LAYER_MARKS
    group: str = GROUPS[0]

    def __post_init__(self) -> None:
        one_of("layer group", self.group, GROUPS)

    @classmethod
    def all(cls, study: Subject) -> Iterable[Kind]:
        places = [(task, seed) for task in study.layer_tasks for seed in study.surface_seeds]
        return [cls(task, study.trainings.main, seed, group) for task, seed in places for group in GROUPS]

    @property
    def name(self) -> str:
        return f"{self.task}-{self.group}"

    def recipe(self, study: Subject) -> Recipe:
        return super().recipe(study) | {"group": self.group}

    def region(self, study: Subject) -> Plane:
        whole, run = study.plane(self.task, self.how, self.seed), study.trained(self.run)
        model = run.model()
        space, names = ParameterSpace(model), layer_groups(model)[self.group]
        return Plane(run.theta(), space.restrict(whole.x, names), space.restrict(whole.y, names))

    def points(self, study: Subject, scale: Scale) -> float:
        return super().points(study, scale) * share_from(scale, self.group)


PARTNER, RANDOM, PCA = DIRECTIONS = ("partner", "random", "pca")


@dataclass(frozen=True)
class Map:
    """A surface of each split, the training's checkpoints in its coordinates, and, of principal components, the share
    of the variance of the checkpoints that each of the two has; of other directions none."""

    surfaces: dict[str, Surface]
    path: Trajectory
    shares: np.ndarray = field(default_factory=lambda: np.array([]))


@dataclass(frozen=True)
class MapResult(ScanResult):
    """The plane around the trained network along two random directions, or the principal components of the way to it.

    `Checkpoints` asks for it; no study has one of itself, and it is none of `computing.KINDS`.
    """

    folder = "maps"
    in_plane = False
    marks = TRAINED
    along: str = PCA

    @property
    def name(self) -> str:
        return f"{self.task}-{self.how}-{self.along}"

    def recipe(self, study: Subject) -> Recipe:
        seed = {"seed": self.seed} if self.along == RANDOM else {}
        return super().recipe(study) | {"along": self.along, **seed}

    def region(self, study: Subject) -> Plane:
        return self.spanned(study)[0]

    def spanned(self, study: Subject) -> tuple[Plane, np.ndarray]:
        """The plane, and the shares of the variance."""
        run = study.trained(self.run)
        if self.along == PCA:
            plane, _, shares = principal_plane(list(epochs_of([run])))
            return plane, shares
        end = run.theta()
        norm = float((end - run.theta(0)).norm())
        return random_plane(end, norm, ParameterSpace(run.model()), self.seed)[0], np.array([])

    def compute(self, study: Subject, journal: Journal) -> Arrays:
        plane, shares = self.spanned(study)
        path = as_arrays(project(epochs_of([study.trained(self.run)]), plane))
        placed = {f"path.{name}": array for name, array in path.items()}
        return {**self.scanned(study, journal, plane), **placed, "shares": shares}

    def read(self, study: Subject, arrays: Arrays) -> Any:
        path = Trajectory(**plain_values(part_of(arrays, "path")))
        return Map(super().read(study, arrays), path, arrays["shares"])
