"""Projections on a plane against least squares in float64 and against the equations written out."""

import weakref

import numpy as np
import pytest
import torch

from landscape_utils.errors import UserError
from landscape_utils.landscape.scan import Line, Plane
from landscape_utils.landscape.trajectory import project

GENERATOR = torch.Generator().manual_seed(0)
ORIGIN, X, Y, *AWAY = torch.randn(7, 200, generator=GENERATOR, dtype=torch.float64)
PLANE = Plane(ORIGIN, X, Y + 0.3 * X)


def test_points_of_the_plane_keep_their_coordinates():
    places = np.array([[0.0, 0.0], [1.0, 0.0], [-0.5, 2.0], [3.0, -1.0]])
    found = project([PLANE.at(*place) for place in places], PLANE)
    np.testing.assert_allclose(np.stack([found.alpha, found.beta], axis=1), places, atol=1e-12)
    np.testing.assert_allclose(found.in_plane, [np.nan, 1, 1, 1], atol=1e-12)
    paper = project([ORIGIN, PLANE.at(1, 0)], PLANE, method="paper")
    # the root of a rounding error
    np.testing.assert_allclose([paper.alpha, paper.beta], [[0, 1], [0, 0]], atol=1e-7)


def test_projections_are_least_squares_and_equations_3_to_5():
    thetas = [ORIGIN + delta for delta in AWAY]
    plane, paper = project(thetas, PLANE), project(thetas, PLANE, method="paper")
    basis = torch.stack([PLANE.x, PLANE.y], dim=1).numpy()
    x = PLANE.x.numpy()
    for i, delta in enumerate(map(np.asarray, AWAY)):
        best, *_ = np.linalg.lstsq(basis, delta, rcond=None)
        share = np.linalg.norm(basis @ best) / np.linalg.norm(delta)
        found = [plane.alpha[i], plane.beta[i], plane.in_plane[i]]
        np.testing.assert_allclose(found, [*best, share], atol=1e-12)
        cosine = delta @ x / (np.linalg.norm(delta) * np.linalg.norm(x))
        norm = np.linalg.norm(delta) / np.linalg.norm(x)
        alpha = cosine * norm
        found = [paper.cosine[i], paper.norm[i], paper.alpha[i], paper.beta[i]]
        np.testing.assert_allclose(found, [cosine, norm, alpha, np.sqrt(norm**2 - alpha**2)], atol=1e-12)
    assert (paper.beta >= 0).all()


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
