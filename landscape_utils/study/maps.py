"""The maps of a training along directions of the user's choice, as results of a study."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..engine.space import ParameterSpace
from ..landscape.directions import TRAINED, principal_plane, random_plane
from ..landscape.scan import Plane, Surface
from ..landscape.trajectory import Trajectory, project
from ..store.result_file import as_arrays, part_of, plain_values
from ..training.finetune import epochs_of
from .kind import Arrays, Journal, Recipe, Subject
from .scan_results import ScanResult

PARTNER, RANDOM, PCA = DIRECTIONS = ("partner", "random", "pca")
PATH, SHARES = "path", "shares"


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

    It is asked for by name, and no study has one of itself: it is none of `results.KINDS`.
    """

    folder = "maps"
    in_plane = False
    parts = (*ScanResult.parts, "study.maps")
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
        placed = {f"{PATH}.{name}": array for name, array in path.items()}
        return {**self.scanned(study, journal, plane), **placed, SHARES: shares}

    def read(self, study: Subject, arrays: Arrays) -> Any:
        path = Trajectory(**plain_values(part_of(arrays, PATH)))
        return Map(super().read(study, arrays), path, arrays[SHARES])
