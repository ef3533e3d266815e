"""Rollback: a fine-tuned model with one group of layers set back to theta_0 (Hao et al. 2019, section 7, Table 1).

Random sets of as many layers are set back, too: what a group costs beyond them is owed to where its layers are. The
outcome of each example is kept, so that two rollbacks are compared on the same examples.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, combinations
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from ..engine.examples import Example
from ..engine.forward import evaluating
from ..engine.losses import Loss
from ..engine.objective import Objective
from ..engine.precision import Journal
from ..engine.space import ParameterSpace, layer_groups, layer_parameters, layer_ranges, length
from ..names import GROUPS
from .scan import Plane, passable, scan

FINE_TUNED, ROLLED_BACK = "fine-tuned", "rolled back"
LAYER_MARKS = {FINE_TUNED: (0.0, 0.0), ROLLED_BACK: (-1.0, 0.0)}
AXIS = np.linspace(-1, 0, 5)  # in quarters
RANDOM_SETS = 8  # of layers, rolled back beside the three groups
PER_EXAMPLE = ("loss", "correct", "random_sets")


@dataclass(frozen=True, eq=False)
class Rollback:
    """Accuracy of a fine-tuned model, and of the same with one layer group at theta_0.

    Attributes:
        examples: how many they were measured on, n.
        fine_tuned, fine_tuned_stderr: accuracy of the whole fine-tuned model, and its standard error.
        groups, stderr: the same for each group, "low", "middle", "high".
        layers: first and last layer of each group.
        moved: |delta_1^G|, how far fine-tuning moved each group.
        loss, correct: (4 + N, n) of each example, in order of length: fine-tuned, low, middle and high layers back,
            then N random sets of layers, `random_sets` (N, k); all empty in results of an earlier version.

    >>> study.rollback("mrpc").layers["high"]
    (4, 5)
    """

    examples: int
    fine_tuned: float
    fine_tuned_stderr: float
    groups: dict[str, float]
    stderr: dict[str, float]
    layers: dict[str, tuple[int, int]]
    moved: dict[str, float]
    loss: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    correct: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), bool))
    random_sets: np.ndarray = field(default_factory=lambda: np.zeros((0, 0), int))

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything as arrays, for a file: (groups,) each, or one number."""
        return {
            "examples": np.array(self.examples),
            "fine_tuned": np.array([self.fine_tuned, self.fine_tuned_stderr]),
            "groups": np.array([[self.groups[g], self.stderr[g]] for g in GROUPS]),
            "layers": np.array([self.layers[g] for g in GROUPS]),
            "moved": np.array([self.moved[g] for g in GROUPS]),
            **{name: getattr(self, name) for name in PER_EXAMPLE},
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> Self:
        """The inverse of `arrays`."""
        whole, whole_stderr = arrays["fine_tuned"].tolist()
        groups, stderr, moved = map(by_group, (*arrays["groups"].T, arrays["moved"]))
        layers = dict(zip(GROUPS, map(tuple, arrays["layers"].tolist()), strict=True))
        of_each = {name: arrays[name] for name in PER_EXAMPLE if name in arrays}
        return cls(int(arrays["examples"]), whole, whole_stderr, groups, stderr, layers, moved, **of_each)


def by_group(values: np.ndarray) -> dict[str, float]:
    return dict(zip(GROUPS, values.tolist(), strict=True))


def roll_back(
    model: nn.Module,
    theta_0: Tensor,
    theta_1: Tensor,
    examples: Sequence[Example],
    random_sets: int = RANDOM_SETS,
    loss: Loss | None = None,
) -> Rollback:
    """Measure f(-1, 0) of section 7 for each layer group, J(theta_1 - delta_1^G) on `examples`, and for random sets of
    as many layers as the high group has, or all such sets if they are fewer.

    >>> list(lu.roll_back(model, theta_0, theta_1, examples).groups)
    ['low', 'middle', 'high']
    """
    space, objective = ParameterSpace(model), Objective(model, examples, loss=loss)
    space.check(theta_0, "theta_0")
    space.check(theta_1, "theta_1")
    groups, layers = layer_groups(model), layer_parameters(model)
    ranges = layer_ranges(len(layers))
    first, last = ranges["high"]
    sets = sets_of_layers(len(layers), last - first + 1, random_sets)
    names = [(), *groups.values(), *(tuple(chain(*(layers[i] for i in some))) for some in sets)]
    delta = theta_1 - theta_0
    found = []
    with space.attached(space.wide) as weights, evaluating(model):
        for some in names:
            weights.copy_(theta_1 - space.restrict(delta, some))
            found.append(torch.stack(objective.outcomes(objective.logits)))  # (2, n) in order of length
    losses, wrong = torch.stack(found, dim=1).double().cpu().numpy()  # (4 + N, n) each
    accuracy = 1 - wrong.mean(axis=1)
    stderr = wrong.std(axis=1, ddof=1) / np.sqrt(objective.size) if objective.size > 1 else accuracy * np.nan
    of_groups = by_group(accuracy[1:4]), by_group(stderr[1:4])
    moved = {group: length(space.restrict(delta, some)) for group, some in groups.items()}
    each = {"loss": losses.astype(np.float32), "correct": wrong == 0, "random_sets": np.array(sets)}
    return Rollback(objective.size, float(accuracy[0]), float(stderr[0]), *of_groups, ranges, moved, **each)


def sets_of_layers(layers: int, size: int, count: int) -> list[tuple[int, ...]]:
    """`count` different sets of `size` out of so many layers, always the same ones; all of them if they are fewer."""
    if math.comb(layers, size) <= count:
        return list(combinations(range(layers), size))
    generator, found = np.random.default_rng(0), set[tuple[int, ...]]()
    while len(found) < count:
        found.add(tuple(sorted(generator.choice(layers, size, replace=False).tolist())))
    return sorted(found)


def roll_back_together(
    objective: Objective, theta_0: Tensor, theta_1: Tensor, axis: np.ndarray, journal: Journal
) -> np.ndarray:
    """The objective's accuracy, (n, n, n) over low, middle and high layers, each along `axis`, (n,)."""
    space, groups = ParameterSpace(objective.model), layer_groups(objective.model)
    low, *others = (space.restrict(theta_1 - theta_0, names) for names in groups.values())
    (middle, at), (high, there) = (passable(direction, axis) for direction in others)
    for i, a in enumerate(axis.tolist()):
        if i not in journal:
            plane = Plane(theta_1 + a * low, middle, high, rescale=False)
            found = scan(objective, plane, at, there, marks={}, what=f"low layers at {a:g}")
            journal[i] = 1 - found.error.ravel()
    return np.stack([journal[i] for i in range(len(axis))]).reshape(3 * [len(axis)])
