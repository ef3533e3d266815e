"""Curves and surfaces as results of a study: an objective scanned over a line or a plane (Eq. 1 and 2, section 7)."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch

from ..engine.objective import TOKENS_PER_BATCH, Objective
from ..engine.space import ParameterSpace, layer_groups, layer_ranges
from ..landscape.rollback import LAYER_MARKS
from ..landscape.scan import MARKS, Curve, Line, Plane, Surface, scan
from ..names import GROUPS, SPLITS, one_of
from ..training.models import on_device
from ..training.tasks import SAMPLE_SEED
from .kind import Arrays, Cost, Journal, Kind, Recipe, Scale, Subject
from .run_result import RunResult, pairs_of

DRAWS = 100  # of the bootstrap: its 95 % interval then has two or three draws outside on each side
ROW_BYTES = 32 + 8 * DRAWS  # of one split at one point


@dataclass(frozen=True)
class ScanResult(Kind):
    """An objective scanned over a region, both splits in one walk and in one file: {split: Curve or Surface}."""

    by_points: ClassVar[bool] = True
    parts: ClassVar[tuple[str, ...]] = ("engine", "landscape", "study.scan_results")
    dimensions: ClassVar[int] = 2
    marks: ClassVar[Mapping[str, Any]] = MARKS
    task: str
    how: str
    seed: int

    @classmethod
    def all(cls, study: Subject) -> Iterable[ScanResult]:
        seeds = study.seeds if cls.dimensions == 1 else study.surface_seeds
        return [cls(task, how, seed) for task, how in pairs_of(study) for seed in seeds]

    @property
    def run(self) -> RunResult:
        return RunResult(self.task, self.how, self.seed)

    @property
    def name(self) -> str:
        return f"{self.task}-{self.how}"

    @abstractmethod
    def region(self, study: Subject) -> Line | Plane:
        """What is scanned."""

    def recipe(self, study: Subject) -> Recipe:
        grid, (axis, *_) = study.profile.grid, study.profile.grid.axes(self.dimensions)
        sample = {**study.profile.sample.model_dump(), "seed": SAMPLE_SEED}
        scanned = {"resolution": len(axis), "span": grid.span, "sample": sample, "draws": DRAWS}
        return self.directions(study) | scanned | {"precision": study.profile.precision}

    def directions(self, study: Subject) -> Recipe:
        """The part of the recipe that says which vectors span the region."""
        return {"run": self.run.recipe(study), "other": study.trainings.second(self.run).recipe()}

    def needs(self, study: Subject) -> tuple[Kind, ...]:
        return self.run, *study.trainings.second(self.run).needs

    def compute(self, study: Subject, journal: Journal) -> Arrays:
        trained = study.trained(self.run)
        model = trained.model() if study.client else on_device(trained.model(), study.device)
        batch, loss = TOKENS_PER_BATCH[torch.device(study.device).type], study.trainings.loss
        found = scan(
            [Objective(model, study.sample(self.task, split), batch, loss) for split in SPLITS],
            self.region(study),
            *study.profile.grid.axes(self.dimensions),
            marks=self.marks,
            precision=study.profile.precision,
            draws=DRAWS,
            journal=journal,
            client=study.client,
            device=study.device,
            what=self.label,
        )
        told = [replace(one, learned=trained.learned) for one in found]
        return arrays_of(dict(zip(SPLITS, told, strict=True)))

    def points(self, study: Subject) -> int:
        return math.prod(map(len, study.profile.grid.axes(self.dimensions))) + len(self.marks)

    def cost(self, study: Subject, scale: Scale) -> Cost:
        return visits(study, scale, self.task, self.points(study), SPLITS)

    def read(self, study: Subject, arrays: Arrays) -> dict[str, Any]:
        kind = Curve if self.dimensions == 1 else Surface
        return {split: kind.from_arrays(of_split(arrays, split)) for split in SPLITS}


@dataclass(frozen=True)
class CurveResult(ScanResult):
    """Eq. 1: the line from theta_0 through theta_1."""

    folder: ClassVar[str] = "curves"
    dimensions: ClassVar[int] = 1

    def directions(self, study: Subject) -> Recipe:
        return {"run": self.run.recipe(study)}

    def needs(self, study: Subject) -> tuple[Kind, ...]:
        return (self.run,)

    def region(self, study: Subject) -> Line:
        run = study.trained(self.run)
        return Line(run.theta(0), run.theta() - run.theta(0))


@dataclass(frozen=True)
class SurfaceResult(ScanResult):
    """Eq. 2: the plane through theta_0 along delta_1 of the task and delta_2 of its partner."""

    folder: ClassVar[str] = "surfaces"

    def region(self, study: Subject) -> Plane:
        return study.plane(self.task, self.how, self.seed)


@dataclass(frozen=True)
class LayerResult(ScanResult):
    """Section 7: f(alpha, beta) around theta_1 where the layers of one group alone move."""

    folder: ClassVar[str] = "layers"
    marks: ClassVar[Mapping[str, Any]] = LAYER_MARKS
    group: str = GROUPS[0]

    def __post_init__(self) -> None:
        one_of("layer group", self.group, GROUPS)

    @classmethod
    def all(cls, study: Subject) -> Iterable[LayerResult]:
        main = study.trainings.main
        seeds = study.surface_seeds
        return [cls(task, main, s, group) for task in study.layer_tasks for s in seeds for group in GROUPS]

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

    def cost(self, study: Subject, scale: Scale) -> Cost:
        points = self.points(study) * share_from(scale, self.group)
        return visits(study, scale, self.task, points, SPLITS)


def arrays_of(curves: Mapping[str, Curve]) -> Arrays:
    """The arrays of several curves, each under its name: `of_split` gives one's back."""
    return {f"{split}.{name}": a for split, curve in curves.items() for name, a in curve.arrays().items()}


def of_split(arrays: Arrays, split: str) -> Arrays:
    """The arrays of one split, by their own names."""
    return {name.removeprefix(f"{split}."): a for name, a in arrays.items() if name.startswith(f"{split}.")}


def visits(study: Subject, scale: Scale, task: str, points: float, splits: Iterable[str]) -> Cost:
    """The cost of so many visits on the study's samples of the splits."""
    sizes = zip(SPLITS, scale.examples[task], scale.tokens[task], strict=True)
    asked = study.profile.sample.model_dump()
    tokens = sum(min(asked[s] or n, n) * length for s, n, length in sizes if s in splits)
    return Cost(visits=points, visit_tokens=points * tokens, disk=2 * ROW_BYTES * points)


def share_from(scale: Scale, group: str) -> float:
    """The share of a visit that is left where the layers below a group are replayed."""
    return 1 - layer_ranges(scale.layers)[group][0] / scale.layers
