"""The rollback of all three layer groups at once, each by any share: what is between the columns of Table 1.

Table 1 sets one group back to theta_0 and leaves the others (Hao et al. 2019, section 7). Here the three move
independently: accuracy at theta_1 + a delta_1^low + b delta_1^middle + c delta_1^high, each of a, b, c from -1 (rolled
back) to 0 (fine-tuned).
"""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence

import numpy as np
from torch import Tensor
from transformers import PreTrainedModel

from .landscape import Plane, scan
from .objective import Example, Objective
from .parameters import ParameterSpace, layer_groups

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
