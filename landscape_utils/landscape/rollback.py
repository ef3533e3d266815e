"""Rollback: a fine-tuned model with one group of layers set back to theta_0 (Hao et al. 2019, section 7, Table 1)."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor
from transformers import PreTrainedModel

from ..engine.objective import Example, Objective
from ..engine.space import ParameterSpace, layer_groups, layer_ranges, layer_stack
from ..names import GROUPS
from .scan import Line, Plane, scan

FINE_TUNED, ROLLED_BACK = "fine-tuned", "rolled back"
LAYER_MARKS = {FINE_TUNED: (0.0, 0.0), ROLLED_BACK: (-1.0, 0.0)}


@dataclass(frozen=True)
class Rollback:
    """Accuracy of a fine-tuned model, and of the same with one layer group at theta_0.

    Attributes:
        examples: how many they were measured on.
        fine_tuned, fine_tuned_stderr: accuracy of the whole fine-tuned model, and its standard error.
        groups, stderr: the same for each group, "low", "middle", "high".
        layers: first and last layer of each group.
        moved: |delta_1^G|, how far fine-tuning moved each group.
    """

    examples: int
    fine_tuned: float
    fine_tuned_stderr: float
    groups: dict[str, float]
    stderr: dict[str, float]
    layers: dict[str, tuple[int, int]]
    moved: dict[str, float]

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything as arrays, for a file: (groups,) each, or one number."""
        return {
            "examples": np.array(self.examples),
            "fine_tuned": np.array([self.fine_tuned, self.fine_tuned_stderr]),
            "groups": np.array([[self.groups[g], self.stderr[g]] for g in GROUPS]),
            "layers": np.array([self.layers[g] for g in GROUPS]),
            "moved": np.array([self.moved[g] for g in GROUPS]),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Rollback:
        """The inverse of `arrays`."""
        (fine_tuned, fine_tuned_stderr), (accuracy, stderr) = arrays["fine_tuned"], arrays["groups"].T
        return cls(
            examples=int(arrays["examples"]),
            fine_tuned=float(fine_tuned),
            fine_tuned_stderr=float(fine_tuned_stderr),
            groups=dict(zip(GROUPS, accuracy.tolist(), strict=True)),
            stderr=dict(zip(GROUPS, stderr.tolist(), strict=True)),
            layers={g: (int(a), int(b)) for g, (a, b) in zip(GROUPS, arrays["layers"], strict=True)},
            moved=dict(zip(GROUPS, arrays["moved"].tolist(), strict=True)),
        )


def roll_back(
    model: PreTrainedModel, theta_0: Tensor, theta_1: Tensor, examples: Sequence[Example]
) -> Rollback:
    """Measure f(-1, 0) of section 7 for each layer group: J(theta_1 - delta_1^G) on `examples`.

    Raises:
        UserError: an encoder without layer groups, weights of another size.
    """
    space, groups, objective = ParameterSpace(model), layer_groups(model), Objective(model, examples)
    for name, theta in (("theta_0", theta_0), ("theta_1", theta_1)):
        space.check(theta, name)
    found = {
        group: scan(
            objective,
            Line(theta_1, space.restrict(theta_1 - theta_0, names)),
            [0.0],
            marks=LAYER_MARKS,
            what=f"roll back {group} layers",
        )
        for group, names in groups.items()
    }
    fine_tuned = found["low"].marks[FINE_TUNED]
    rolled_back = {group: curve.marks[ROLLED_BACK] for group, curve in found.items()}
    stack = layer_stack(model)
    assert stack is not None  # layer_groups found one
    return Rollback(
        examples=objective.size,
        fine_tuned=1 - fine_tuned.error,
        fine_tuned_stderr=fine_tuned.error_stderr,
        groups={group: 1 - mark.error for group, mark in rolled_back.items()},
        stderr={group: mark.error_stderr for group, mark in rolled_back.items()},
        layers=layer_ranges(len(stack[1])),
        moved={group: curve.norm for group, curve in found.items()},
    )


AXIS = np.linspace(-1, 0, 5)  # in quarters


def roll_back_together(
    model: PreTrainedModel,
    theta_0: Tensor,
    theta_1: Tensor,
    examples: Sequence[Example],
    axis: np.ndarray,
    journal: MutableMapping[int, np.ndarray],
) -> np.ndarray:
    """Accuracy on `examples`, (n, n, n) over low, middle and high layers, each along `axis`, (n,).

    Raises:
        UserError: an encoder with fewer than three layers.
    """
    space, objective = ParameterSpace(model), Objective(model, examples)
    low, middle, high = (space.restrict(theta_1 - theta_0, names) for names in layer_groups(model).values())
    for i, a in enumerate(axis.tolist()):
        if i not in journal:
            plane = Plane(theta_1 + a * low, middle, high, rescale=False)
            found = scan(objective, plane, axis, axis, marks={}, what=f"low layers at {a:g}")
            journal[i] = 1 - found.error.ravel()
    return np.stack([journal[i] for i in range(len(axis))]).reshape(3 * [len(axis)])
