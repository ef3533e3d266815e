"""The rule of the verdicts, against scipy's own intervals and by cases."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from synthetic import curve_of, draws_of

from landscape_utils.claims.evidence import (
    Claim,
    Evidence,
    exact,
    number,
    over_examples,
    over_seeds,
    report,
    table,
)

FOR, AGAINST, OPEN = (Evidence("t", (0, 0), 0, *interval) for interval in ((1, 2), (-2, -1), (-1, 1)))


def claim(*evidence: Evidence) -> Claim:
    return Claim(
        "id", "5", "A sentence.", "A measure.", ("scratch", "pretrained"), evidence, {"RTE": "not learned"}
    )


@pytest.mark.parametrize(
    ("evidence", "verdict"),
    [
        ((FOR, FOR, FOR, OPEN), "holds"),
        ((FOR, FOR, OPEN, OPEN), "undecided"),  # half is not more than half
        ((FOR, FOR, FOR, AGAINST), "holds"),
        ((AGAINST, AGAINST, OPEN), "does not hold"),
        ((FOR, AGAINST), "undecided"),
        ((OPEN,), "undecided"),
        ((FOR,), "holds"),
        ((), "undecided"),
    ],
)
def test_verdict_goes_with_more_than_half_of_the_tasks(evidence, verdict):
    weighed = claim(*evidence)
    assert weighed.verdict == verdict
    assert f"**{verdict}**" in weighed.text
    assert "RTE is left out: not learned." in weighed.text
    assert weighed.markdown().count("\n| t |") == len(evidence)


def test_interval_over_seeds_is_students():
    first, second = [0.1, 0.2, 0.15], [0.4, 0.3, 0.5]
    effects = np.subtract(second, first)
    found = over_seeds("t", first, second, effects)
    expected = stats.ttest_1samp(effects, 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    assert found.effect == pytest.approx(effects.mean())
    assert found.values == pytest.approx((0.15, 0.4))


def test_one_seed_takes_the_half_width_that_is_given():
    found = over_seeds("t", [1.0], [3.0], [2.0], half_width=0.5)
    assert (found.low, found.high) == (1.5, 2.5)


def test_an_effect_without_end_decides_nothing():
    assert over_seeds("t", [3.0], [np.inf], [-np.inf]).word == "open"
    assert over_seeds("t", [3.0, 1], [np.inf, 1], [-np.inf, 0.0]).word == "open"


def lowest(curve):
    return float(curve.loss.min()), True


def with_draws(curve, *added):
    return replace(curve, draws=draws_of(curve.loss, curve.marks, added))


def test_interval_over_examples_is_the_middle_of_the_draws_effects():
    """The i-th of 100 draws raises the first scan by i / 100 and the second by i / 50."""
    first = with_draws(curve_of(lambda x: 1 + x**2), *np.arange(100) / 100)
    second = with_draws(curve_of(lambda x: 4 + x**2), *np.arange(100) / 50)
    found = over_examples("t", (first, second), lowest)
    assert found.effect == pytest.approx(3.0)
    assert (found.low, found.high) == pytest.approx((3.02, 3.97))  # 2.5 % and 97.5 % of 99, to the outer draw


def test_draws_that_two_scans_share_do_not_widen_the_interval():
    scans = [with_draws(curve_of(lambda x, c=c: c + x**2), -0.5, 0.0, 0.5) for c in (1, 4)]
    found = over_examples("t", scans, lowest)
    assert (found.low, found.high) == pytest.approx((3.0, 3.0), abs=1e-6)  # the draws are float32


def test_without_draws_nothing_is_decided():
    scans = [with_draws(curve_of(lambda x, c=c: c + x**2)) for c in (1, 4)]
    found = over_examples("t", scans, lowest)
    assert (found.effect, found.word) == (pytest.approx(3.0), "open")


def test_a_lower_bound_bounds_the_effect_on_one_side_only():
    """A width that leaves the scan may be any larger: of the second side, the effect may be any higher."""
    curve = curve_of(lambda x: 1 + x**2)
    bounds = {1.0: (1.0, True), 2.0: (2.0, False)}
    higher = curve_of(lambda x: 2 + x**2)
    found = over_examples("t", (curve, higher), lambda c: bounds[float(c.loss.min())])
    assert (found.low, found.high) == (1.0, np.inf)
    assert found.word == "for"
    found = over_examples("t", (higher, curve), lambda c: bounds[float(c.loss.min())])
    assert (found.low, found.high) == (-np.inf, -1.0)
    assert found.word == "against"


def test_exact_numbers_have_no_width():
    assert exact("t", (1.0, 2.0), 0.0).word == "open"
    assert exact("t", (1.0, 2.0), 0.1).word == "for"


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12345, "0.123"), (-2.0, "−2"), (12345.6, "12,346"), (np.nan, "n/a"), (np.inf, "∞"), (-np.inf, "−∞")],
)
def test_numbers_as_they_are_printed(value, text):
    assert number(value) == text


def test_table_has_a_line_for_each_row():
    assert table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | ---: |\n| 1 | 2 |"


def test_report_says_a_sentence_once_for_all_its_measures():
    first, second = claim(FOR), claim(AGAINST)
    other = replace(claim(OPEN), sentence="Another sentence.")
    text = report([first, second, other])
    assert text.count("> A sentence. *(section 5)*") == 1
    assert text.index("> A sentence.") < text.index("**holds**") < text.index("**does not hold**")
    assert text.index("**does not hold**") < text.index("> Another sentence.") < text.index("**undecided**")


def test_an_exact_number_is_called_so():
    assert exact("t", (1.0, 2.0), 0.1).interval == "exact"
    assert FOR.interval == "1 to 2"
