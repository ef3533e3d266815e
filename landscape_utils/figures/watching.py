"""What the live panel asks: the model at a place of a plane, and a scan while it goes on.

What is watched is the journal, so a scan that is stopped is one that was interrupted: its rows are safe, and the next
time it goes on from there. When it is done it is in the store like any other surface.
"""

from collections import UserDict
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from typing import Any

import numpy as np

from ..engine.forward import evaluating
from ..engine.objective import Objective
from ..engine.space import ParameterSpace
from ..engine.walker import strides
from ..landscape.scan import MARKS, Mark, Plane, Surface, assemble
from ..names import SPLITS
from ..study.computing import Computing
from ..study.run_result import RunResult

STRIDES = (8, 4, 2)  # of the coarse grids

Rows = Mapping[int, np.ndarray]


class Place:
    """A run's model, and the plane that it is looked at in."""

    def __init__(self, study: Computing, task: str, how: str):
        self.study, self.task, self.how = study, task, how
        self.plane = study.plane(task, how)
        model: Any = study.trained(RunResult(*study.which(task, how, None))).model()
        self.model = model.to(study.device)

    def measure(self, alpha: float, beta: float) -> dict[str, Mark]:
        """Split -> what the study's sample of it measures at one point."""
        study = self.study
        objectives = {
            s: Objective(self.model, study.sample(self.task, s), loss=study.trainings.loss) for s in SPLITS
        }
        with ParameterSpace(self.model).attached() as theta:
            theta.copy_(self.plane.at(alpha, beta))
            return {split: Mark(alpha, beta, *objective()) for split, objective in objectives.items()}

    def classify(self, examples: Sequence[Mapping[str, Any]], alpha: float, beta: float) -> np.ndarray:
        """(examples, classes): the probability that the model at this point gives each class."""
        objectives = [Objective(self.model, [example]) for example in examples]
        with ParameterSpace(self.model).attached() as theta, evaluating(self.model):
            theta.copy_(self.plane.at(alpha, beta))
            logits = [objective.logits(objective.batches[0])[0] for objective in objectives]  # (C,) each
            return np.array([row.float().softmax(0).cpu().numpy() for row in logits])


class Watched(UserDict):
    """A journal that tells of its rows after each new one is safe; what `tell` raises stops the scan."""

    def __init__(self, rows: MutableMapping[int, np.ndarray], tell: Callable[[Rows], None]):
        self.data, self.tell = rows, tell  # type: ignore[assignment]

    def __setitem__(self, index: int, row: np.ndarray) -> None:
        self.data[index] = row
        self.tell(self.data)


class Coarse:
    """The coarse grids of a scan of `study`'s grid in `plane`, each taken from the scan's rows once it is whole."""

    def __init__(self, study: Computing, task: str, plane: Plane):
        self.axes = study.profile.grid.axes(2)
        self.plane, self.precision = plane, study.profile.precision
        self.sizes = [len(study.sample(task, split)) for split in SPLITS]
        self.stride_of = strides([len(axis) for axis in self.axes])  # (points,)
        self.points = len(self.stride_of)
        self.left = [stride for stride in STRIDES if stride < len(self.axes[0])]

    def take(self, rows: Rows) -> dict[str, Surface] | None:
        """Split -> surface on the finest grid that has become whole since the last call; None for none."""
        whole = None
        while self.left and all(i in rows for i in self._points(self.left[0])):
            whole = self.left.pop(0)
        if whole is None:
            return None
        values = np.array([rows[i] for i in self._points(whole)])
        values = values.reshape(len(values), len(SPLITS), -1)  # (points, splits, 4 + 2 draws)
        axes = [axis[::whole] for axis in self.axes]
        told = {"precision": self.precision, "precision_error": 0.0}
        return {
            split: assemble(self.plane, axes, MARKS, values[:, k], examples=self.sizes[k], **told)
            for k, split in enumerate(SPLITS)
        }

    def _points(self, stride: int) -> list[int]:
        """Indices of the points of a coarse grid, and of the marks."""
        marks = range(self.points, self.points + len(MARKS))
        return [*np.flatnonzero(self.stride_of >= stride).tolist(), *marks]
