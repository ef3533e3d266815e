"""Flatness against analytic quadratics: J = c + a (alpha - 1)^2 / 2 + b beta^2 / 2, whose minimum is the end (1, 0)."""

from dataclasses import replace

import numpy as np
import pytest
from synthetic import curve_of, draws_of, surface_of

from landscape_utils.claims import flatness
from landscape_utils.landscape.scan import Curve


def quadratic_curve(a: float, points: int = 41, c: float = 0.1) -> Curve:
    return curve_of(lambda alpha: c + a * (alpha - 1) ** 2 / 2, points)


def width(curve: Curve, rise: float, **options) -> tuple[float, bool]:
    """Of the scan itself, up to a rise above its end."""
    found = flatness.width_below(curve, flatness.versions(curve).marks["end"] + rise, **options)
    return found.size[0], found.bounded[0]


def area(surface, rise: float) -> tuple[float, bool]:
    found = flatness.region_around(surface)(flatness.versions(surface).marks["end"] + rise)
    return found.size[0], found.bounded[0]


def test_versions_are_the_scan_and_then_its_draws():
    surface = surface_of(lambda x, y: x**2 + y**2 + 1, points=5)
    surface = replace(surface, draws=draws_of(surface.loss, surface.marks, added=(0.5, 1.0)))
    loss, error = flatness.versions(surface), flatness.versions(surface, "error")
    for version, more in enumerate((0.0, 0.5, 1.0)):
        np.testing.assert_allclose(loss.grid[version], surface.loss + more, rtol=1e-6)  # draws are float32
        np.testing.assert_allclose(error.grid[version], surface.error, rtol=1e-6)
        assert loss.marks["end"][version] == pytest.approx(2 + more)
        assert error.marks["end"][version] == pytest.approx(1 - np.exp(-2))


@pytest.mark.parametrize("a", [0.5, 2.0, 7.0])
def test_width_of_a_parabola(a):
    """J <= J(1) + rise for |alpha - 1| <= sqrt(2 rise / a). The linear interpolant of a parabola errs by at most
    a h^2 / 8 in J, hence by at most that over the slope, sqrt(2 a rise), on each side."""
    curve, rise = quadratic_curve(a, points=81), 0.5
    h = curve.alpha[1] - curve.alpha[0]
    size, bounded = width(curve, rise)
    exact = 2 * np.sqrt(2 * rise / a)
    assert bounded
    assert exact - 2 * (a * h**2 / 8) / np.sqrt(2 * a * rise) * 1.1 <= size <= exact
    assert width(curve, rise, sides="left")[0] == pytest.approx(size / 2, abs=1e-6)


def test_width_ends_at_the_edge_at_the_first_crossing_and_before_a_loss_that_is_not_finite():
    assert width(quadratic_curve(0.01), rise=1.0) == (pytest.approx(8.0), False)  # below until alpha = 1 + 14
    assert width(quadratic_curve(0.01), rise=1.0, sides="left") == (pytest.approx(5.0), False)
    slope = curve_of(lambda a: 1 - 0.5 * a, 41)  # 1 above the end at alpha = -1, and never on its right
    assert width(slope, rise=1.0) == (pytest.approx(2.0 + 3.0), False)
    two_valleys = curve_of(lambda x: 1 - np.cos(np.pi * (x - 1)), points=161)  # zero at -3, -1, 1, 3
    assert width(two_valleys, 0.5)[0] == pytest.approx(2 / 3, abs=0.01)  # |x - 1| <= 1/3
    broken = quadratic_curve(0.5)
    broken.loss[broken.alpha > 1.5] = np.nan
    assert width(broken, 2.0)[0] == pytest.approx(1.4 - (1 - np.sqrt(8)), abs=0.02)  # 1.4 is the last finite
    gone = curve_of(lambda x: 0 * x + np.nan, 9)  # no width, and not that of all that was scanned
    assert flatness.width_below(gone, np.array([np.nan])).size[0] == 0


def test_the_order_of_the_axes_does_not_matter():
    """A scan takes its axes in any order: the interpolant is that of the rising one, to the rounding of float64."""
    rising = surface_of(lambda x, y: (x - 1) ** 2 + 0.3 * y + y**2, points=20)  # no point at beta = 0
    there = np.arange(20)
    for first, second in ((there, there[::-1]), (there[::-1], there), (7 * there % 20, there)):
        axes = {"alpha": rising.alpha[first], "beta": rising.beta[second]}
        grids = {name: getattr(rising, name)[np.ix_(first, second)] for name in ("loss", "error")}
        other = replace(rising, draws=rising.draws[:0], **axes, **grids)
        assert width(other, 0.8) == pytest.approx(width(rising, 0.8), rel=1e-12)
        assert area(other, 0.8) == pytest.approx(area(rising, 0.8), rel=1e-12)


def test_largest_rise_is_that_of_all_pairs():
    loss = np.random.default_rng(0).normal(size=(7, 30)).cumsum(axis=1)
    brute = [max(b - a for i, a in enumerate(row) for b in row[i:]) for row in loss]
    assert flatness.largest_rise(loss) == pytest.approx(brute)
    loss[3, 4] = np.nan
    assert flatness.largest_rise(loss)[3] == np.inf
    assert flatness.largest_rise(-np.arange(5.0)[None]) == 0.0


@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (4.0, 0.5)])
def test_area_of_an_elliptic_bowl(a, b):
    """The level set is an ellipse of area 2 pi rise / sqrt(ab); 2 % for the interpolation of grid and rays."""
    surface = surface_of(lambda x, y: 0.1 + a * (x - 1) ** 2 / 2 + b * y**2 / 2)
    size, bounded = area(surface, rise=1.0)
    assert bounded
    assert size == pytest.approx(2 * np.pi / np.sqrt(a * b), rel=0.02)
    # The error is 1 - exp(-J): below 0.5 where J is below ln 2.
    found = flatness.region_around(surface, of="error")(np.full(4, 0.5)).size
    assert found == pytest.approx(np.full(4, 2 * np.pi * (np.log(2) - 0.1) / np.sqrt(a * b)), rel=0.03)


def test_area_is_of_the_region_seen_from_the_mark():
    """Seen from (1, 0) a flat scan is the whole square; 36 rays give its area to 1 %."""
    two_bowls = surface_of(lambda x, y: 4 * np.minimum((x - 1) ** 2 + y**2, (x + 2) ** 2 + y**2), points=161)
    assert area(two_bowls, rise=1.0)[0] == pytest.approx(np.pi / 4, rel=0.02)
    assert area(surface_of(lambda x, y: 0 * x), 0.1) == (pytest.approx(64, rel=0.01), False)
    assert np.isnan(area(surface_of(lambda x, y: x**2 + y**2, span=0.5), 0.1)[0])  # the end (1, 0) is outside
    needle = surface_of(lambda x, y: 1 - 1.0 * ((abs(x - 1) < 1e-9) & (abs(y) < 1e-9)), points=4)
    assert 0 < area(needle, 0.5)[0] < 0.05
    hole = surface_of(lambda x, y: 0 * x, points=17)
    hole.loss[(hole.alpha[:, None] > 1.4) & (hole.beta < 9)] = np.nan  # the region ends at its brink
    assert area(hole, 0.1) == (pytest.approx(5 * 8, rel=0.01), False)


def test_section_of_a_surface_is_the_row_at_beta_0():
    """At an even number of points beta = 0 lies between two rows; a function linear in beta is met exactly."""
    surface = surface_of(lambda x, y: x**2 + 3 * y + 20, points=40)
    alpha, loss = flatness.along(surface)
    assert {0.0, 1.0} <= set(alpha)
    np.testing.assert_allclose(loss[0], [20 + a**2 for a in alpha], atol=1e-12)
    assert loss.shape == (4, 42)
    curve = curve_of(lambda a: a**2, points=40)
    curve = replace(curve, loss_stderr=10 + curve.alpha)
    alpha, (loss, *_) = flatness.along(curve)
    assert len(alpha) == 42 and (np.diff(alpha) > 0).all()
    np.testing.assert_allclose(loss, alpha**2, atol=1e-12)
    _, stderr = flatness.along(curve, "loss_stderr")  # that of a mark is 0 here
    np.testing.assert_allclose(stderr, [np.where(np.isin(alpha, curve.alpha), 10 + alpha, 0)])
    off = surface_of(lambda x, y: (x - 1) ** 2 + y**2, 9)
    _, section = flatness.along(replace(off, beta=off.beta / 2 + 3))  # from 1 to 5: nothing is known
    assert np.isnan(section[0, [0, 1, -1]]).all()
