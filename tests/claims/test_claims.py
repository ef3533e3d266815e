"""What is left out of a claim, what bounds it, the paper's own numbers, and verdicts on planted worlds."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from planted import DEV, DRAWS, GUESS, Planted
from synthetic import rollback_of, run_of

from landscape_utils.claims.claims import CLAIMS, weigh
from landscape_utils.claims.evidence import EVERY
from landscape_utils.claims.layers import printed
from landscape_utils.landscape.scan import Mark

AWAY = Mark(9.0, 0.0, 0.1, 0.1, 0.01, 0.01)


def changed(method: str, change, *of: str, world: str = "true") -> Planted:
    """A planted study in which the results of a method that were asked for with all of `of` are changed."""
    study = Planted(world, 3)
    plain = getattr(study, method)

    def asked(*args, **more):
        found = plain(*args, **more)
        return change(found) if set(of) <= set(args) else found

    setattr(study, method, asked)
    return study


def fields(**values):
    return lambda result: replace(result, **values)


def primary(study: Planted, name: str):
    return CLAIMS[name][0](study)


@pytest.mark.slow
@pytest.mark.parametrize("claim", CLAIMS)
def test_planted_world_gets_its_verdict(claim):
    """On 100 independent studies of each world; where there is no effect, at most 5 have a verdict at all."""
    for world, right in {"true": "holds", "false": "does not hold", "absent": "undecided"}.items():
        verdicts = Counter(primary(Planted(world, draw, claim), claim).verdict for draw in range(100))
        assert verdicts[right] >= 95, f"{world}: {dict(verdicts)}"


def test_claims_are_weighed_by_name():
    claims = weigh(Planted("true", 0), "accuracy", "obstacle", "low-layers")
    assert [claim.name for claim in claims] == ["accuracy", "obstacle", "low-layers"]
    assert [len(claim.carries) for claim in claims] == [0, 1, 2]
    left_out = "MNLI, RTE, SST-2 and MRPC are left out: no random sets of layers were rolled back."
    assert left_out in claims[2].markdown()


@pytest.mark.parametrize(
    ("claim", "effects", "words"),
    [  # 5 minus the cost, or the cost; the standard errors are those of two independent shares
        ("low-layers", [5.19, 2.84, 4.65, 2.79], ["for", "open", "for", "open"]),
        ("middle-layers", [3.17, -0.41, 4.08, -5.05], ["for", "open", "for", "against"]),
        ("high-layers", [53.69, 28.16, 34.75, 12.03], ["for"] * 4),
        ("high-above-low", [53.88, 26.00, 34.40, 9.82], ["for"] * 4),
    ],
)
def test_the_papers_table_goes_through_the_same_measure(claim, effects, words):
    """On MRPC 90.20 % of 408 are right, and 80.15 % without the middle layers, each rounded by up to 0.005."""
    found = printed(CLAIMS[claim][0]).evidence
    assert [e.effect for e in found] == pytest.approx(effects)
    assert [e.word for e in found] == words
    if claim == "middle-layers":
        stderr = np.sqrt((90.20 * 9.80 + 80.15 * 19.85) / 408)
        assert found[3].high - found[3].effect == pytest.approx(1.96 * (stderr + 0.01), rel=1e-4)


def test_the_angle_between_two_tasks_that_lend_each_other_their_direction_counts_once():
    study = Planted("true", 3)
    study.partner = {"mnli": "mrpc", "rte": "mrpc", "sst2": "mrpc", "mrpc": "rte"}.get
    found = primary(study, "orthogonal")
    assert [e.task for e in found.evidence] == ["MNLI", "RTE", "SST-2"]
    assert found.left_out == {"MRPC": "its two directions are those of RTE, whose angle counts already"}
    study.seeds_of = lambda kind, task, how: () if task == "rte" else (0,)
    assert [e.task for e in primary(study, "orthogonal").evidence] == ["MNLI", "SST-2", "MRPC"]


def test_a_network_that_learned_nothing_says_nothing_on_what_its_rollbacks_cost():
    right = np.arange(DEV) < 0.52 * DEV  # 2 points above the largest class, at a standard error of 1.1
    study = changed("rollback", lambda _: rollback_of(np.array([right] * 4)), "rte")
    for name in ("low-layers", "high-layers", "high-above-low"):
        assert "hardly better on the dev set" in primary(study, name).left_out["RTE"]


def test_half_of_what_was_learned_rests_on_the_sample_too_and_is_something():
    """The limit is (guessing - loss) / 2: of an example, limit less cost is that of its own loss and its own cost."""
    rng, measure = np.random.default_rng(0), CLAIMS["low-layers"][1]
    before, after = rng.gamma(2, 0.1, DEV), rng.gamma(2, 0.12, DEV)
    study = changed("rollback", fields(loss=np.array([before, after, after, after])), "rte")
    study.seeds = (0,)
    (found,) = (e for e in measure(study).evidence if e.task == "RTE")
    each = (GUESS - before.astype(np.float32)) / 2 - (after - before)
    assert found.effect == pytest.approx(each.mean(), abs=1e-6)
    assert found.high - found.effect == pytest.approx(1.96 * each.std() / np.sqrt(DEV), rel=1e-3)
    worse = changed("rollback", fields(loss=np.array([1 + before] * 4)), "rte")
    assert "no gain to lose" in measure(worse).left_out["RTE"]


def test_an_exact_number_of_one_training_does_not_count():
    study = Planted("true", 3)
    study.seeds = (0,)
    for found in (primary(study, name) for name in ("straight", "low-moves-less", "orthogonal", "speed")):
        assert (found.verdict, found.voting, found.chance) == ("undecided", 0, 0.0)


@pytest.mark.parametrize(
    ("claim", "method", "change", "of", "reason"),
    [
        ("flatter", "run", lambda _: run_of(lambda epoch: 0.8 * GUESS), ("rte", "scratch"), "ends at 80% of the loss"),
        # 2,000 examples: 1.96 standard errors of 51.5 % are 2.2 points
        ("error-surface", "run", fields(dev_accuracy=np.array([0.515])), ("rte", "scratch"), "is hardly better on"),
        ("overfitting", "run", fields(dev_accuracy=np.array([0.96])), ("mrpc",), "only 4 % before the further"),
        ("straight", "walk", fields(quarter=np.full(2, np.nan)), ("rte",), "kept no weights"),
        (
            "surfaces-agree", "surface", lambda s: replace(s, alpha=3 * s.alpha, beta=3 * s.beta), ("rte",),
            "has only 6 points near the end",
        ),
        ("wider", "surface", lambda s: replace(s, marks=s.marks | {"end": AWAY}), ("rte",), "lies outside the scan"),
        ("slow-start", "run", fields(epochs=2), ("rte",), "training from scratch has only 2 epochs"),
        ("orthogonal", "walk", fields(angle=np.nan), ("rte",), "no second training begins"),
        ("low-moves-less", "walk", fields(moved=np.zeros(0)), ("rte",), "has no layer groups"),
        ("small-data", "facts", lambda facts: facts | {"train_examples": 1000}, (), "at least three sizes"),
        (
            "surfaces-agree", "surface", lambda s: replace(s, error=0 * s.error + 0.5, draws=s.draws[:0]), ("rte",),
            "of fine-tuning does not vary at equal distances from the end",
        ),
        ("rough-scratch", "path", lambda c: replace(c, draws=-c.draws), ("rte",), "not lower at the end than at"),
        ("speed", "run", lambda run: replace(run, loss=0 * run.loss + 0.6), ("rte",), "neither training gets to half"),
    ],
)  # fmt: skip
def test_what_a_measure_does_not_apply_to_is_left_out_with_the_reason(claim, method, change, of, reason):
    found = primary(changed(method, change, *of), claim)
    left_out = {"rte": "RTE", "mrpc": "MRPC"}[of[0]] if of else EVERY
    assert list(found.left_out) == [left_out]
    assert reason in found.left_out[left_out]
    assert left_out not in [e.task for e in found.evidence]


@pytest.mark.parametrize(
    ("slow", "word", "effect", "bounds"),
    [("scratch", "for", 4.0, (4.0, np.inf)), ("pretrained", "against", -3.0, (-np.inf, -3.0))],
)
def test_a_training_that_never_converges_bounds_the_effect_on_one_side(slow, word, effect, bounds):
    """From scratch has 16 epochs, fine-tuning 8; the one that gets there does so at 1, give or take a step of 1/20."""

    def loss(run):
        return replace(run, loss=np.where(run.epoch_of_step > 0.99, 0.6 if run.how == slow else 0.0, GUESS))

    found = primary(changed("run", loss), "speed").evidence[0]
    assert (found.effect, found.low, found.high) == pytest.approx((effect, *bounds), abs=0.11)
    assert found.word == word and np.inf in found.values


def test_rounding_widens_an_interval_by_twice_the_error():
    """A rise is a difference of two losses, each off by up to 0.01; in % of the descent."""
    studies = [changed("path", fields(precision_error=error)) for error in (0.0, 0.01)]
    exact, rounded = (primary(study, "rough-scratch").evidence[0] for study in studies)
    draws = Planted("true", 3).path("mnli", "scratch", 0).draws[:, 0]
    descent = draws[:, -2] - draws[:, -1]
    for wider in (exact.low - rounded.low, rounded.high - exact.high):
        assert 2 / descent.max() <= wider <= 2 / descent.min()


@pytest.mark.parametrize("off", [{"precision_error": 0.03}, {"loss_bound": np.full((15, 15), 0.06)}])
def test_errors_of_a_surface_widen_its_size(off):
    plain, wide = Planted("absent", 3), changed("surface", fields(**off), world="absent")
    for one, other in zip(*(primary(study, "wider").evidence for study in (plain, wide)), strict=True):
        assert other.effect == one.effect
        assert other.low + 0.1 < one.low < one.high < other.high - 0.1
    agree = [primary(study, "surfaces-agree").evidence for study in (plain, wide)]
    narrow, broad = (sum(e.high - e.low for e in found) for found in agree)
    assert narrow < broad


@pytest.mark.parametrize(("times", "plus", "how"), [(0.3, 0, "pretrained"), (1, 2.0, "scratch")])
def test_a_region_that_the_scan_cannot_hold_or_tell_bounds_the_effect_on_one_side(times, plus, how):
    """Flat, it is larger than the scan; raised, it is smaller than a cell of the grid."""

    def change(surface):
        return replace(surface, loss=times * surface.loss + plus, draws=times * surface.draws + plus)

    for evidence in primary(changed("surface", change, how), "wider").evidence:
        assert np.isfinite(evidence.low)
        assert evidence.high == np.inf
        assert how == "pretrained" or evidence.values[0] == pytest.approx((8 / 14) ** 2), "one cell"


def test_rollbacks_are_compared_example_by_example():
    """Bonett and Price 2012: (b - c) / (n + 2), with the variance of the two shares (b + 1) and (c + 1) of n + 2."""
    study = Planted("true", 3)
    study.seeds = (0,)
    evidence = primary(study, "high-layers").evidence[0]
    whole, _, _, high = study.rollback("mnli", seed=0).correct
    n, b, c = len(whole), (whole & ~high).sum(), (~whole & high).sum()
    p, q = (b + 1) / (n + 2), (c + 1) / (n + 2)
    stderr = 100 * np.sqrt((p + q - (p - q) ** 2) / (n + 1))
    assert evidence.effect == pytest.approx(100 * (p - q))
    assert evidence.high - evidence.effect == pytest.approx(1.959964 * stderr)


def test_directions_are_drawn_anew_with_the_examples():
    """Were all examples alike, the radius would still be uncertain by the directions that were drawn."""

    def alike(found):
        same = np.append(found.end, found.loss.ravel()).astype(np.float32)
        return replace(found, draws=np.tile(same, (DRAWS, 1)))

    for evidence in primary(changed("random_directions", alike), "flatter").evidence:
        assert 0.02 < evidence.high - evidence.low < 0.5
