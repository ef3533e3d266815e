"""Flatness against analytic quadratics: J = c + a (alpha - 1)^2 / 2 + b beta^2 / 2, whose minimum is the end (1, 0)."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import curve_of, surface_of

from landscape_utils.landscape import flatness
from landscape_utils.landscape.scan import Curve


def quadratic_curve(a: float, points: int = 41, c: float = 0.1) -> Curve:
    return curve_of(lambda alpha: c + a * (alpha - 1) ** 2 / 2, points)


@pytest.mark.parametrize("a", [0.5, 2.0, 7.0])
def test_width_of_a_parabola(a):
    """J <= J(1) + rise for |alpha - 1| <= sqrt(2 rise / a). The linear interpolant of a parabola errs by at most
    a h^2 / 8 in J, hence by at most that over the slope, sqrt(2 a rise), on each side."""
    curve, rise = quadratic_curve(a, points=81), 0.5
    h = curve.alpha[1] - curve.alpha[0]
    width = flatness.width_below(curve, rise)
    exact = 2 * np.sqrt(2 * rise / a)
    assert width.bounded
    assert exact - 2 * (a * h**2 / 8) / np.sqrt(2 * a * rise) * 1.1 <= width.size <= exact


def test_width_is_a_lower_bound_at_the_edge_of_the_scan():
    width = flatness.width_below(quadratic_curve(0.01), rise=1.0)  # stays below until alpha = 1 + 14
    assert not width.bounded
    assert width.size == pytest.approx(8.0)


def test_width_stops_at_the_first_crossing_and_before_a_loss_that_is_not_finite():
    two_valleys = curve_of(lambda x: 1 - np.cos(np.pi * (x - 1)), points=161)  # zero at -3, -1, 1, 3
    assert flatness.width_below(two_valleys, 0.5).size == pytest.approx(2 / 3, abs=0.01)  # |x - 1| <= 1/3
    broken = quadratic_curve(0.5)
    broken.loss[broken.alpha > 1.5] = np.nan
    last_finite = broken.alpha[broken.alpha <= 1.5].max()
    assert flatness.width_below(broken, 2.0).size == pytest.approx(last_finite - (1 - np.sqrt(8)), abs=0.02)


def test_largest_rise_is_the_wall_on_the_way():
    """1 - x + w exp(-((x - .5)/s)^2): brute force on a fine path from 0 to 1."""

    def wall(x):
        return 1 - x + 0.8 * np.exp(-(((x - 0.5) / 0.1) ** 2))

    fine = wall(np.linspace(0, 1, 10_001))
    brute = max(fine[i:].max() - fine[i] for i in range(0, len(fine), 50))
    assert flatness.largest_rise(curve_of(wall, points=801)) == pytest.approx(brute, abs=5e-3)


def test_largest_rise_ignores_what_lies_off_the_way():
    assert flatness.largest_rise(quadratic_curve(2.0)) == 0.0  # falls from 0 to 1; the walls are outside
    assert flatness.largest_rise(curve_of(lambda x: x, points=81)) == pytest.approx(1.0)
    broken = quadratic_curve(2.0)
    broken.loss[np.argmin(abs(broken.alpha - 0.5))] = np.inf
    assert flatness.largest_rise(broken) == np.inf
    assert np.isnan(
        flatness.largest_rise(quadratic_curve(2.0, points=9))
    )  # the end points are all that it saw


@pytest.mark.parametrize("a", [-1.0, 0.0, 3.0])
def test_curvature_of_a_parabola_is_exact(a):
    assert flatness.curvature(quadratic_curve(a)) == pytest.approx(a, abs=1e-9)


def test_curvature_needs_three_points():
    assert np.isnan(flatness.curvature(quadratic_curve(1.0, points=3), reach=0.1))


@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (4.0, 0.5)])
def test_area_of_an_elliptic_bowl(a, b):
    """The level set is an ellipse of area 2 pi rise / sqrt(ab); 2 % for the grid's interpolation and refinement."""
    surface = surface_of(lambda x, y: 0.1 + a * (x - 1) ** 2 / 2 + b * y**2 / 2)
    area = flatness.area_below(surface, rise=1.0)
    assert area.bounded
    assert area.size == pytest.approx(2 * np.pi / np.sqrt(a * b), rel=0.02)


def test_area_counts_only_the_region_around_the_mark():
    two_bowls = surface_of(lambda x, y: 4 * np.minimum((x - 1) ** 2 + y**2, (x + 2) ** 2 + y**2), points=161)
    assert flatness.area_below(two_bowls, rise=1.0).size == pytest.approx(np.pi / 4, rel=0.02)


def test_area_at_the_edge_outside_and_between_the_points():
    flat = surface_of(lambda x, y: 0 * x + 0 * y)
    assert flatness.area_below(flat, 0.1) == flatness.Extent(pytest.approx(64, rel=0.01), False)
    away = surface_of(lambda x, y: x**2 + y**2, span=0.5)  # the end (1, 0) is not in it
    assert np.isnan(flatness.area_below(away, 0.1).size)
    assert np.isnan(flatness.sharpness(away, 0.1))
    needle = surface_of(lambda x, y: 1 - 1.0 * ((abs(x - 1) < 1e-9) & (abs(y) < 1e-9)), points=4)
    assert flatness.area_below(needle, 0.5).size == 0.0


def test_sharpness_of_a_bowl():
    """a r^2 / 2 on the rim, along the steeper axis; 3 % for linear interpolation and the refined grid's step."""
    surface = surface_of(lambda x, y: 0.3 + 3.0 * (x - 1) ** 2 / 2 + y**2 / 2)
    assert flatness.sharpness(surface, radius=0.8) == pytest.approx(3.0 * 0.64 / 2, rel=0.03)
    surface.loss[np.hypot(surface.alpha[:, None] - 1, surface.beta) < 0.3] = np.inf
    assert flatness.sharpness(surface, radius=0.8) == np.inf


def test_order_of_the_axes_does_not_matter():
    surface = surface_of(lambda x, y: (x - 1) ** 2 + 2 * y**2, points=33)
    turned = surface_of(lambda x, y: (x - 1) ** 2 + 2 * y**2, points=33)
    order = np.random.default_rng(0).permutation(33)
    turned.alpha[:], turned.loss[:] = surface.alpha[order], surface.loss[order]
    assert flatness.area_below(turned, 1.0) == flatness.area_below(surface, 1.0)


def test_rank_correlation_is_that_of_the_ranks():
    """Spearman is Pearson of the ranks; any increasing function leaves it 1."""
    rng = np.random.default_rng(0)
    first, noise = rng.normal(size=(2, 15, 15))
    assert flatness.rank_correlation(first, np.exp(first)) == pytest.approx(1.0)
    second = first + noise
    ranks = [np.argsort(np.argsort(values.ravel())) for values in (first, second)]
    assert flatness.rank_correlation(first, second) == pytest.approx(np.corrcoef(*ranks)[0, 1])
    spoilt = second.copy()
    spoilt[0, 0] = np.nan
    first[0, 0] = 1e9  # must be left out together with its partner
    assert flatness.rank_correlation(first, spoilt) == pytest.approx(np.corrcoef(*ranks)[0, 1], abs=0.02)
    assert np.isnan(flatness.rank_correlation(first, np.ones((15, 15))))


def test_low_overlap_of_equal_opposite_and_unrelated_surfaces():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 200, 200))
    assert flatness.low_overlap(first, 2 * first + 1) == 1.0
    assert flatness.low_overlap(first, -first) == 0.0
    # unrelated: 0.2 / 1.8; 40,000 cells make one standard deviation below 0.003
    assert flatness.low_overlap(first, second, 0.2) == pytest.approx(0.2 / 1.8, abs=0.01)


def test_near_takes_a_disc_around_the_end():
    surface = surface_of(lambda x, y: x + y, points=9)  # spacing 1
    assert flatness.near(surface, 1.0).sum() == 5


def test_cross_section_is_the_row_at_beta_0():
    """At an even number of points beta = 0 lies between two rows; a function linear in beta is met exactly."""
    surface = surface_of(lambda x, y: x**2 + 3 * y + 20, points=40)
    section = flatness.cross_section(surface)
    np.testing.assert_allclose(section.loss, surface.alpha**2 + 20, atol=1e-12)
    assert section.marks == surface.marks
