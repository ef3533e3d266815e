"""Ready-made directions and the loss along them, against one model at a time."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from networks import make_examples, make_model

from landscape_utils.engine.objective import Objective
from landscape_utils.engine.space import ParameterSpace
from landscape_utils.landscape.directions import (
    RandomDirections,
    filter_normalised,
    layer_normalised,
    random_direction,
    random_filter_directions,
    scan_directions,
)

RADII = (0.1, 0.5)


def test_each_filter_has_the_norm_of_its_own_weights():
    space = ParameterSpace(make_model())
    theta = space.read()
    found = filter_normalised(random_direction(space.size, 0), theta, space)
    for name, parameter in space.encoder.named_parameters():
        part = found[space.slices[name]].view(parameter.shape)
        if parameter.ndim == 1:
            assert not part.any(), "biases and layer normalisation stay"
        else:
            torch.testing.assert_close(part.flatten(1).norm(dim=1), parameter.detach().flatten(1).norm(dim=1))


def test_each_parameter_has_the_norm_of_what_it_is_like():
    space = ParameterSpace(make_model())
    like = random_direction(space.size, 1) * torch.linspace(0, 2, space.size)
    found = layer_normalised(random_direction(space.size, 0), like, space)
    for part in space.slices.values():
        assert float(found[part].norm()) == pytest.approx(float(like[part].norm()), rel=1e-5)


def test_loss_along_directions_is_that_of_the_model_with_its_weights_set():
    """float32 against float32: 1e-5; the draws are those of a scan, so that their mean is near the loss."""
    model, examples = make_model(), make_examples(16)
    space = ParameterSpace(model)
    theta, journal = space.read(), {}
    directions = list(random_filter_directions(theta, space, count=3))
    found = scan_directions(Objective(model, examples), theta, directions, RADII, journal, draws=50)
    twin = copy.deepcopy(model)
    for i, direction in enumerate(directions):
        for j, radius in enumerate(RADII):
            ParameterSpace(twin).write(theta + radius * direction)
            assert found.loss[i, j] == pytest.approx(Objective(twin, examples)().loss, abs=1e-5)
    assert found.end == pytest.approx(Objective(model, examples)().loss, abs=1e-5)
    assert torch.equal(space.read(), theta)
    stderr = found.draws.std(axis=0)
    assert (np.abs(found.draws.mean(axis=0) - np.append(found.end, found.loss)) < stderr).all()
    del journal[1]
    again = scan_directions(Objective(model, examples), theta, directions, RADII, journal, draws=50)
    back = RandomDirections.from_arrays(found.arrays())
    for other in (again, back):
        assert all(
            np.array_equal(a, b)
            for a, b in zip(found.arrays().values(), other.arrays().values(), strict=True)
        )
