"""Loss histories against brute force and a formula; further against both where the claims are measured."""

import numpy as np
import pytest
from synthetic import run_of

from landscape_utils.training.history import epochs_to, smoothed


def test_smoothing_is_a_centred_mean_over_half_an_epoch_then_over_runs():
    rng = np.random.default_rng(0)
    runs = [run_of(lambda epoch: rng.random(len(epoch))) for _ in range(2)]
    epochs, smooth = smoothed(runs)
    for i in (0, 3, 40, len(epochs) - 1):
        near = np.abs(epochs - epochs[i]) <= 0.25 + 1e-12
        assert smooth[i] == pytest.approx(np.mean([run.loss[near] for run in runs]), abs=1e-12)


def test_epochs_to_a_loss_are_until_it_is_reached():
    assert epochs_to(run_of(lambda epoch: 5 - epoch), 3.0) == pytest.approx(2.0)
