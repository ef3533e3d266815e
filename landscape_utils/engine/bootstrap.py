"""The bootstrap over examples (Efron 1979): what a scan would show on other samples of the same size.

Examples are drawn with replacement as often as there are, and the mean of each draw is taken at every point. All points
and both trainings of a task share their draws: differences keep what these have in common out of the interval.
"""

import numpy as np
import torch
from torch import Tensor


def draws(examples: int, count: int) -> Tensor:
    """(examples, count) float32: of each of `count` draws the share of each example; always the same ones."""
    generator = np.random.default_rng(0)
    times = generator.multinomial(examples, np.full(examples, 1 / examples), size=count)  # (count, examples)
    return torch.from_numpy((times.T / examples).astype(np.float32))


def means(losses: Tensor, errors: Tensor, shares: Tensor) -> Tensor:
    """(2 * count,) float64: the mean loss of every draw and then the mean errors; losses and errors (examples,)."""
    return (torch.stack([losses, errors]).to(shares.dtype) @ shares).double().ravel()
