"""Ready-made directions and the loss along them, against one model at a time."""

import numpy as np
import pytest
import torch
from networks import make_examples, make_model, plain_float64
from torch.testing import assert_close

from landscape_utils.engine.objective import Objective
from landscape_utils.engine.space import ParameterSpace
from landscape_utils.errors import UserError
from landscape_utils.landscape import directions
from landscape_utils.landscape.directions import normalised, random_direction, scan_directions
from landscape_utils.landscape.scan import Line, scan

RADII = (0.1, 0.5)
HERE = {"trained network": (0.0, 0.0)}


@pytest.fixture(scope="module")
def space() -> ParameterSpace:
    return ParameterSpace(make_model())


def test_filters_and_parameters_have_the_norms_of_what_they_are_like(space):
    like = random_direction(space.size, 1) * torch.linspace(0, 2, space.size)
    direction = random_direction(space.size, 0)
    by_filter, by_layer = (normalised(direction, like, space, filters) for filters in (True, False))
    for name, parameter in space.encoder.named_parameters():
        part = space.slices[name]
        assert_close(by_layer[part], direction[part] * like[part].norm() / direction[part].norm())
        if parameter.ndim == 1:
            assert not by_filter[part].any(), "biases and layer normalisation stay"
        else:
            norms = (vector[part].view(len(parameter), -1).norm(dim=1) for vector in (by_filter, like))
            assert_close(*norms)


def test_a_random_plane_is_filter_normalised_with_the_norm_that_is_asked_for(space):
    theta = space.read()
    for seed, given in {0: {}, 4: {"seed": 4}}.items():
        plane, marks = directions.random_plane(theta, 3.0, space, **given)
        assert marks == HERE
        assert torch.equal(plane.at(0.0, 0.0), theta)
        found = directions.random_filter_directions(theta, space, 2, **given)
        for i, (direction, other) in enumerate(zip(plane.directions, found, strict=True)):
            like = normalised(random_direction(space.size, seed * 100_003 + i), theta, space, filters=True)
            assert torch.equal(other, like)
            assert_close(direction, 3.0 * like / like.norm())


@pytest.mark.parametrize("block", [7, 1 << 20])
def test_principal_components_are_those_of_the_centred_snapshots(monkeypatch, block):
    """Against numpy's SVD in float64; the components are float32, as long as the way: 1e-5."""
    monkeypatch.setattr(directions, "BLOCK", block)
    thetas = list(torch.randn(5, 50, generator=torch.Generator().manual_seed(0)).cumsum(dim=0))
    plane, marks, shares = directions.principal_plane(thetas)
    centred = torch.stack(thetas).double().numpy()
    centred -= centred.mean(axis=0)
    _, singular, rows = np.linalg.svd(centred, full_matrices=False)
    signs = np.sign(rows[:2] @ (centred[-1] - centred[0]))[:, None]
    way = np.linalg.norm(centred[-1] - centred[0])
    np.testing.assert_allclose(torch.stack(plane.directions), way * signs * rows[:2], atol=1e-5)
    np.testing.assert_allclose(shares, (singular**2 / (singular**2).sum())[:2], rtol=1e-10)
    assert marks == HERE
    assert torch.equal(plane.origin, thetas[-1])


def test_a_plane_through_three_models_holds_them_at_their_places():
    """float32: 1e-5. The map is not oblique: its directions are at a right angle and of one length."""
    thetas = {name: random_direction(50, seed) for seed, name in enumerate(("Adam", "SGD", "start"))}
    plane, marks = directions.plane_through(thetas)
    assert (marks["Adam"], marks["SGD"]) == ((0.0, 0.0), (1.0, 0.0))
    assert plane.cosine == pytest.approx(0, abs=1e-6)
    for name, theta in thetas.items():
        assert_close(plane.at(*marks[name]), theta, rtol=0, atol=1e-5)


def test_what_spans_no_plane_and_vectors_of_another_size_are_refused(space):
    one = random_direction(50, 0)
    for make in (directions.principal_plane, lambda rows: directions.plane_through(dict(enumerate(rows)))):
        with pytest.raises(UserError, match=r"on one line"):
            make([one, 2 * one, 3 * one])
        with pytest.raises(UserError, match=r"three .*; got 2"):
            make([one, -one])
    with pytest.raises(UserError, match="of one size"):
        directions.principal_plane([one, one[1:], one])
    for direction, like in ((one, space.read()), (space.read(), one)):
        with pytest.raises(UserError, match=r"must be .* got .*\(50,\)"):
            normalised(direction, like, space)


def test_loss_along_directions_is_that_of_the_model_with_its_weights_set(model):
    """float32 against float64: 1e-5; the draws are those of a scan."""
    examples, space, journal = make_examples(16), ParameterSpace(model), {}
    objective, theta = Objective(model, examples), space.read()
    ways = list(directions.random_filter_directions(theta, space, count=3))
    found = scan_directions(objective, theta, ways, RADII, journal, draws=50)
    losses = [[plain_float64(model, theta + r * way, examples)[0] for r in RADII] for way in ways]
    np.testing.assert_allclose(found.loss, losses, atol=1e-5)
    assert found.end == pytest.approx(objective().loss, abs=1e-5)
    assert torch.equal(space.read(), theta)
    assert found.precision_error == 0.0  # in float32, whatever was probed
    curves = [scan(objective, Line(theta, direction), RADII, draws=50) for direction in ways]
    end, along = curves[0].draws[:, :1, -2], [curve.draws[:, 0, :2] for curve in curves]
    np.testing.assert_array_equal(found.draws, np.concatenate([end, *along], axis=1))
    plain = scan_directions(objective, theta, ways, RADII)
    np.testing.assert_array_equal(plain.loss, found.loss)
    assert plain.draws.size == 0
    del journal[1]
    again = scan_directions(objective, theta, ways, RADII, journal, draws=50)
    np.testing.assert_equal(vars(again), vars(found))
