"""Numbers read off the loss history of a training."""

from collections.abc import Sequence

import numpy as np

from .finetune import Run


def smoothed(runs: Sequence[Run], window: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """(S,) epochs and (S,) losses: centred moving mean over `window` epochs, shorter at both ends, then over runs.

    The runs are of one task and one way, and so have the same steps; if one is shorter, it sets the length.
    """
    steps = min(len(run.loss) for run in runs)
    loss = np.mean([run.loss[:steps] for run in runs], axis=0)
    epochs = runs[0].epoch_of_step[:steps]
    total = np.concatenate([[0.0], np.cumsum(loss)])
    reach = window / 2 + 1e-9  # a step on the window's border is in, whatever the rounding
    first = np.searchsorted(epochs, epochs - reach, side="left")
    last = np.searchsorted(epochs, epochs + reach, side="right")
    return epochs, (total[last] - total[first]) / (last - first)


def epochs_to(run: Run, loss: float) -> float:
    """Epochs until the smoothed loss first is at or below `loss`; infinite if it never is."""
    epochs, smooth = smoothed([run])
    reached = np.flatnonzero(smooth <= loss)
    return float(epochs[reached[0]]) if len(reached) else float("inf")


def loss_of_epoch(run: Run, epoch: int) -> tuple[float, float, int]:
    """Mean loss of the steps of an epoch, counted from 1, its standard error and the degrees of freedom of that."""
    border = 1e-9  # a step at the end of an epoch belongs to it, whatever the rounding
    steps = run.loss[(run.epoch_of_step > epoch - 1 + border) & (run.epoch_of_step <= epoch + border)]
    stderr = steps.std(ddof=1) / np.sqrt(len(steps)) if len(steps) > 1 else np.inf
    return float(steps.mean()), float(stderr), max(len(steps) - 1, 1)
