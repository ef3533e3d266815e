"""Intervals and the rule of the verdicts, against scipy, by enumeration and by cases."""

import itertools
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from landscape_utils.claims.evidence import EVERY, Claim, Measured, table
from landscape_utils.claims.intervals import Evidence, Kind, LeftOut, drawn, normal, number, over_trainings
from landscape_utils.claims.measure import Measure, reads
from landscape_utils.errors import Lacking

FOR, AGAINST, OPEN = (
    Evidence((0.0, 0.0), 0.0, *interval, Kind.EXAMPLES, task="t") for interval in ((1, 2), (-2, -1), (-1, 1))
)
SILENT = Evidence((0.0, 0.0), 1.5, 1.5, 1.5, Kind.NONE, task="t")
LEFT_OUT = {"RTE": "it was not learned", "MRPC": "no dev set", "SST-2": "it was not learned"}


def measured(*evidence: Evidence) -> Measured:
    return Measured("A measure.", "an effect", ("from scratch", "fine-tuned"), evidence, LEFT_OUT)


@pytest.mark.parametrize(
    ("evidence", "verdict"),
    [
        ((FOR, FOR, FOR, OPEN), "holds"),
        ((FOR, FOR, OPEN, OPEN), "undecided"),  # half is not more than half
        ((FOR, FOR, FOR, AGAINST), "holds"),
        ((AGAINST, AGAINST, OPEN), "does not hold"),
        ((FOR, AGAINST), "undecided"),
        ((FOR,), "holds"),
        ((FOR, SILENT, SILENT, SILENT), "holds"),  # more than half of those that have an interval
        ((SILENT, SILENT), "undecided"),
        ((), "undecided"),
    ],
)
def test_verdict_goes_with_more_than_half_of_the_tasks_that_have_an_interval(evidence, verdict):
    found = measured(*evidence)
    beside, printed = (measured(OPEN),), measured(AGAINST)
    claim = Claim("name", "A title", "5", "A sentence.", found, beside, printed, "Figure 1")
    text = claim.markdown()
    assert claim.verdict == verdict
    assert "> A sentence. *(section 5, Figure 1)*" in text
    assert f"**{verdict if evidence else 'could not be judged'}**" in text
    assert "RTE and SST-2 are left out: it was not learned. MRPC is left out: no dev set." in text
    assert ("does the verdict carry" in text) == bool(evidence), "without one nothing carries"
    assert text.count("\n| t |") == len(evidence) + 2, "and one that is printed, and one beside"


@pytest.mark.parametrize("tasks", range(1, 7))
def test_chance_of_a_verdict_is_that_of_all_outcomes_where_nothing_is_true(tasks):
    odds = {1: 0.025, -1: 0.025, 0: 0.95}
    total = sum(
        np.prod([odds[word] for word in words])
        for words in itertools.product(odds, repeat=tasks)
        if max(words.count(1), words.count(-1)) > tasks / 2
    )
    assert measured(*[OPEN] * tasks, SILENT).chance == pytest.approx(total)


def exact(*effects):
    return [drawn((0.0, effect), effect) for effect in effects]


def sampled(*effects, stderr=0.5):
    """Over examples, all with one standard error."""
    return [normal((effect,), effect, stderr) for effect in effects]


def students(*effects):
    """Half of Student's interval of a mean."""
    return np.ptp(stats.ttest_1samp(effects, 0).confidence_interval(0.95)) / 2


@pytest.mark.parametrize(
    ("readings", "tail", "half"),
    [
        (exact(0.3, 0.1, 0.35), 0.025, students(0.3, 0.1, 0.35)),
        # of the same examples, so the interval of each training is that of their mean; the two add in squares
        (sampled(1.0, stderr=0.2) + sampled(2.0, stderr=0.8), 0.025, np.hypot(students(1.0, 2.0), 0.979982)),
        (sampled(2.0), 0.025, 0.979982),
        (sampled(2.0), 0.01, 0.5 * stats.norm.ppf(0.99)),
        ([Evidence((1.0,), 2.0, 1.0, 3.0, Kind.TASKS, 2)], 0.01, np.divide(*stats.t.ppf([0.99, 0.975], 2))),
        ([Evidence((1.0,), 2.0, 1.9, 2.1, Kind.NONE)], 0.01, 0.1),
    ],
)
def test_interval_over_trainings_and_examples_is_of_the_quantiles_that_leave_the_tail(readings, tail, half):
    found = over_trainings("t", readings, tail)
    mean = np.mean([r.effect for r in readings])
    assert (found.low, found.high) == pytest.approx((mean - half, mean + half), rel=1e-6)


def test_an_interval_that_leaves_less_outside_holds_the_other_even_if_its_effect_lies_beyond_it():
    beyond = Evidence((1.0,), -1.0, -0.1, 2.0, Kind.EXAMPLES)
    wide, narrow = (over_trainings("t", [beyond], tail) for tail in (0.01, 0.025))
    assert wide.low < narrow.low == pytest.approx(-0.1) and wide.high > narrow.high == pytest.approx(2.0)


def test_a_value_that_is_a_lower_bound_says_so_and_so_does_a_mean_with_one():
    bounded = replace(FOR, values=(2.0, 5.0), at_least=(False, True))
    both = over_trainings("t", [bounded, replace(bounded, at_least=(False, False))])
    assert both.told == ["2", "≥ 5"]
    assert "| ≥ 5 |" in measured(both).rows()


def test_what_an_interval_is_taken_over_and_says():
    several, alone = over_trainings("t", exact(0.3, 0.1, 0.35)), over_trainings("t", exact(2.0))
    assert several.values == pytest.approx((0.0, 0.25))
    assert (several.kind, several.trainings, several.over) == (Kind.TRAININGS, 3, "3 trainings")
    assert over_trainings("t", sampled(2.0)).word == "for"
    assert (alone.word, alone.interval, alone.over) == ("does not count", "none", "none")
    for effect in (-np.inf, np.nan):  # an effect without end decides nothing
        assert over_trainings("t", exact(effect, 0.5)).word == "open"


@pytest.mark.parametrize(
    ("low", "high", "sign"),
    [(-np.inf, 1.5, "≤ "), (1.5, np.inf, "≥ "), (-np.inf, np.inf, ""), (1.4, 1.6, "")],
)
def test_an_effect_that_is_a_bound_on_one_side_says_so(low, high, sign):
    assert f"| {sign}1.5 |" in measured(replace(SILENT, low=low, high=high)).rows()
    assert "| 1.5 |" in measured(replace(FOR, effect=1.5, low=low, high=high)).rows(), "its interval says so"


def test_interval_over_draws_leaves_two_of_a_hundred_outside_on_each_side():
    """At least 95 % of 101 exchangeable values: 2 / 101 lie below the second lowest of 100 draws."""
    draws = np.random.default_rng(0).permutation(100) / 100
    found = drawn((1.0,), np.append(0.5, draws))
    assert (found.effect, found.low, found.high, found.kind) == (0.5, 0.01, 0.98, Kind.EXAMPLES)
    few = drawn((1.0,), np.append(0.5, draws[:38]))
    assert few.kind is Kind.NONE, "two and a half of a hundred is less than one"
    bounded = drawn((1.0,), np.append(0.5, draws) + np.array([[0.0], [-0.2], [np.inf]]))
    assert (bounded.low, bounded.high) == (pytest.approx(0.01 - 0.2), np.inf), "each on its side"
    unknown = drawn((1.0,), np.append(0.5, np.where(draws > 0.5, np.nan, draws)))
    assert (unknown.low, unknown.high) == (-np.inf, np.inf)


SEED_1 = "seed 1 did not learn"


def study(**seeds):
    return SimpleNamespace(
        tasks=("mnli", "rte"), seeds_of=lambda kind, task, how: seeds.get(f"{kind}_{task}", (0, 1, 2))
    )


@reads("run", "curve")
def reading(study, task, seed, how) -> Evidence:
    if seed == 1:
        raise LeftOut(SEED_1)
    if seed == 3:
        raise Lacking("the store has no mrpc-middle-3")
    return drawn((float(seed),), 1.0 + seed)


MEASURE = Measure("what", "effect", reading, ("value",), arguments={"how": "pretrained"})


def test_a_measure_takes_the_tasks_and_seeds_that_have_what_it_needs_and_can_be_read():
    found = MEASURE(study(curve_rte=(1, 2)))
    assert [(e.task, e.trainings, e.effect) for e in found.evidence] == [("MNLI", 2, 2.0), ("RTE", 1, 3.0)]
    assert found.left_out == {"MNLI (1 of 3 trainings)": SEED_1, "RTE (1 of 2 trainings)": SEED_1}
    assert MEASURE(study(curve_rte=(1,), curve_mnli=(2,))).left_out == {"RTE": SEED_1}
    lacking = MEASURE(study(curve_rte=(), curve_mnli=(2,))).left_out
    assert lacking == {"RTE": "no loss curve has been computed for fine-tuning"}
    assert [e.task for e in replace(MEASURE, only=["rte"])(study()).evidence] == ["RTE"]
    part = MEASURE(study(run_rte=(3,), curve_rte=(3,))).left_out["RTE"]
    assert part == "not all that it needs has been computed", "a store that is read alone may have a part"
    fitted = replace(MEASURE, reader=reading._replace(kinds=("curve",), fitted=True), only=["rte"])
    assert "no training has been computed" in fitted(study(run_rte=())).left_out["RTE"]
    together = replace(MEASURE, reader=reading._replace(tasks=lambda study: (EVERY,)))
    assert together(study(curve_rte=(2,))).evidence[0].trainings == 1
    assert "no training has been computed" in together(study(run_rte=())).left_out[EVERY]


def test_a_claim_that_rests_on_one_number_has_an_interval_of_98_percent():
    found = MEASURE(study(curve_rte=()))
    expected = stats.ttest_1samp([1.0, 3.0], 0).confidence_interval(0.98)
    assert (found.evidence[0].low, found.evidence[0].high) == pytest.approx(tuple(expected))
    assert found.chance == pytest.approx(0.02)
    assert "98 % interval" in found.markdown()
    assert "95 % interval" in MEASURE(study()).markdown(), "it rests on two"


def test_numbers_stand_right_in_a_table_and_a_bar_ends_no_cell():
    values = [0.12345, 999.7, -1234.5, -0.0, -2.0, 12345.6, np.nan, np.inf, -np.inf]
    texts = ["0.123", "1,000", "−1,234", "0", "−2", "12,346", "n/a", "∞", "−∞"]
    assert [number(value) for value in values] == texts
    for text in texts:
        found = table(["|cos|", "b"], [["a|b", text]])
        assert found == f"| \\|cos\\| | b |\n| --- | ---: |\n| a\\|b | {text} |"
