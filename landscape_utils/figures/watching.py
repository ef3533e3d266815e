"""A scan that is watched: an ordinary study's surface, whose coarse grids are shown as soon as they are whole.

What is watched is the journal, so a scan that is stopped is one that was interrupted: its rows are safe, and the next
time it goes on from there. When it is done it is in the store like any other surface.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import Any

import numpy as np

from ..engine.walker import strides
from ..landscape.scan import MARKS, Plane, Surface, assemble
from ..names import SPLITS
from ..study.study import Study

STRIDES = (8, 4, 2)  # of the coarse grids

Rows = Mapping[int, np.ndarray]


class Watched(MutableMapping[int, np.ndarray]):
    """A journal that tells of its rows after each new one is safe."""

    def __init__(self, rows: MutableMapping[int, np.ndarray], tell: Callable[[Rows], None]):
        self.rows, self.tell = rows, tell

    def __setitem__(self, index: int, row: np.ndarray) -> None:
        self.rows[index] = row
        self.tell(self.rows)

    def __getitem__(self, index: int) -> np.ndarray:
        return self.rows[index]

    def __delitem__(self, index: int) -> None:
        del self.rows[index]

    def __iter__(self) -> Iterator[int]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)


class Coarse:
    """The coarse grids of a scan of `study`'s grid in `plane`, each taken from the scan's rows once it is whole."""

    def __init__(self, study: Study, task: str, plane: Plane):
        grid = study.profile.grid
        self.axis, _ = grid.axes(2)
        self.plane, self.precision = plane, study.profile.precision
        self.sizes = [len(study.sample(task, split)) for split in SPLITS]
        self.stride_of = strides((grid.resolution, grid.resolution))  # (points,)
        self.left = [stride for stride in STRIDES if stride < grid.resolution]

    @property
    def points(self) -> int:
        """How many the whole grid has."""
        return len(self.stride_of)

    def take(self, rows: Rows) -> dict[str, Surface] | None:
        """Split -> surface on the finest grid that has become whole since the last call; None for none."""
        done = None
        while self.left and all(i in rows for i in self._grid(self.left[0])):
            done = self.left.pop(0)
        return self._surfaces(rows, done) if done else None

    def _grid(self, stride: int) -> list[int]:
        """Indices of the points of a coarse grid, and of the marks."""
        return [
            *np.flatnonzero(self.stride_of >= stride).tolist(),
            *range(self.points, self.points + len(MARKS)),
        ]

    def _surfaces(self, rows: Rows, stride: int) -> dict[str, Surface]:
        values = np.array([rows[i] for i in self._grid(stride)])
        values = values.reshape(len(values), len(SPLITS), -1)  # (points, splits, 4 + 2 draws)
        axes = [self.axis[::stride]] * 2
        found: list[Any] = [
            assemble(self.plane, axes, MARKS, values[:, k], size, self.precision, 0.0)
            for k, size in enumerate(self.sizes)
        ]
        return dict(zip(SPLITS, found, strict=True))
