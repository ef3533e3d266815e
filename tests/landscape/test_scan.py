"""Scans against a plain float64 evaluation of every point, and what they leave behind: nothing."""

import itertools
import re
from contextlib import nullcontext

import numpy as np
import pytest
import torch
from geometry import ALPHA, BETA, Acting, assert_same, interrupt, make_plane, noise
from networks import MODELS, make_examples, make_model, plain_float64

from landscape_utils.engine.objective import Measurement, Objective
from landscape_utils.engine.space import ParameterSpace
from landscape_utils.errors import UserError
from landscape_utils.landscape.scan import Curve, Line, Plane, Surface, scan


@pytest.mark.parametrize(
    # float32 against float64: rounding of the weights and of three layers' sums, at losses of order one
    ("kind", "dtype", "bound"),
    [*((kind, torch.float32, 1e-5) for kind in MODELS), ("bert", torch.float64, 1e-12)],
)
def test_surface_is_the_plain_float64_one(kind, dtype, bound, examples):
    model = make_model(kind)
    plane = make_plane(model)
    model, plane = model.to(dtype), Plane(plane.origin.to(dtype), plane.x.to(dtype), plane.y.to(dtype))
    surface = scan(Objective(model, examples), plane, ALPHA, BETA)
    assert isinstance(surface, Surface)
    assert (surface.loss.shape, surface.loss.dtype) == ((3, 2), np.float64)
    wide = [v.double() for v in (plane.origin, plane.x, plane.y)]
    thetas = [wide[0] + a * wide[1] + b * wide[2] for a, b in itertools.product(ALPHA, BETA)]
    found = np.stack([getattr(surface, name).ravel() for name in Measurement._fields], axis=1)
    np.testing.assert_allclose(found, [plain_float64(model, t, examples) for t in thetas], atol=bound)


def test_curve_is_the_plane_without_beta_in_any_order_and_arrays_are_the_whole_result(plane, objective):
    curve = scan(objective, Line(plane.origin, plane.x), ALPHA)
    surface = scan(objective, plane, ALPHA, [0.0, *BETA])
    backward = scan(objective, plane, ALPHA[::-1], [0.0, *BETA][::-1])
    assert type(curve) is Curve
    np.testing.assert_array_equal(curve.loss, surface.loss[:, 0])
    assert curve.marks["end"] == surface.marks["end"] == backward.marks["end"]
    np.testing.assert_array_equal(surface.loss, backward.loss[::-1, ::-1])
    for result in (surface, curve):
        arrays = result.arrays()
        np.testing.assert_equal(vars(type(result).from_arrays(arrays)), vars(result))
        assert not any(array.dtype.hasobject for array in arrays.values())
        del arrays["computed"], arrays["loss_bound"]  # which earlier versions had not
        np.testing.assert_equal(vars(type(result).from_arrays(arrays)), vars(result))


def test_start_and_end_are_evaluated_at_their_own_place(model, plane, objective):
    surface = scan(objective, plane, np.linspace(-4, 4, 4), [-4.0, 4.0])
    assert (0.0 not in surface.alpha) and (1.0 not in surface.alpha)
    start, end = surface.marks["start"], surface.marks["end"]
    assert (start.alpha, start.beta, end.alpha, end.beta) == (0, 0, 1, 0)
    assert tuple(start[2:]) == objective()
    ParameterSpace(model).write(plane.at(1, 0))
    np.testing.assert_allclose(end[2:], objective(), atol=1e-5)


@pytest.mark.parametrize("precision", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("fail", [False, True])
def test_the_model_is_as_it_was_found(model, objective, fail, precision):
    model.train()
    model.base_model.pooler.eval()
    model.base_model.embeddings.word_embeddings.weight.requires_grad_(False)
    values = [p.detach().clone() for p in model.parameters()]

    def settings() -> list:
        modules = [(name, id(module), module.training) for name, module in model.named_modules()]
        return modules + [(name, p.data_ptr(), p.requires_grad) for name, p in model.named_parameters()]

    before = settings()
    with pytest.raises(KeyboardInterrupt) if fail else nullcontext():
        journal = Acting(3 if fail else 1000, interrupt)
        scan(objective, make_plane(model, (2,)), ALPHA, BETA, journal=journal, precision=precision)
    assert settings() == before
    assert all(map(torch.equal, model.parameters(), values))


def test_objectives_share_a_visit_and_an_interrupted_scan_goes_on_to_the_same_bits(model, plane, objective):
    both, journal = [objective, Objective(model, make_examples(7, seed=5))], Acting(4, interrupt)
    whole = [scan(one, plane, ALPHA, BETA) for one in both]
    assert_same(scan(both, plane, ALPHA, BETA), whole)
    with pytest.raises(KeyboardInterrupt):
        scan(objective, plane, ALPHA, BETA, journal=journal)
    written = []
    rest = Acting(0, lambda: written.append(1))
    rest.update(journal)
    assert_same([scan(objective, plane, ALPHA, BETA, journal=rest)], whole[:1])
    assert len(written) == 1 + 8 - 4  # the probe's row and 3 x 2 points and 2 marks, less what there was


def test_a_loss_that_is_not_finite_is_a_result(plane, objective):
    surface = scan(objective, plane, [0.0, 1e38], [0.0])
    assert np.isfinite(surface.loss).tolist() == [[True], [False]]
    assert np.isnan(surface.error[1, 0])


def test_y_is_rescaled_to_the_norm_of_x():
    origin, x, y = (noise(100, seed) for seed in range(3))
    plane = Plane(origin, x, 5 * y)
    torch.testing.assert_close(plane.y, y * x.norm() / y.norm())
    assert plane.norm == pytest.approx(float(x.norm()), rel=1e-6)
    assert plane.cosine == pytest.approx(float(torch.cosine_similarity(x, y, dim=0)), abs=1e-6)


MARK = "mark 'q' must be at 2 finite coordinates; got"
OBJECTIVES = "scan needs an Objective or a sequence .*; got"
TOLERANCE = "tolerance must be a positive number of nats"
BAD = [
    *(({"alpha": axis}, "alpha must be .* finite numbers; got") for axis in ([], [1e300], [[0.0]], "abc")),
    ({"beta": [np.nan, 1.0]}, r"beta must be .* finite numbers; got \[nan, 1.0\]"),
    ({"beta": None}, r"a Plane takes alpha and beta; beta is missing"),
    ({"region": None}, "region must be a Line or a Plane; got NoneType"),
    *(({"marks": {"q": at}}, MARK) for at in [(np.nan, 0.0), (1.0,), 1.0, "ab"]),
    ({"marks": [(0, 0)]}, "marks must map names to coordinates; got list"),
    *(({"objective": wrong}, rf"{OBJECTIVES} {re.escape(repr(wrong))}$") for wrong in (None, 5, [], [None])),
    *(({"tolerance": wrong}, TOLERANCE) for wrong in [0, -1.0, np.nan, np.inf, "standard error", [0.1]]),
]


@pytest.mark.parametrize(("given", "message"), BAD)
def test_bad_arguments_are_refused(objective, plane, given, message):
    with pytest.raises(UserError, match=message):
        scan(**{"objective": objective, "region": plane, "alpha": [0.0], "beta": [0.0]} | given)


def test_vectors_and_models_that_do_not_fit_are_refused(plane, objective, examples):
    origin, short, other = plane.origin, torch.ones(5), Objective(make_model(seed=1), examples)
    line, shapes = Line(origin, origin), rf"origin must be .* shape \({len(origin)},\).* got .*\(5,\)"
    for act, message in {
        lambda: scan(objective, Line(short, short), [0.0]): shapes,
        lambda: scan(objective, line, [0.0], [0.0]): "a Line takes alpha alone; beta is given",
        lambda: scan([objective, None], plane, ALPHA, BETA): OBJECTIVES,
        lambda: scan([objective, other], plane, ALPHA, BETA): "same model object",
        lambda: Plane(origin, origin, short): r"y is torch.float32 \(5,\) .*, but origin is",
        lambda: Plane(origin, origin, origin.double()): "y is torch.float64",
        lambda: Plane(origin, origin, origin.long()): "y must be a floating-point vector",
        lambda: Plane(origin, origin, torch.inf * origin.sign()): "y holds values that are not finite",
        lambda: Plane(origin, origin, 0 * origin): "y is zero everywhere",
    }.items():
        with pytest.raises(UserError, match=message):
            act()
