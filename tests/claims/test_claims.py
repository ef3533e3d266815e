"""Claims on a study made of formulas, whose effects are known by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from synthetic import NORM, bowl, curve_of, make_study, run_of

from landscape_utils.claims import paper
from landscape_utils.claims.claims import CLAIMS, weigh

EFFECTS = {
    "better-accuracy": 30.0,  # 90 % against 60 %
    "faster-convergence": 2.0,  # a quarter of the speed: log2 4
    "flatter-curve-alpha": 1.0,  # a width goes as 1 / sqrt(curvature): log2 2
    "flatter-curve-distance": 1 - np.log2(3),  # and three times as far
    "wider-optimum-alpha": 2.0,  # an area goes as 1 / curvature: log2 4
    "wider-optimum-distance": 2 - 2 * np.log2(3),
    "flatter-curve-alpha-nats": 1.0,
    "flatter-curve-distance-nats": 1 - np.log2(3),
    "wider-optimum-alpha-nats": 2.0,
    "wider-optimum-distance-nats": 2 - 2 * np.log2(3),
    "flatter-curve-curvature": 4 - 1.0,
    "wider-optimum-sharpness": (4 - 1) * 0.5**2 / 2,
    "surfaces-agree": 0.5,  # error is an increasing function of loss: correlation 1
    "orthogonal-directions": 0.15,  # 0.2 - 0.05
    "straighter-path-first-epoch": 0.5 / np.hypot(0.5, 0.1) - 0.5 / np.hypot(0.5, 0.5),
    "robust-to-overfitting": 5 - 2.0,  # 10 % of errors, then 12 %
    "stays-near": 1 - np.hypot(0.3, 0.4),  # from (1, 0) to (1.3, 0.4)
    "low-layers-transfer": 30 - 2.0,
    "low-layers-wider": 2.0,
}
TOLERANCE = {"faster-convergence": 0.11, "wider-optimum-alpha": 0.05, "wider-optimum-distance": 0.05}
TOLERANCE |= {f"{name}-nats": bound for name, bound in TOLERANCE.items()}


@pytest.mark.parametrize("name", EFFECTS)
def test_effect_is_what_the_formulas_give(name):
    """Tolerances, in log2: one step of 1/20 epoch in 0.69 is 0.1; an area is good to 2 %, a width to 0.5 %."""
    curve = {"curve": lambda task, how, split="train": curve_of(bowl(how), 401, norm=NORM[how])}
    (claim,) = weigh(make_study(**curve), name)
    for evidence in claim.evidence:
        assert evidence.effect == pytest.approx(EFFECTS[name], abs=TOLERANCE.get(name, 0.01))


def test_every_claim_has_its_sentence_and_a_verdict():
    claims = weigh(make_study())
    assert [claim.id for claim in claims] == list(CLAIMS)
    for claim in claims:
        assert (claim.section, claim.sentence) == paper.sentence(claim.id)
        assert claim.verdict in ("holds", "does not hold", "undecided")


def test_verdicts_follow_the_formulas():
    verdicts = {claim.id: claim.verdict for claim in weigh(make_study())}
    assert verdicts["smooth-path"] == "holds"
    assert verdicts["wider-optimum-alpha"] == "holds"
    assert verdicts["wider-optimum-distance"] == "does not hold"
    assert verdicts["robust-to-overfitting"] == "undecided"  # 3 points below dramatic, give or take 4


def test_smooth_path_is_the_height_of_the_wall():
    (claim,) = weigh(make_study(), "smooth-path")
    x = np.linspace(0, 1, 100_001)
    path = bowl("scratch")(x) + 0.3 * np.sin(10 * x) ** 2
    rise = (path - np.minimum.accumulate(path)).max()
    assert claim.evidence[0].values == pytest.approx(
        (rise, 0.0), abs=6e-3
    )  # 60 h^2 / 8 at each turn, h = 1/50


def test_smooth_path_is_open_where_too_few_points_lie_on_it():
    curve = {"curve": lambda task, how, split="train": curve_of(bowl(how), 7)}
    (claim,) = weigh(make_study(**curve), "smooth-path")
    assert {evidence.word for evidence in claim.evidence} == {"open"}
    assert "n/a" in claim.markdown()


def test_a_task_that_was_not_fitted_is_left_out():
    study = make_study()
    plain = study.run
    flat = {"loss": lambda epoch: np.log(2), "dev_accuracy": np.array([0.5, 0.5])}
    study.run = lambda task, how="pretrained", seed=0: (
        run_of(how=how, task=task, **flat) if (task, how) == ("rte", "scratch") else plain(task, how, seed)
    )
    (claim,) = weigh(study, "wider-optimum-alpha")
    assert claim.left_out == {"RTE": "scratch did not fit its training set"}
    assert [evidence.task for evidence in claim.evidence] == ["MNLI", "SST-2", "MRPC"]


def test_a_task_that_was_fitted_and_did_not_generalise_is_weighed():
    """Where only the shape of the training loss counts; where the dev set does, it is left out."""
    study = make_study()
    plain = study.run
    study.run = lambda task, how="pretrained", seed=0: (
        replace(plain(task, how), dev_accuracy=np.array([0.5, 0.5])) if task == "rte" else plain(task, how)
    )
    wider, agree = weigh(study, "wider-optimum-alpha", "surfaces-agree")
    assert (len(wider.evidence), wider.left_out) == (4, {})
    assert (len(agree.evidence), agree.left_out) == (3, {"RTE": "pretrained ended at the majority class"})


def test_seeds_are_taken_together():
    study = make_study(seeds=(0, 1, 2))
    plain = study.run

    def run(task, how="pretrained", seed=0):
        found = plain(task, how)
        return replace(found, dev_accuracy=found.dev_accuracy - (0.01 * seed if how == "scratch" else 0))

    study.run = run
    (claim,) = weigh(study, "better-accuracy")
    found = claim.evidence[0]
    assert found.effect == pytest.approx(31.0)  # 30, 31, 32: a standard deviation of 1
    assert found.high - found.effect == pytest.approx(stats.t.ppf(0.975, 2) / np.sqrt(3))


@pytest.mark.parametrize(
    ("slow", "values", "shown", "effect", "interval", "verdict"),
    [
        # 8 epochs against 20 steps an epoch to half: the one that gets there does so between 0.95 and 1.05
        (("scratch",), (np.inf, 1.0), ("never in 8 epochs", "1"), 3.0, (3.0, np.inf), "holds"),
        (("pretrained",), (1.0, np.inf), ("1", "never in 4 epochs"), -2.0, (-np.inf, -2.0), "does not hold"),
        (("scratch", "pretrained"), (np.inf, np.inf), ("never in 8 epochs", "never in 4 epochs"), np.nan,
         (-np.inf, np.inf), "undecided"),
    ],
)  # fmt: skip
def test_a_training_that_never_converges_bounds_the_effect(slow, values, shown, effect, interval, verdict):
    def run(task, how="pretrained", seed=0):
        loss = (lambda epoch: 0.6) if how in slow else (lambda epoch: np.where(epoch > 0.99, 0.0, np.log(2)))
        return run_of(loss, how=how, epochs=8 if how == "scratch" else 4)

    study = make_study()
    study.run = run
    (claim,) = weigh(study, "faster-convergence")
    found = claim.evidence[0]
    step = 0.11  # log2 of one step of 1/20 epoch in one
    assert found.values == pytest.approx(values, abs=0.06)
    assert (found.effect, found.low, found.high) == pytest.approx((effect, *interval), abs=step, nan_ok=True)
    assert claim.verdict == verdict
    text = claim.markdown()
    assert all(word in text for word in shown if "never" in word)
    assert "−∞ (" not in text, "no effect without end"


def test_of_several_seeds_those_that_never_converge_are_counted():
    study = make_study(seeds=(0, 1, 2))
    plain = study.run
    study.run = lambda task, how="pretrained", seed=0: (
        run_of(lambda epoch: 0.6, how=how, epochs=8)
        if (how, seed) == ("scratch", 2)
        else plain(task, how, seed)
    )
    (claim,) = weigh(study, "faster-convergence")
    assert claim.evidence[0].high == np.inf
    assert np.isfinite(claim.evidence[0].low)
    assert ", never in 1 of 3 |" in claim.markdown()
