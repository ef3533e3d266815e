"""Each primary measure against an independent computation from the same results, of one planted study.

Areas are those on a finer interpolation of the same grid, see TOLERANCE; all else must agree to rounding.
"""

from dataclasses import replace
from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pytest
from planted import GUESS, SIZES, TASKS, Planted
from scipy.interpolate import RegularGridInterpolator
from scipy.optimize import brentq
from scipy.stats import rankdata, sem, spearmanr, ttest_1samp, ttest_ind
from synthetic import curve_of, run_of

from landscape_utils.claims import trainings
from landscape_utils.claims.claims import CLAIMS
from landscape_utils.claims.intervals import Kind, LeftOut, over_trainings
from landscape_utils.claims.layers import cost as cost_of_rollback
from landscape_utils.claims.measure import compared
from landscape_utils.claims.regions import on_line
from landscape_utils.claims.surfaces import partial_rank_correlation
from landscape_utils.landscape.scan import Curve
from landscape_utils.names import display_name

STUDY = Planted("true", 7)
SEEDS = STUDY.seeds


def over_seeds(function):
    return lambda task: np.mean([function(task, seed) for seed in SEEDS])


def runs(task, seed):
    return STUDY.run(task, "scratch", seed), STUDY.run(task, "pretrained", seed)


def gain(task, seed, over="scratch"):
    """Of fine-tuning over another training, in points of accuracy."""
    other, tuned = (100 * STUDY.run(task, how, seed).dev_accuracy[-1] for how in (over, "pretrained"))
    return tuned - other


def slope(_):
    gains = [over_seeds(gain)(task) for task in TASKS]
    return -np.polyfit(np.log10([SIZES[task] for task in TASKS]), gains, 1)[0]


def mean_between(run, low, high):
    """Of the losses of the steps between two epochs, each but for a rounding."""
    return run.loss[(low - 1e-9 <= run.epoch_of_step) & (run.epoch_of_step <= high + 1e-9)].mean()


def epochs_to_half(run):
    return next(e for e in run.epoch_of_step if mean_between(run, e - 0.25, e + 0.25) <= GUESS / 2)


def epoch_mean(run, epoch):
    return mean_between(run, epoch - 1 + 1e-6, epoch)


def largest_rise(curve: Curve):
    """In % of the descent, over all pairs of points; the marks are at both ends of the line."""
    loss = [curve.marks["start"].loss, *curve.loss[1:-1], curve.marks["end"].loss]
    return 100 * max(b - a for i, a in enumerate(loss) for b in loss[i:]) / (loss[0] - loss[-1])


def straightness(task, seed):
    def beyond(how):
        rates = STUDY.schedule(task, how)
        walk = np.sqrt(sum(r**2 for r in rates[: len(rates) // 4]) / sum(r**2 for r in rates))
        return STUDY.walk(task, how, seed).quarter[1] - walk

    return beyond("pretrained") - beyond("scratch")


def first_direction(task):
    found = STUDY.obstacles(task, "pretrained", 0)
    start, end = found.path.marks["start"].loss, found.path.marks["end"].loss
    return 100 * (start - found.ray.loss.min()) / (start - end) - 50


def area_ratio(task, split, value, guessing):
    """Of regions around the end, star-shaped here, on 1,601 x 1,601 bilinear points; at least a cell of the scan."""
    pair = [STUDY.surface(task, how, split, seed=0) for how in ("scratch", "pretrained")]
    level = (guessing + max(getattr(s.marks["end"], value) for s in pair)) / 2
    fine = np.linspace(-4, 4, 1601)
    places = np.stack(np.meshgrid(fine, fine, indexing="ij"), axis=-1)
    near, areas = np.hypot(places[..., 0] - 1, places[..., 1]) < 3.0, []
    for surface in pair:
        values = RegularGridInterpolator((surface.alpha, surface.beta), getattr(surface, value))(places)
        areas.append(max(((values <= level) & near).mean() * 64, (8 / 14) ** 2))
    return np.log2(areas[1] / areas[0])


def radius_ratio(task):
    pair = [STUDY.random_directions(task, how, 0) for how in ("scratch", "pretrained")]
    level = (GUESS + max(d.end for d in pair)) / 2

    def radius(found):
        loss = [found.end, *(sum(row[i] for row in found.loss) / 20 for i in range(10))]
        return brentq(lambda r: np.interp(r, [0, *found.radius], loss) - level, 0, 1)

    return np.log2(radius(pair[1]) / radius(pair[0]))


def partial_correlation(task, how):
    train, dev = (STUDY.surface(task, how, split, seed=0) for split in ("train", "dev"))
    away = np.hypot(train.alpha[:, None] - 1, train.beta).round(9)
    x, y, z = (rankdata(v[away <= 2]) for v in (train.loss, dev.error, away))
    left = [ranks - np.polyval(np.polyfit(z, ranks, 3), z) for ranks in (x, y)]
    return np.corrcoef(left)[0, 1]


def barrier(task):
    curve = STUDY.barrier(task, seed=0)
    before, after = curve.marks["start"].loss, curve.marks["end"].loss
    heights = [x - (before + a * (after - before)) for a, x in zip(curve.alpha, curve.loss, strict=True)]
    return 5 - 100 * max(heights) / (GUESS - before)


def cost(limit, **weights):
    """With a pseudo-example each way, (n * mean + 0) / (n + 2) off the limit: the limit's own mean stays."""

    def of(task, seed):
        rollback = STUDY.rollback(task, seed=seed)
        right = dict(zip(("whole", "low", "middle", "high"), rollback.correct, strict=True))
        lost = {g: 100 * (right["whole"].sum() - right[g].sum()) / (rollback.examples + 2) for g in weights}
        return limit + sum(w * lost[g] for g, w in weights.items())

    return over_seeds(of)


def back_ratio(task):
    ways = []
    for group in ("low", "middle", "high"):
        surface = STUDY.layer_surface(task, group, seed=0)
        level = (GUESS + surface.marks["fine-tuned"].loss) / 2
        middle = [np.interp(0.0, surface.beta, row) for row in surface.loss]
        marks = {mark.alpha: mark.loss for mark in surface.marks.values()}
        places = dict(zip(surface.alpha, middle, strict=True)) | marks
        alpha, loss = np.array(sorted(place for place in places.items() if place[0] <= 0)).T
        last = np.flatnonzero(loss > level)[-1]
        ways.append(-np.interp(level, loss[[last + 1, last]], alpha[[last + 1, last]]))
    return np.log2(ways[0] / max(ways[1:]))


EXPECTED = {  # claim -> effect of a task
    "accuracy": over_seeds(gain),
    "small-data": slope,
    "speed": over_seeds(lambda t, s: np.log2(np.divide(*map(epochs_to_half, runs(t, s))))),
    "final-loss": over_seeds(lambda t, s: np.subtract(*map(epoch_mean, runs(t, s), (16, 8)))),
    "slow-start": over_seeds(lambda t, s: epoch_mean(runs(t, s)[0], 3) / GUESS - 0.9),
    "smooth-fine-tuning": lambda t: 5 - largest_rise(STUDY.path(t, "pretrained", 0)),
    "rough-scratch": lambda t: largest_rise(STUDY.path(t, "scratch", 0)) - 5,
    "straight": over_seeds(straightness),
    "first-direction": first_direction,
    "obstacle": lambda t: largest_rise(STUDY.obstacles(t, "scratch", 0).path) - 5,
    "wider": lambda t: area_ratio(t, "train", "loss", GUESS),
    "flatter": radius_ratio,
    "error-surface": lambda t: area_ratio(t, "dev", "error", 0.5),
    "surfaces-agree": lambda t: np.arctanh(partial_correlation(t, "pretrained")),
    "agree-on-large": lambda _: np.dot([0.5, -0.5, 0.5, -0.5], [partial_correlation(t, "scratch") for t in TASKS]),
    "orthogonal": over_seeds(lambda t, s: 5 / 1e3 - abs(STUDY.walk(t, "pretrained", s).angle)),
    "overfitting": over_seeds(lambda t, s: 5 - gain(t, s, over="continued")),
    "same-basin": barrier,
    "low-layers": cost(5, low=-1),
    "middle-layers": cost(5, middle=-1),
    "high-layers": cost(0, high=1),
    "high-above-low": cost(0, high=1, low=-1),
    "low-wider": back_ratio,
    "low-moves-less": over_seeds(lambda t, s: np.log2(STUDY.walk(t, "pretrained", s).moved[2])),
}  # fmt: skip
# Of an area of a few cells 5 %: 36 rays, and the mark itself, which the fine grid does not hold.
TOLERANCE = {"wider": 0.1, "error-surface": 0.1, "low-wider": 1e-6}
NAMES = {display_name(task): task for task in TASKS}


@pytest.mark.parametrize("claim", CLAIMS)
def test_effect_is_that_of_an_independent_computation(claim):
    measured = CLAIMS[claim][0](STUDY)
    assert measured.evidence
    for evidence in measured.evidence:
        expected = EXPECTED[claim](NAMES.get(evidence.task))
        assert evidence.effect == pytest.approx(expected, abs=TOLERANCE.get(claim, 1e-9)), evidence.task


def test_every_measure_that_stands_beside_can_be_read_on_a_whole_study():
    """But for random sets of layers, which the planted rollbacks lack, each has an effect for some task."""
    for measured in (measure(STUDY) for measures in CLAIMS.values() for measure in measures[1:]):
        if "random sets" in measured.effect:
            assert set(measured.left_out.values()) == {"no random sets of layers were rolled back"}
        else:
            assert measured.evidence, measured.what
            assert np.isfinite([e.effect for e in measured.evidence]).all(), measured.what


@pytest.mark.parametrize(
    ("sets", "left"), [([(0, 1), (2, 4), (3, 5)], 12 / 15), (list(combinations(range(6), 2)), 0)]
)
def test_random_sets_cost_their_mean_which_rests_on_the_sets_that_were_drawn(sets, left):
    """The first set keeps all right and the others lose all; of a finite number of sets fewer are unknown."""
    plain = STUDY.rollback("mnli", seed=0)
    right = plain.correct[:1]
    after = np.concatenate([right] + [np.zeros_like(right)] * (len(sets) - 1))
    both = replace(plain, correct=np.concatenate([plain.correct, after]), random_sets=np.array(sets))
    study = SimpleNamespace(rollback=lambda task, seed: both, facts=STUDY.facts)
    found = cost_of_rollback.function(study, "mnli", 0, {"random": 1, "low": -1})
    lost = 100 * right[0].astype(float) * (1 - 1 / len(sets))
    each = np.append(lost - 100 * (right[0].astype(float) - plain.correct[1]), [100, -100])
    by_set = sem([0.0] + [100 * right.mean()] * (len(sets) - 1)) * np.sqrt(left)
    assert found.values[0] == pytest.approx(lost.mean())
    assert found.effect == pytest.approx(each.mean())
    assert found.high - found.effect == pytest.approx(1.959964 * np.hypot(sem(each), by_set))
    study.rollback = lambda task, seed: replace(both, layers=plain.layers | {"low": (0, 2)})
    with pytest.raises(LeftOut, match="another number of layers"):
        cost_of_rollback.function(study, "mnli", 0, {"random": 1, "low": -1})


def test_a_mean_loss_over_few_steps_has_students_interval_and_over_trainings_no_other():
    """As scipy's test of Welch has it, of 20 and of 4 steps; the steps of each training are in how the means spread."""
    runs = {"scratch": run_of(lambda e: np.sin(9 * e)), "pretrained": run_of(np.cos, steps_each=4)}
    study = SimpleNamespace(run=lambda task, how, seed: runs[how])
    found = compared([trainings.loss.function(study, "mrpc", how, 0) for how in runs], Kind.STEPS)
    steps = [runs[how].loss[-count:] for how, count in (("pretrained", 4), ("scratch", 20))]
    expected = ttest_ind(*steps, equal_var=False).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx(tuple(expected), rel=1e-6)
    seeds = [replace(found, effect=effect, low=effect - 9, high=effect + 9) for effect in (1.0, 2.0, 4.0)]
    expected = ttest_1samp([1.0, 2.0, 4.0], 0).confidence_interval(0.95)
    together = over_trainings("MRPC", seeds)
    assert (together.low, together.high) == pytest.approx(tuple(expected))


def test_an_accuracy_at_which_nothing_is_wrong_is_uncertain_too():
    """40 of 40 against 36 of 40, of which Fisher's exact test says p = 0.12."""
    runs = {"scratch": run_of(np.cos, dev_accuracy=[0.9]), "pretrained": run_of(np.cos, dev_accuracy=[1.0])}
    study = SimpleNamespace(run=lambda task, how, seed: runs[how], facts=lambda task: {"dev_examples": 40})
    found = compared([trainings.accuracy.function(study, "mrpc", how, 0) for how in runs], Kind.EXAMPLES)
    assert found.effect == pytest.approx(10) and found.word == "open"


def test_a_width_below_the_step_of_the_scan_is_between_nothing_and_the_step():
    """A parabola of half-width w that a line from the mark to the next point cuts at w^2 / step."""
    curve = curve_of(lambda a: (a - 1) ** 2, points=15, span=4)  # points 4 / 7 apart
    size, low, high = on_line(curve, sides="left").bounds(np.full(1 + len(curve.draws), 0.3**2))[:, 0]
    assert low == 0 and high >= 4 / 7 - 1e-9 and size == pytest.approx(4 / 7)


def test_the_first_epochs_own_place_is_one_of_its_directions():
    """In a valley that is narrower than the steps of the ray."""
    found = STUDY.obstacles("mnli", "pretrained", 0)
    ray, draws = found.ray, found.ray.draws.copy()
    draws[:, 0, -1] = draws[:, 0, :-1].min(axis=1) - 0.1
    lowest = ray.marks["first epoch"]._replace(loss=float(ray.loss.min()) - 0.1)
    marks = ray.marks | {"first epoch": lowest}
    assert list(marks)[-1] == "first epoch"
    study = SimpleNamespace(obstacles=lambda *_: replace(found, ray=replace(ray, marks=marks, draws=draws)))
    assert trainings.first_direction.function(study, "mnli", 0).effect == 0


def test_partial_rank_correlation_is_that_of_what_a_cubic_leaves():
    rng = np.random.default_rng(0)
    first, second, given = rng.normal(size=(3, 200))
    second = second + first + 3 * np.sin(given)
    ranks = [rankdata(values) for values in (first, second, given)]
    left = [r - np.polyval(np.polyfit(ranks[2] / 200, r, 3), ranks[2] / 200) for r in ranks[:2]]
    found = partial_rank_correlation(np.stack([first, -first]), np.stack([second, second]), given)
    assert found == pytest.approx(np.corrcoef(left)[0, 1] * np.array([1, -1]))
    assert np.isnan(partial_rank_correlation(given[None], second[None], given)[0]), "nothing is left"
    plain = partial_rank_correlation(first[None], second[None], np.zeros(200))
    assert plain == pytest.approx(spearmanr(first, second).statistic)
