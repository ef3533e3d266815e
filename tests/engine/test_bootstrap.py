"""The bootstrap over examples, against means taken by hand and against scipy's."""

import numpy as np
import pytest
import torch
from geometry import ALPHA, BETA, make_plane
from networks import make_examples
from scipy import stats

from landscape_utils.engine.forward import evaluating
from landscape_utils.engine.objective import Objective, bootstrap_draws, bootstrap_means
from landscape_utils.landscape.scan import scan

DRAWS = 12


def test_interval_is_that_of_scipys_bootstrap():
    """Two sets of 2,000 draws: the ends of a 95 % interval are good to about 0.05 standard errors."""
    values = np.random.default_rng(1).gamma(2.0, size=60).astype(np.float32)
    shares = bootstrap_draws(60, 2000)
    found = bootstrap_means(torch.from_numpy(values), torch.zeros(60), shares)[:2000]
    scipys = stats.bootstrap((values,), np.mean, n_resamples=2000, method="percentile", rng=2)
    interval, error = np.quantile(found, [0.025, 0.975]), values.std(ddof=1) / np.sqrt(60)
    np.testing.assert_allclose(interval, scipys.confidence_interval, atol=0.2 * error)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_draws_of_a_scan_are_means_over_the_draws(model, precision):
    """In float32 to rounding; in bfloat16 of the right shape and near, 8 bits of each loss."""
    objectives, plane = [Objective(model, make_examples(n, seed=n)) for n in (9, 14)], make_plane(model)
    found = scan(objectives, plane, ALPHA, BETA, draws=DRAWS, precision=precision)
    for surface, objective in zip(found, objectives, strict=True):
        assert surface.draws.shape == (DRAWS, 2, len(ALPHA) * len(BETA) + 2)
        assert surface.draws.dtype == np.float32
        n = objective.size
        with evaluating(model):
            outcomes = torch.stack(objective.outcomes(objective.logits)).double().numpy()  # (2, n)
        drawn = np.random.default_rng(0).multinomial(n, [1 / n] * n, DRAWS)
        expected = [np.repeat(outcomes, times, axis=1).mean(axis=1) for times in drawn]
        at_start = surface.draws[:, :, -2]  # where the model stands
        fields = slice(2 if precision == "float32" else 1)  # the error of bfloat16 may jump by an example
        rounding = {"rtol": 1e-5, "atol": 1e-7} if precision == "float32" else {"atol": 0.05}
        np.testing.assert_allclose(at_start[:, fields], np.array(expected)[:, fields], **rounding)


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_an_example_that_is_not_finite_counts_in_the_draws_that_hold_it(value):
    shares = bootstrap_draws(5, 40)
    losses = torch.tensor([value, 1.0, 2.0, 3.0, 4.0])
    found, errors = bootstrap_means(losses, torch.zeros(5), shares).reshape(2, 40)
    holds = shares[0] > 0
    assert 0 < holds.sum() < 40
    np.testing.assert_equal(found[holds].tolist(), [value] * int(holds.sum()))
    np.testing.assert_allclose(found[~holds], (losses[1:] @ shares[1:])[~holds], rtol=1e-6)
    assert not errors.any()
