"""Ready-made directions and the loss along them, against one model at a time."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from networks import make_examples, make_model

from landscape_utils.engine.objective import Objective
from landscape_utils.engine.space import ParameterSpace
from landscape_utils.errors import UserError
from landscape_utils.landscape.directions import (
    filter_normalised,
    layer_normalised,
    plane_through,
    principal_components,
    principal_plane,
    random_direction,
    random_filter_directions,
    random_plane,
    scan_directions,
)
from landscape_utils.landscape.scan import Line, scan

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


def test_a_random_plane_is_filter_normalised_with_the_norm_that_is_asked_for():
    space = ParameterSpace(make_model())
    theta = space.read()
    for seed, found in {
        0: random_filter_directions(theta, space, 2),
        4: random_filter_directions(theta, space, 2, 4),
    }.items():
        for i, direction in enumerate(found):
            drawn = random_direction(space.size, seed * 100_003 + i)
            assert torch.equal(direction, filter_normalised(drawn, theta, space))
    assert torch.equal(random_plane(theta, 3.0, space)[0].y, random_plane(theta, 3.0, space, 0)[0].y)
    plane, marks = random_plane(theta, 3.0, space, seed=4)
    assert marks == {"trained network": (0.0, 0.0)}
    assert torch.equal(plane.at(0.0, 0.0), theta)
    for direction, like in zip(plane.directions, random_filter_directions(theta, space, 2, 4), strict=True):
        torch.testing.assert_close(direction, 3.0 * like / like.norm())


@pytest.mark.parametrize("block", [7, 1 << 20])
def test_principal_components_are_those_of_the_centred_snapshots(monkeypatch, block):
    """Against numpy's SVD in float64; the components are float32: 1e-6."""
    monkeypatch.setattr("landscape_utils.landscape.directions.BLOCK", block)
    generator = torch.Generator().manual_seed(0)
    thetas = list(torch.randn(5, 50, generator=generator).cumsum(dim=0))
    found, shares = principal_components(thetas)
    centred = np.array(torch.stack(thetas), dtype=float)
    centred -= centred.mean(axis=0)
    _, singular, rows = np.linalg.svd(centred, full_matrices=False)
    signs = np.sign(rows[:2] @ (centred[-1] - centred[0]))[:, None]
    np.testing.assert_allclose(found, signs * rows[:2], atol=1e-6)
    np.testing.assert_allclose(shares, (singular**2 / (singular**2).sum())[:2], rtol=1e-10)
    plane, marks, _ = principal_plane(thetas)
    assert marks == {"trained network": (0.0, 0.0)}
    assert torch.equal(plane.origin, thetas[-1])
    for direction, component in zip(plane.directions, found, strict=True):
        torch.testing.assert_close(direction, (thetas[-1] - thetas[0]).norm() * component)


def test_a_plane_through_three_models_holds_them_at_their_places():
    """float32: 1e-5. The map is not oblique: its directions are at a right angle and of one length."""
    thetas = {name: random_direction(50, seed) for seed, name in enumerate(("Adam", "SGD", "start"))}
    plane, marks = plane_through(thetas)
    assert (marks["Adam"], marks["SGD"]) == ((0.0, 0.0), (1.0, 0.0))
    assert plane.cosine == pytest.approx(0, abs=1e-6)
    for name, theta in thetas.items():
        torch.testing.assert_close(plane.at(*marks[name]), theta, rtol=0, atol=1e-5)


@pytest.mark.parametrize("make", [principal_components, lambda rows: plane_through(dict(enumerate(rows)))])
def test_what_spans_no_plane_is_refused(make):
    one = random_direction(50, 0)
    with pytest.raises(UserError, match=r"on one line"):
        make([one, 2 * one, 3 * one])
    with pytest.raises(UserError, match=r"three .*; got 2"):
        make([one, -one])


def test_vectors_of_another_size_are_refused():
    space, one = ParameterSpace(make_model()), random_direction(50, 0)
    with pytest.raises(UserError, match="of one size"):
        principal_components([one, one[1:], one])
    for direction, like in ((one, space.read()), (space.read(), one)):
        with pytest.raises(UserError, match=r"must be .* got \(50,\)"):
            layer_normalised(direction, like, space)


def test_loss_along_directions_is_that_of_the_model_with_its_weights_set():
    """float32 against float32: 1e-5; the draws are those of a scan."""
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
    assert found.precision_error == 0.0  # in float32, whatever was probed
    curves = [scan(Objective(model, examples), Line(theta, d), RADII, draws=50) for d in directions]
    end, along = curves[0].draws[:, :1, -2], [curve.draws[:, 0, :2] for curve in curves]
    np.testing.assert_array_equal(found.draws, np.concatenate([end, *along], axis=1))
    del journal[1]
    again = scan_directions(Objective(model, examples), theta, directions, RADII, journal, draws=50)
    assert all(np.array_equal(value, getattr(again, name)) for name, value in vars(found).items())
