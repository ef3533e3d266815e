"""Ways through weight space against one model at a time, and the geometry of a path against numpy."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from geometry import noise
from networks import make_examples, make_model, plain_float64

from landscape_utils.engine.objective import Objective
from landscape_utils.engine.space import ParameterSpace
from landscape_utils.errors import UserError
from landscape_utils.landscape.paths import LEG, RAY, obstacles, random_walk_cosine, training_path


def steps(model, count: int) -> list[torch.Tensor]:
    """A random walk from the model's weights, `count` snapshots."""
    found = [ParameterSpace(model).read()]
    for i in range(count - 1):
        found.append(found[-1] + noise(len(found[0]), i, 0.05))
    return found


def assert_losses(curve, model, thetas, examples) -> None:
    """float32 against float64: 1e-5."""
    expected = [plain_float64(model, theta, examples)[0] for theta in thetas]
    np.testing.assert_allclose(curve.loss, expected, atol=1e-5)


def test_path_and_ray_are_the_losses_of_the_models_on_them(model):
    examples, thetas = make_examples(12), steps(model, 4)
    found = obstacles(Objective(model, examples), iter(thetas), thetas[-1], draws=20)
    path, ray = found.path, found.ray
    assert len(path.alpha) == 3 * LEG + 1
    legs = [(min(int(a), 2), a) for a in path.alpha]
    on_path = [thetas[leg] + (a - leg) * (thetas[leg + 1] - thetas[leg]) for leg, a in legs]
    assert_losses(path, model, on_path, examples)
    assert (path.marks["start"].loss, path.marks["end"].loss) == (path.loss[0], path.loss[-1])
    assert np.array_equal(path.draws[:, :, -2:], path.draws[:, :, [0, len(path.loss) - 1]])
    assert path.norm == pytest.approx(sum(float((b - a).norm()) for a, b in pairwise(thetas)))

    unit = (thetas[1] - thetas[0]) / (thetas[1] - thetas[0]).norm() * (thetas[-1] - thetas[0]).norm()
    assert_losses(ray, model, [thetas[0] + r * unit for r in RAY], examples)
    assert ray.marks["first epoch"].loss == pytest.approx(path.loss[LEG], abs=1e-5)
    assert ray.marks["start"].loss == pytest.approx(path.loss[0], abs=1e-5)
    assert [(mark.alpha, mark.beta) for mark in path.marks.values()] == [(0, 0), (3, 0)]
    with pytest.raises(ValueError, match="expected 2, got 1"):
        obstacles(Objective(model, examples), iter(thetas[:1]), thetas[0])


def test_a_path_has_the_lengths_and_angles_of_its_snapshots(model):
    """The brute force in float64; the snapshots are float32, and so is their difference: 1e-5."""
    space, thetas = ParameterSpace(model), steps(model, 4)
    other = noise(space.size, 9)
    found = training_path(model, iter(thetas), thetas[-1], quarter=thetas[1], delta_2=other)
    plain = [theta.double().numpy() for theta in thetas]
    away = [theta - plain[0] for theta in plain]

    def norms(vectors):
        return pytest.approx([np.linalg.norm(v) for v in vectors], rel=1e-5)

    def cosine(v, w):
        return pytest.approx(v @ w / np.linalg.norm(v) / np.linalg.norm(w), rel=1e-5)

    assert found.norm == norms(away)
    assert all(c == cosine(v, away[-1]) for c, v in zip(found.cosine[1:], away[1:], strict=True))
    assert np.isnan(found.cosine[0])
    assert found.leg == norms([b - a for a, b in pairwise(plain)])
    assert found.quarter == pytest.approx([found.norm[1], found.cosine[1]])
    assert found.size == norms([plain[0], plain[-1]])
    assert found.angle == cosine(other.double().numpy(), away[-1])
    assert found.dimension == space.size
    layers = [[part for name, part in space.slices.items() if f"layer.{i}." in name] for i in range(3)]
    parts = [np.r_[tuple(layer)] for layer in layers]  # three layers, one in each group
    assert found.moved == norms([away[-1][part] for part in parts])
    assert found.group_size == norms([plain[0][part] for part in parts])
    shared = make_model("albert")  # one layer's weights for all: no groups
    thetas = steps(shared, 2)
    found = training_path(shared, iter(thetas), thetas[-1], None, None)
    assert len(found.moved) == 0
    assert np.isnan([found.angle, *found.quarter]).all()


def test_cosine_of_a_random_walk_is_the_mean_of_many():
    """Steps of length l_t in independent directions: the mean over 200 walks in 2,000 dimensions, each off by
    1 / sqrt(2000), so that five standard errors are 0.008."""
    rng, lengths = np.random.default_rng(0), np.linspace(1, 0.1, 40)
    walks = rng.normal(size=(200, 40, 2000)) / np.sqrt(2000) * lengths[:, None]
    part, whole = walks[:, :10].sum(axis=1), walks.sum(axis=1)
    cosines = (part * whole).sum(1) / np.linalg.norm(part, axis=1) / np.linalg.norm(whole, axis=1)
    assert random_walk_cosine(lengths) == pytest.approx(cosines.mean(), abs=0.008)
    assert random_walk_cosine(7 * lengths) == pytest.approx(random_walk_cosine(lengths))


def test_an_epoch_that_moved_nothing_is_a_level_leg_and_the_first_one_must_move(model):
    objective, theta = Objective(model, make_examples(8)), ParameterSpace(model).read()
    first, last = theta + noise(len(theta), 1, 0.02), theta + noise(len(theta), 2, 0.02)
    found = obstacles(objective, [theta, first, last, last], last).path
    np.testing.assert_allclose(found.loss[-5:], found.loss[-5], rtol=1e-6)
    assert found.norm == pytest.approx(float((first - theta).norm() + (last - first).norm()), rel=1e-5)
    with pytest.raises(UserError, match="the first epoch moved no weight"):
        obstacles(objective, [theta, theta, last], last)
