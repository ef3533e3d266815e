"""Scans against a plain float64 evaluation of every point, and what they leave behind: nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from geometry import ALPHA, BETA, Acting, assert_same, directions, interrupt, keep_layers, make_plane
from networks import MODELS, make_examples, make_model, plain_float64

from landscape_utils.engine.objective import Objective
from landscape_utils.engine.space import ParameterSpace
from landscape_utils.errors import UserError
from landscape_utils.landscape.scan import Curve, Line, Plane, Surface, scan

# float32 against float64: rounding of the weights and of three layers' sums, at losses of order one
FLOAT32 = 1e-5


@pytest.mark.parametrize("kind", MODELS)
def test_surface_is_the_plain_float64_one(kind):
    model, examples = make_model(kind), make_examples()
    plane = make_plane(model)
    surface = scan(Objective(model, examples), plane, ALPHA, BETA)
    assert isinstance(surface, Surface)
    assert surface.loss.shape == surface.error.shape == (3, 2)
    assert surface.loss.dtype == np.float64
    wide = [v.double() for v in (plane.origin, plane.x, plane.y)]
    for i, alpha in enumerate(ALPHA):
        for j, beta in enumerate(BETA):
            theta = wide[0] + alpha * wide[1] + beta * wide[2]
            found = [getattr(surface, n)[i, j] for n in ("loss", "error", "loss_stderr", "error_stderr")]
            np.testing.assert_allclose(found, plain_float64(model, theta, examples), atol=FLOAT32)


def test_float64_model_is_scanned_in_float64(examples):
    model = make_model().double()
    plane = make_plane(model.float())
    model.double()
    plane = Plane(plane.origin.double(), plane.x.double(), plane.y.double())
    surface = scan(Objective(model, examples), plane, ALPHA, BETA)
    for i, alpha in enumerate(ALPHA):
        expected = [plain_float64(model, plane.at(alpha, beta), examples)[0] for beta in BETA]
        np.testing.assert_allclose(surface.loss[i], expected, rtol=1e-12)


def test_curve_is_the_plane_without_beta(model, examples):
    plane, objective = make_plane(model), Objective(model, examples)
    curve = scan(objective, Line(plane.origin, plane.x), ALPHA)
    surface = scan(objective, plane, ALPHA, [0.0])
    assert type(curve) is Curve
    np.testing.assert_array_equal(curve.loss, surface.loss[:, 0])
    assert curve.marks["end"] == surface.marks["end"]


def test_start_and_end_are_evaluated_at_their_own_place(model, examples):
    plane, objective = make_plane(model), Objective(model, examples)
    surface = scan(objective, plane, np.linspace(-4, 4, 4), [-4.0, 4.0])
    assert (0.0 not in surface.alpha) and (1.0 not in surface.alpha)
    start, end = surface.marks["start"], surface.marks["end"]
    assert (start.alpha, start.beta, end.alpha, end.beta) == (0, 0, 1, 0)
    assert tuple(start[2:]) == objective()
    ParameterSpace(model).write(plane.at(1, 0))
    np.testing.assert_allclose(end[2:], objective(), atol=FLOAT32)


def test_the_order_of_the_grid_does_not_matter_to_a_bit(model, examples):
    plane, objective = make_plane(model), Objective(model, examples)
    forward = scan(objective, plane, ALPHA, BETA)
    backward = scan(objective, plane, ALPHA[::-1], BETA[::-1])
    np.testing.assert_array_equal(forward.loss, backward.loss[::-1, ::-1])


def test_several_objectives_share_a_visit(model, examples):
    plane = make_plane(model)
    one, two = Objective(model, examples), Objective(model, make_examples(7, seed=5))
    together = scan([one, two], plane, ALPHA, BETA)
    for surface, objective in zip(together, (one, two), strict=True):
        alone = scan(objective, plane, ALPHA, BETA)
        np.testing.assert_array_equal(surface.loss, alone.loss)
        np.testing.assert_array_equal(surface.error, alone.error)
        assert surface.examples == objective.size


@pytest.mark.parametrize("fail", [False, True])
def test_the_model_is_as_it_was_found(model, examples, fail, monkeypatch):
    model.train()
    model.base_model.embeddings.word_embeddings.weight.requires_grad_(False)
    before = {n: (p.data_ptr(), p.detach().clone(), p.requires_grad) for n, p in model.named_parameters()}
    modules = [(name, id(module), module.training) for name, module in model.named_modules()]
    plane = make_plane(model)
    plane = Plane(plane.origin, *(keep_layers(model, v, (2,)) for v in (plane.x, plane.y)))
    objective = Objective(model, examples)
    journal = Acting(3 if fail else 1000, interrupt)
    if fail:
        with pytest.raises(KeyboardInterrupt):
            scan(objective, plane, ALPHA, BETA, journal=journal)
    else:
        scan(objective, plane, ALPHA, BETA, journal=journal)
    assert [(name, id(module), module.training) for name, module in model.named_modules()] == modules
    for name, p in model.named_parameters():
        pointer, value, requires_grad = before[name]
        assert (p.data_ptr(), p.requires_grad) == (pointer, requires_grad)
        assert torch.equal(p, value)


def test_an_interrupted_scan_goes_on_where_it_was_to_the_same_bits(model, examples):
    plane, objective = make_plane(model), Objective(model, examples)
    whole = scan(objective, plane, ALPHA, BETA)
    journal = Acting(4, interrupt)
    with pytest.raises(KeyboardInterrupt):
        scan(objective, plane, ALPHA, BETA, journal=journal)
    written = []
    rest = Acting(0, lambda: written.append(1))
    rest.update(journal)
    assert_same([scan(objective, plane, ALPHA, BETA, journal=rest)], [whole])
    assert len(written) == 1 + 8 - 4  # the probe's row and 3 x 2 points and 2 marks, less what there was


def test_a_loss_that_is_not_finite_is_a_result(model, examples):
    plane = make_plane(model)
    surface = scan(Objective(model, examples), plane, [0.0, 1e38], [0.0])
    assert np.isfinite(surface.loss[0, 0])
    assert not np.isfinite(surface.loss[1, 0])
    assert np.isnan(surface.error[1, 0])
    assert surface.non_finite == 1


def test_y_is_rescaled_to_the_norm_of_x(model):
    space = ParameterSpace(model)
    x, y = directions(space.size)
    plane = Plane(space.read(), x, 5 * y)
    torch.testing.assert_close(plane.y.norm(), x.norm())
    torch.testing.assert_close(Plane(space.read(), x, 5 * y, rescale=False).y, 5 * y)
    assert plane.norm == pytest.approx(float(x.norm()), rel=1e-6)
    expected = float(torch.nn.functional.cosine_similarity(x, y, dim=0))
    assert plane.cosine == pytest.approx(expected, abs=1e-6)


def test_arrays_are_the_whole_result(model, examples):
    plane, objective = make_plane(model), Objective(model, examples)
    for result in (scan(objective, plane, ALPHA, BETA), scan(objective, Line(plane.origin, plane.x), ALPHA)):
        again = type(result).from_arrays(result.arrays())
        for name, value in vars(result).items():
            np.testing.assert_equal(getattr(again, name), value)
        assert not any(array.dtype.hasobject for array in result.arrays().values())


@pytest.mark.parametrize(
    ("alpha", "beta", "message"),
    [
        ([], [0.0], r"alpha must be .* one or more finite numbers; got shape \(0,\)"),
        ([0.0], [np.nan, 1.0], r"beta must be .* with 1 not finite"),
        ([1e300], [0.0], r"alpha must be .* with 1 not finite"),
        ([[0.0]], [0.0], r"alpha .* shape \(1, 1\)"),
        ("abc", [0.0], r"alpha must be a sequence of numbers; got 'abc'"),
        ([0.0], None, r"a Plane takes alpha and beta; beta is missing"),
    ],
)
def test_bad_grids_are_refused(model, examples, alpha, beta, message):
    with pytest.raises(UserError, match=message):
        scan(Objective(model, examples), make_plane(model), alpha, beta)


def test_vectors_that_do_not_fit_are_refused(model, examples):
    origin, short = ParameterSpace(model).read(), torch.ones(5)
    with pytest.raises(UserError, match=rf"origin must be .* shape \({len(origin)},\).* got \(5,\)"):
        scan(Objective(model, examples), Line(short, short), [0.0])
    for x, message in {
        short: r"x is torch.float32 \(5,\) .*, but origin is",
        origin.double(): "x is torch.float64",
        origin.long(): "x must be a floating-point vector",
        torch.full_like(origin, torch.inf): "x holds values that are not finite",
        torch.zeros_like(origin): "x is zero everywhere",
    }.items():
        with pytest.raises(UserError, match=message):
            Line(origin, x)
    with pytest.raises(UserError, match="y is zero everywhere"):
        Plane(origin, origin, torch.zeros_like(origin))


def test_objectives_on_two_models_are_refused(examples):
    first, second = make_model(), make_model(seed=1)
    with pytest.raises(UserError, match="same model object"):
        scan([Objective(first, examples), Objective(second, examples)], make_plane(first), ALPHA, BETA)


@pytest.mark.parametrize(
    ("marks", "message"),
    [
        *(
            ({"q": at}, "mark 'q' must be at 2 finite coordinates; got")
            for at in [(np.nan, 0.0), (1.0,), 1.0, "ab"]
        ),
        ([(0, 0)], "marks must map names to coordinates; got list"),
    ],
)
def test_bad_marks_are_refused(model, examples, marks, message):
    with pytest.raises(UserError, match=message):
        scan(Objective(model, examples), make_plane(model), ALPHA, BETA, marks=marks)


@pytest.mark.parametrize("wrong", [None, 5, [], [None]])
def test_what_are_no_objectives_is_refused(model, wrong):
    kind = type(wrong[0] if wrong == [None] else wrong).__name__
    with pytest.raises(UserError, match=rf"scan needs an Objective or a sequence .*; got {kind}$"):
        scan(wrong, make_plane(model), ALPHA, BETA)
