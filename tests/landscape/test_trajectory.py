"""Projections on a plane against least squares in float64 and against the equations written out."""

from __future__ import annotations

import weakref

import numpy as np
import pytest
import torch

from landscape_utils.errors import UserError
from landscape_utils.landscape.scan import Line, Plane
from landscape_utils.landscape.trajectory import project


@pytest.fixture
def plane() -> Plane:
    generator = torch.Generator().manual_seed(0)
    origin, x, y = torch.randn(3, 200, generator=generator, dtype=torch.float64)
    return Plane(origin, x, y + 0.3 * x)


def test_points_of_the_plane_keep_their_coordinates(plane):
    places = np.array([[0.0, 0.0], [1.0, 0.0], [-0.5, 2.0], [3.0, -1.0]])
    found = project([plane.at(*place) for place in places], plane)
    np.testing.assert_allclose(np.stack([found.alpha, found.beta], axis=1), places, atol=1e-12)
    np.testing.assert_allclose(found.in_plane[1:], 1, atol=1e-12)
    assert np.isnan(found.in_plane[0])


def test_plane_is_the_least_squares_projection(plane):
    thetas = [plane.origin + torch.randn(200, dtype=torch.float64) for _ in range(4)]
    found = project(thetas, plane)
    basis = torch.stack([plane.x, plane.y], dim=1).numpy()
    for i, theta in enumerate(thetas):
        delta = (theta - plane.origin).numpy()
        best, *_ = np.linalg.lstsq(basis, delta, rcond=None)
        np.testing.assert_allclose([found.alpha[i], found.beta[i]], best, atol=1e-12)
        share = np.linalg.norm(basis @ best) / np.linalg.norm(delta)
        np.testing.assert_allclose(found.in_plane[i], share, atol=1e-12)


def test_paper_is_equations_3_to_5(plane):
    thetas = [plane.origin + torch.randn(200, dtype=torch.float64) for _ in range(4)]
    found = project(thetas, plane, method="paper")
    x = plane.x.numpy()
    for i, theta in enumerate(thetas):
        delta = (theta - plane.origin).numpy()
        cosine = delta @ x / (np.linalg.norm(delta) * np.linalg.norm(x))
        alpha = cosine * np.linalg.norm(delta) / np.linalg.norm(x)
        beta = np.sqrt((np.linalg.norm(delta) / np.linalg.norm(x)) ** 2 - alpha**2)
        np.testing.assert_allclose(
            [found.cosine[i], found.alpha[i], found.beta[i]], [cosine, alpha, beta], atol=1e-12
        )
    assert (found.beta >= 0).all()


def test_the_end_is_at_one_zero_by_either_method(plane):
    for method in ("plane", "paper"):
        end = project([plane.origin, plane.at(1, 0)], plane, method=method)
        # the root of a rounding error
        np.testing.assert_allclose([end.alpha, end.beta], [[0, 1], [0, 0]], atol=1e-7)


def test_snapshots_are_held_one_at_a_time(plane):
    made: list[weakref.ref] = []

    def snapshots():
        for i in range(4):
            assert sum(ref() is not None for ref in made) <= 1
            theta = plane.at(i / 2, 0)
            made.append(weakref.ref(theta))
            yield theta
            del theta

    assert len(project(snapshots(), plane).alpha) == 4


def test_what_cannot_be_projected_is_refused(plane):
    with pytest.raises(UserError, match="unknown method 'cross'; allowed are plane and paper"):
        project([plane.origin], plane, method="cross")
    with pytest.raises(UserError, match=r"snapshot must be a tensor of shape \(200,\), .* got \(3,\)"):
        project([torch.zeros(3)], plane)
    with pytest.raises(UserError, match="parallel"):
        project([plane.origin], Plane(plane.origin, plane.x, -2 * plane.x))


@pytest.mark.parametrize(
    ("thetas", "plane", "found"),
    [
        ([np.zeros(200, np.float32)], None, "got ndarray"),
        (None, None, "got NoneType and Plane"),
        ([], Line(torch.zeros(200), torch.ones(200)), "got list and Line"),
    ],
)
def test_what_are_no_snapshots_of_a_plane_is_refused(thetas, plane, found):
    whole = Plane(torch.zeros(200), torch.ones(200), torch.randn(200))
    with pytest.raises(UserError, match=found):
        project(thetas, plane or whole)
