"""The cube of rollbacks against one model at a time, its layers set by name."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from conftest import make_examples, make_model

from landscape_utils.engine.space import ParameterSpace
from landscape_utils.errors import UserError
from landscape_utils.landscape.rollback import roll_back, roll_back_together

AXIS = np.array([-1.0, -0.5, 0.0])


def start_of(model: torch.nn.Module) -> torch.Tensor:
    """A theta_0 far enough from the model's weights for the answers to change on the way."""
    theta = ParameterSpace(model).read()
    return theta + 0.3 * torch.randn(theta.shape, generator=torch.Generator().manual_seed(1))


def test_cube_is_the_accuracy_of_the_model_with_its_layers_set():
    model, examples = make_model(), make_examples(24)
    space = ParameterSpace(model)
    theta_1, theta_0 = space.read(), start_of(model)
    cube = roll_back_together(model, theta_0, theta_1, examples, AXIS, {})
    for index in np.ndindex(cube.shape):
        twin = copy.deepcopy(model).eval()
        moved = theta_1.clone()
        for layer, i in enumerate(index):  # three layers, one in each group
            for name in space.names:
                if f"layer.{layer}." in name:
                    part = space.slices[name]
                    moved[part] += float(AXIS[i]) * (theta_1 - theta_0)[part]
        ParameterSpace(twin).write(moved)
        with torch.no_grad():
            right = [
                int(twin(**{k: torch.tensor([v]) for k, v in e.items() if k != "labels"}).logits.argmax())
                == e["labels"]
                for e in examples
            ]
        assert round(24 * cube[index], 9) == sum(right)
    assert len(np.unique(cube)) > 3


def test_its_edges_are_the_rollbacks_and_a_journal_goes_on():
    model, examples = make_model(), make_examples(24)
    theta_1, theta_0 = ParameterSpace(model).read(), start_of(model)
    journal: dict[int, np.ndarray] = {}
    cube = roll_back_together(model, theta_0, theta_1, examples, AXIS, journal)
    alone = roll_back(model, theta_0, theta_1, examples)
    assert cube[2, 2, 2] == alone.fine_tuned
    assert [cube[0, 2, 2], cube[2, 0, 2], cube[2, 2, 0]] == list(alone.groups.values())
    del journal[1]
    assert np.array_equal(roll_back_together(model, theta_0, theta_1, examples, AXIS, journal), cube)


def test_weights_of_another_size_are_refused():
    model, examples = make_model(), make_examples(4)
    theta = ParameterSpace(model).read()
    for name, pair in {"theta_0": (theta[:5], theta), "theta_1": (theta, theta[:5])}.items():
        with pytest.raises(
            UserError, match=rf"{name} must be a tensor of shape \({len(theta)},\), .* got \(5,\)"
        ):
            roll_back(model, *pair, examples)
