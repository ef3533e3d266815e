"""Eigenvalues against the dense Hessian, sharpness against quadratics solved by hand; all in float64."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from conftest import make_examples, make_model
from scipy.optimize import brentq
from test_derivatives import backward_twice

from landscape_utils import curvature
from landscape_utils.curvature import (
    BALLS,
    RADIUS,
    SHARE,
    Curvature,
    ascend,
    measure_curvature,
    sharpness,
    top_eigenvalues,
)
from landscape_utils.derivatives import Losses, WrittenOut
from landscape_utils.objective import Objective, evaluating
from landscape_utils.parameters import ParameterSpace

TINY = {"hidden_size": 4, "num_hidden_layers": 1, "intermediate_size": 4, "max_position_embeddings": 18}


def tiny(tokens: int = 60) -> Objective:
    """Of 484 weights, so that its Hessian can be written down, and away from the flat start of training."""
    model = make_model(**TINY).double()
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(4)
    return Objective(model, make_examples(8), tokens)


@pytest.fixture(scope="module")
def dense() -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues and vectors of the whole Hessian, by autograd's backward-over-backward, column by column."""
    losses = Losses(tiny(1000))
    losses.model.eval()
    columns = [backward_twice(losses, unit)[1] for unit in torch.eye(losses.space.size).double()]
    return np.linalg.eigh(torch.stack(columns).numpy())


@pytest.mark.parametrize("tokens", [1000, 60, 1])  # one batch, several, and one for each example
def test_eigenvalues_are_those_of_the_dense_hessian(dense, tokens, monkeypatch):
    """Lanczos's error in lambda is of residual squared over a gap: at residuals of 1e-5 it is below 1e-8."""
    monkeypatch.setattr(curvature, "RESTARTS", 100)
    found = top_eigenvalues(tiny(tokens), tolerance=1e-5)
    np.testing.assert_allclose(found.eigenvalues, dense[0][::-1][:3], rtol=1e-8)
    assert (found.residuals <= 1.1e-5 * found.eigenvalues).all()


def test_an_eigenvalue_lies_within_the_residual(dense):
    found = top_eigenvalues(tiny())
    for value, residual in zip(found.eigenvalues, found.residuals, strict=True):
        assert np.abs(dense[0] - value).min() <= residual * 1.001
    assert (found.residuals <= 0.0101 * found.eigenvalues).all()


def test_stderr_is_that_of_each_examples_bend_along_the_vector(dense):
    vector = torch.from_numpy(dense[1][:, -1].copy())
    bends = []
    for example in make_examples(8):
        losses = Losses(Objective(tiny().model, [example]))
        losses.model.eval()
        bends.append(float(vector @ backward_twice(losses, vector)[1]))
    found = top_eigenvalues(tiny())
    assert np.mean(bends) == pytest.approx(dense[0][-1], rel=1e-9)
    # the vector is good to the residual over the gap, 1e-3
    assert found.stderr[0] == pytest.approx(np.std(bends, ddof=1) / 8**0.5, rel=1e-2)


def test_what_did_not_converge_is_no_number(dense, monkeypatch):
    monkeypatch.setattr(curvature, "RESTARTS", 1)
    found = top_eigenvalues(tiny(), tolerance=1e-6)
    assert np.isnan(found.eigenvalues).any()
    assert (np.isnan(found.eigenvalues) == np.isnan(found.residuals)).all()
    converged = found.eigenvalues[np.isfinite(found.eigenvalues)]
    np.testing.assert_allclose(converged, dense[0][::-1][: len(converged)], rtol=1e-6)


def test_a_wrong_derivative_is_found_out(monkeypatch, caplog):
    monkeypatch.setattr(WrittenOut, "WRITTEN", {})
    assert np.isnan(top_eigenvalues(tiny()).eigenvalues).all()
    (record,) = caplog.records
    assert "no eigenvalues: the loss of BertForSequenceClassification bends by" in record.message


class Quadratic:
    """g.e + e.A e / 2 + 1 with the face of `Losses`: two examples, one 2 above and one 2 below their mean."""

    def __init__(self, matrix: np.ndarray, slope: np.ndarray, theta: np.ndarray):
        self.matrix, self.slope, self.theta = map(torch.from_numpy, (matrix, slope, theta))

    @property
    def start(self):
        return self.theta, *self.gradient(self.theta)

    def gradient(self, theta):
        e = theta - self.theta
        mean = self.slope @ e + e @ self.matrix @ e / 2 + 1
        return torch.stack([mean + 2, mean - 2]), self.slope + self.matrix @ e


def highest(matrix: np.ndarray, slope: np.ndarray, radius: float) -> float:
    """The maximum in the ball: e = (m - A)^-1 g with m above all eigenvalues of A, where |e| is the radius."""
    values, vectors = np.linalg.eigh(matrix)
    g = vectors.T @ slope
    top = values[-1]
    m = brentq(lambda m: np.linalg.norm(g / (m - values)) - radius, top + 1e-9, top + 1e6)
    e = g / (m - values)
    return float(g @ e + e @ (values * e) / 2)


@pytest.mark.parametrize("eta", [None, 0.0, 0.3])
@pytest.mark.parametrize("radius", [0.01, 0.5, 3.0])
def test_ascent_finds_the_maximum_of_a_quadratic(eta, radius, monkeypatch):
    rng = np.random.default_rng(3)
    root = rng.normal(size=(6, 6))
    quadratic = Quadratic(root @ root.T, rng.normal(size=6), rng.normal(size=6))
    scale = np.ones(6) if eta is None else np.abs(quadratic.theta.numpy()) + eta
    expected = highest(
        scale[:, None] * quadratic.matrix.numpy() * scale, scale * quadratic.slope.numpy(), radius
    )
    monkeypatch.setattr(curvature, "GAIN", 0.0)
    found = ascend(quadratic, radius, eta, steps=200)
    monkeypatch.undo()
    assert found.rise == pytest.approx(expected, rel=1e-6)
    assert found.first_order == pytest.approx(
        radius * np.linalg.norm(scale * quadratic.slope.numpy()), rel=1e-12
    )
    usual = ascend(quadratic, radius, eta)
    assert usual.settled
    assert found.first_order <= usual.rise <= expected * (1 + 1e-12)  # convex: above its tangent
    assert usual.rise > 0.97 * expected  # that near it comes where three steps no longer gain a hundredth


def test_a_rise_that_is_the_same_for_all_examples_has_no_error():
    found = ascend(Quadratic(np.eye(2), np.ones(2), np.zeros(2)), 1.0)
    assert found.stderr == pytest.approx(0.0, abs=1e-15)


def test_an_ascent_that_still_gains_says_so():
    """Uphill at first along the lower of two ridges: 10 + 10^2 / 2 there, twice as high and more along the other."""
    quadratic = Quadratic(np.diag([2.0, 1.0]), np.array([0.1, 1.0]), np.zeros(2))
    cut, whole = ascend(quadratic, 10.0, steps=3), ascend(quadratic, 10.0)
    assert (cut.settled, whole.settled) == (False, True)
    assert cut.rise < 65
    assert whole.rise > 100


def test_nothing_rises_where_nothing_slopes_or_moves():
    level = ascend(Quadratic(np.eye(2), np.zeros(2), np.ones(2)), 1.0)
    still = ascend(Quadratic(np.eye(2), np.ones(2), np.ones(2)), 0.0)
    assert level.rise == still.rise == level.first_order == 0.0


@pytest.mark.parametrize("eta", [None, 0.01])
def test_one_step_is_the_ascent_of_sharpness_aware_minimisation(eta):
    """Foret et al. 2021, eq. 2, and Kwon et al. 2021, with the weights put in by hand."""
    objective = tiny()
    losses = Losses(objective)
    losses.model.eval()
    theta, radius = losses.space.read(), 0.3
    slope, _ = backward_twice(losses, theta)
    scale = 1.0 if eta is None else theta.abs() + eta
    moved = copy.deepcopy(objective.model)
    ParameterSpace(moved).write(theta + radius * scale**2 * slope / (scale * slope).norm())
    expected = Objective(moved, make_examples(8))().loss - objective().loss
    assert sharpness(objective, radius, eta, steps=1).rise == pytest.approx(expected, rel=1e-10)


def test_the_error_is_that_of_the_examples_rises():
    objective = tiny()
    found = sharpness(objective, 0.05, steps=1)
    losses = Losses(objective)
    with evaluating(objective.model):
        theta, before, slope = losses.start
        after, _ = losses.gradient(theta + 0.05 * slope / slope.norm())
    assert found.stderr == pytest.approx(float((after - before).std()) / 8**0.5, rel=1e-10)


def rescaled(model: torch.nn.Module, factor: float) -> torch.nn.Module:
    """The same function: what goes into the ReLU of each layer times a factor, what comes out of it over it."""
    twin = copy.deepcopy(model)
    with torch.no_grad():
        for layer in twin.bert.encoder.layer:
            layer.intermediate.dense.weight *= factor
            layer.intermediate.dense.bias *= factor
            layer.output.dense.weight /= factor
    return twin


def test_adaptive_sharpness_outlives_a_rescaling_that_plain_sharpness_does_not():
    """Dinh et al. 2017, on a BERT with ReLU; without eta, which is a size of its own."""
    torch.manual_seed(0)
    model = make_model(hidden_act="relu").double()
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.2 * torch.randn_like(p))
    examples = make_examples()
    one, other = (Objective(m, examples) for m in (model, rescaled(model, 8.0)))
    assert one().loss == pytest.approx(other().loss, rel=1e-12)
    adaptive, adaptive_other = (sharpness(o, 0.5, eta=0.0) for o in (one, other))
    assert adaptive_other.rise == pytest.approx(adaptive.rise, rel=1e-8)
    assert adaptive_other.first_order == pytest.approx(adaptive.first_order, rel=1e-8)
    assert adaptive.rise > 0.01
    plain, plain_other = (sharpness(o, 0.5).rise for o in (one, other))
    assert abs(plain_other / plain - 1) > 0.1


def test_a_loss_that_overflows_is_an_infinite_rise():
    class Walled(Quadratic):
        def gradient(self, theta):
            each, slope = super().gradient(theta)
            return each + torch.tensor([0.0, math.inf if (theta - self.theta).norm() > 0.5 else 0.0]), slope

    walled = Walled(np.eye(2), np.ones(2), np.zeros(2))
    assert ascend(walled, 0.6).rise == math.inf
    assert ascend(walled, 0.4).rise < math.inf


def test_a_model_that_diverged_has_no_curvature():
    objective = tiny()
    theta_0 = ParameterSpace(objective.model).read()
    objective.model.bert.pooler.dense.weight.data[0, 0] = math.nan
    found = measure_curvature(objective, theta_0)
    assert np.isnan(found.spectrum.eigenvalues).all()
    assert all(math.isnan(ball.rise) for ball in found.balls.values())


def test_measured_is_what_its_parts_measure_and_comes_back_from_a_file():
    objective = tiny()
    theta = ParameterSpace(objective.model).read()
    found = measure_curvature(objective, theta - 0.1)
    assert found.norm == pytest.approx(0.1 * len(theta) ** 0.5)
    assert found.size == pytest.approx(float(theta.norm()))
    assert [found.balls[name].radius for name in BALLS] == [SHARE * found.norm, RADIUS, 0.5]
    assert found.balls["distance"] == sharpness(objective, RADIUS)
    assert found.balls["adaptive"] == sharpness(objective, 0.5, 0.01)
    arrays = found.arrays()
    assert all(isinstance(array, np.ndarray) for array in arrays.values())
    again = Curvature.from_arrays(arrays)
    assert (again.examples, again.norm, again.size, again.balls) == (8, found.norm, found.size, found.balls)
    for name, array in vars(found.spectrum).items():
        np.testing.assert_array_equal(vars(again.spectrum)[name], array)
    np.testing.assert_array_equal(found.spectrum.eigenvalues, top_eigenvalues(objective).eigenvalues)


def test_in_float32_nothing_that_counts_is_lost():
    """Weights of 1e-7 relative error: eigenvalues to 1e-4, rises of 0.1 nats to 1e-5."""
    double = measure_curvature(tiny(), torch.zeros(ParameterSpace(tiny().model).size))
    objective = Objective(tiny().model.float(), make_examples(8), 60)
    single = measure_curvature(objective, torch.zeros(ParameterSpace(objective.model).size))
    np.testing.assert_allclose(single.spectrum.eigenvalues, double.spectrum.eigenvalues, rtol=1e-4)
    for name in BALLS:
        assert single.balls[name].rise == pytest.approx(double.balls[name].rise, abs=1e-5)
