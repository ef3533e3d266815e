"""Projections on a plane against least squares in float64 and against the equations written out."""

import weakref

import numpy as np
import pytest
import torch

from landscape_utils.errors import UserError
from landscape_utils.landscape.scan import Line, Plane
from landscape_utils.landscape.trajectory import project
from landscape_utils.names import METHODS

GENERATOR = torch.Generator().manual_seed(0)
ORIGIN, X, Y, *AWAY = torch.randn(7, 200, generator=GENERATOR, dtype=torch.float64)
PLANE = Plane(ORIGIN, X, Y + 0.3 * X)


def test_projections_are_least_squares_and_equations_3_to_5():
    """Of the origin, where there is no angle, of two points of the plane, and of points anywhere."""
    x, y = PLANE.directions
    away, basis = torch.stack([0 * x, x, 2 * y - 0.5 * x, *AWAY]), torch.stack([x, y])  # (T, P), (2, P)
    plane, paper = (project(ORIGIN + away, PLANE, method) for method in METHODS)
    norm = away.norm(dim=1)
    best = torch.from_numpy(np.linalg.lstsq(basis.T.numpy(), away.T.numpy(), rcond=None)[0])  # (2, T)
    expected = torch.stack([*best, (best.T @ basis).norm(dim=1) / norm])
    np.testing.assert_allclose([plane.alpha, plane.beta, plane.in_plane], expected, atol=1e-12)
    cosine, norm, alpha = away @ x / (norm * x.norm()), norm / x.norm(), away @ x / (x @ x)
    expected = torch.stack([cosine, norm, alpha])
    np.testing.assert_allclose([paper.cosine, paper.norm, paper.alpha], expected, atol=1e-12)
    np.testing.assert_allclose(paper.beta[:2], 0, atol=1e-7)  # the root of a rounding error
    np.testing.assert_allclose(paper.beta[2:], (norm**2 - alpha**2)[2:].sqrt(), atol=1e-12)


def test_snapshots_are_held_one_at_a_time():
    made: list[weakref.ref] = []

    def snapshots():
        for i in range(4):
            assert sum(ref() is not None for ref in made) <= 1
            theta = PLANE.at(i / 2, 0)
            made.append(weakref.ref(theta))
            yield theta
            del theta

    assert len(project(snapshots(), PLANE).alpha) == 4


def test_what_cannot_be_projected_is_refused():
    for message, given in {
        "unknown method 'cross'; allowed are plane, paper": ([ORIGIN], PLANE, "cross"),
        r"must be of shape \(200,\), .* got .*\(3,\)": ([torch.zeros(3)], PLANE),
        "parallel": ([ORIGIN], Plane(ORIGIN, X, -2 * X)),
        "got ndarray": ([np.zeros(200, np.float32)], PLANE),
        "got NoneType and Plane": (None, PLANE),
        "got list and Line": ([], Line(ORIGIN, X)),
    }.items():
        with pytest.raises(UserError, match=message):
            project(*given)
