"""Ways through weight space against one model at a time, and the geometry of a walk against numpy."""

from __future__ import annotations

import copy
from itertools import pairwise

import numpy as np
import pytest
import torch
from networks import make_examples, make_model

from landscape_utils.engine.objective import Objective
from landscape_utils.engine.space import ParameterSpace
from landscape_utils.landscape.paths import LEG, RAY, barrier, obstacles
from landscape_utils.landscape.walk import random_walk_cosine, walk


def steps(theta: torch.Tensor, count: int = 4, size: float = 0.05) -> list[torch.Tensor]:
    """A random walk from theta, `count` snapshots."""
    generator = torch.Generator().manual_seed(3)
    found = [theta]
    for _ in range(count - 1):
        found.append(found[-1] + size * torch.randn(theta.shape, generator=generator))
    return found


def loss_at(model, theta, examples) -> float:
    twin = copy.deepcopy(model)
    ParameterSpace(twin).write(theta)
    return Objective(twin, examples)().loss


def test_path_and_ray_are_the_losses_of_the_models_on_them():
    """float32 against float32: 1e-5."""
    model, examples = make_model(), make_examples(12)
    thetas = steps(ParameterSpace(model).read())
    found = obstacles(Objective(model, examples), iter(thetas), thetas[-1], draws=20)
    path, ray = found.path, found.ray
    assert len(path.alpha) == 3 * LEG + 1
    for alpha, loss in zip(path.alpha, path.loss, strict=True):
        leg = min(int(alpha), 2)
        there = thetas[leg] + (alpha - leg) * (thetas[leg + 1] - thetas[leg])
        assert loss == pytest.approx(loss_at(model, there, examples), abs=1e-5)
    assert (path.marks["start"].loss, path.marks["end"].loss) == (path.loss[0], path.loss[-1])
    assert np.array_equal(path.draws[:, :, -2:], path.draws[:, :, [0, len(path.loss) - 1]])
    assert path.norm == pytest.approx(sum(float((b - a).norm()) for a, b in pairwise(thetas)))

    unit = (thetas[1] - thetas[0]) / (thetas[1] - thetas[0]).norm() * (thetas[-1] - thetas[0]).norm()
    for i in (0, 7, len(RAY) - 1):
        assert ray.loss[i] == pytest.approx(loss_at(model, thetas[0] + RAY[i] * unit, examples), abs=1e-5)
    assert ray.marks["first epoch"].loss == pytest.approx(path.loss[LEG], abs=1e-5)


def test_obstacles_need_an_epoch():
    model = make_model()
    theta = ParameterSpace(model).read()
    with pytest.raises(ValueError, match="at least one epoch"):
        obstacles(Objective(model, make_examples(3)), iter([theta]), theta)


def test_barrier_goes_from_one_end_to_the_other():
    model, examples = make_model(), make_examples(8)
    first, second = steps(ParameterSpace(model).read(), 2)
    train, dev = barrier([Objective(model, examples), Objective(model, examples[:4])], first, second)
    assert train.marks["start"].loss == pytest.approx(loss_at(model, first, examples), abs=1e-5)
    assert train.loss[-1] == pytest.approx(loss_at(model, second, examples), abs=1e-5)
    assert train.norm == pytest.approx(float((second - first).norm()))
    assert dev.examples == 4


def test_walk_has_the_lengths_and_angles_of_its_snapshots():
    """The brute force in float64; the snapshots are float32, and so is their difference: 1e-5."""
    model = make_model()
    space = ParameterSpace(model)
    thetas = steps(space.read())
    other = random = torch.randn(space.size, generator=torch.Generator().manual_seed(9))
    found = walk(model, iter(thetas), thetas[-1], quarter=thetas[1], delta_2=random)
    plain = [theta.double().numpy() for theta in thetas]
    delta = plain[-1] - plain[0]

    def cosine(v, w):
        return v @ w / np.linalg.norm(v) / np.linalg.norm(w)

    away = [theta - plain[0] for theta in plain]
    assert found.norm == pytest.approx([np.linalg.norm(v) for v in away], rel=1e-5)
    assert found.cosine[1:] == pytest.approx([cosine(v, delta) for v in away[1:]], rel=1e-5)
    assert np.isnan(found.cosine[0])
    assert found.leg == pytest.approx([np.linalg.norm(b - a) for a, b in pairwise(plain)], rel=1e-5)
    assert found.quarter == pytest.approx([found.norm[1], found.cosine[1]])
    assert found.size == pytest.approx([np.linalg.norm(plain[0]), np.linalg.norm(plain[-1])], rel=1e-5)
    assert found.angle == pytest.approx(cosine(other.double().numpy(), delta), rel=1e-5)
    assert found.dimension == space.size
    for i in range(3):  # three layers, one in each group
        parts = [space.slices[name] for name in space.names if f"layer.{i}." in name]
        assert found.moved[i] == pytest.approx(
            np.linalg.norm(np.concatenate([delta[p] for p in parts])), rel=1e-5
        )
        size = np.linalg.norm(np.concatenate([plain[0][p] for p in parts]))
        assert found.group_size[i] == pytest.approx(size, rel=1e-5)


def test_walk_without_groups_or_a_second_direction():
    model = make_model("albert")  # one layer's weights, shared by all
    thetas = steps(ParameterSpace(model).read(), 2)
    found = walk(model, iter(thetas), thetas[-1])
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
