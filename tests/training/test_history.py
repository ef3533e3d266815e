"""Loss histories against brute force and formulas."""

import numpy as np
import pytest
from synthetic import run_of

from landscape_utils.training.history import epochs_to, loss_of_epoch, smoothed


def test_smoothing_is_a_centred_mean_over_half_an_epoch_then_over_runs():
    rng = np.random.default_rng(0)
    runs = [run_of(lambda epoch: rng.random(len(epoch))) for _ in range(2)]
    epochs, smooth = smoothed(runs)
    for i in (0, 3, 40, len(epochs) - 1):
        near = np.abs(epochs - epochs[i]) <= 0.25 + 1e-12
        assert smooth[i] == pytest.approx(np.mean([run.loss[near] for run in runs]), abs=1e-12)


def test_epochs_to_a_loss():
    run = run_of(lambda epoch: 5 - epoch)
    assert epochs_to(run, 3.0) == pytest.approx(2.0)
    assert epochs_to(run, -1.0) == np.inf


@pytest.mark.parametrize("epoch", [1, 3, 4])
def test_loss_of_an_epoch_is_of_its_steps_alone(epoch):
    rng = np.random.default_rng(0)
    run = run_of(lambda epoch: rng.random(len(epoch)))
    steps = run.loss[20 * (epoch - 1) : 20 * epoch]
    assert loss_of_epoch(run, epoch) == pytest.approx((steps.mean(), steps.std(ddof=1) / np.sqrt(20), 19))
