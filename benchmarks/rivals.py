"""The rivals: the loop that most people write, with and without dynamic padding, and the package `loss-landscapes`.

The loops are as good as such a loop gets: tokenised and on the device beforehand, attention by SDPA, no gradients, each
parameter written in place. What they lack is order of length, batches by tokens and fused writing.
"""

from __future__ import annotations

import copy
import time
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from landscape_utils.engine.objective import Example, pad, trim
from landscape_utils.engine.precision import Point
from landscape_utils.engine.walker import DTYPES

from .cases import Case

BATCH = 32
PACKAGE = "loss-landscapes"


def tensors(examples: list[Example], width: int, device: torch.device) -> tuple[dict[str, Tensor], Tensor]:
    """Inputs, each (B, width), and labels (B,)."""
    rows = [trim(example) for example in examples]
    inputs = {
        field: torch.tensor([pad(row[field][:width], width, 0) for row in rows], device=device)
        for field in rows[0]
        if field != "labels"
    }
    return inputs, torch.tensor([row["labels"] for row in rows], device=device)


def length(examples: list[Example]) -> int:
    return max(len(example["input_ids"]) for example in examples)


class PlainLoop:
    """`loop(point)`: the loss there, by batches of 32 in the order of the data.

    Args:
        width: every batch is padded to it; None: to the longest of its own.
    """

    def __init__(self, case: Case, width: int | None, precision: str):
        self.model: Any = copy.deepcopy(case.model).to(DTYPES[precision]).eval()
        self.parameters = list(self.model.base_model.parameters())
        self.device = self.parameters[0].device
        vectors = [v.to(self.device) for v in (case.plane.origin, case.plane.x, case.plane.y)]
        sizes = [p.numel() for p in self.parameters]
        self.vectors = list(zip(*(vector.split(sizes) for vector in vectors), strict=True))
        rows = case.examples
        batches = [rows[i : i + BATCH] for i in range(0, len(rows), BATCH)]
        self.batches = [tensors(batch, width or length(batch), self.device) for batch in batches]
        self.size = len(rows)

    @torch.no_grad()
    def __call__(self, point: Point) -> float:
        alpha, beta = point
        for parameter, (origin, x, y) in zip(self.parameters, self.vectors, strict=True):
            parameter.copy_((origin + alpha * x + beta * y).view_as(parameter))
        total = 0.0
        for inputs, labels in self.batches:
            logits = self.model(**inputs).logits.float()  # (B, C)
            total += F.cross_entropy(logits, labels, reduction="sum").item()
        return total / self.size


class OneTensor(nn.Module):
    """The least that lets the package run a `transformers` model: it passes on one tensor and wants one back."""

    def __init__(self, model: nn.Module, fields: list[str]):
        super().__init__()
        self.model = model
        self.fields = fields

    def forward(self, inputs: Tensor) -> Tensor:  # (n, fields, T) -> (n, C)
        return self.model(**dict(zip(self.fields, inputs.unbind(1), strict=True))).logits


class LossLandscapes:
    """`planar_interpolation` of the package as its documentation uses it: `Loss` over all the data as one tensor.

    The three models that span the plane are theta_0, theta_0 + x and theta_0 + y, with the same head. The data are
    padded to their longest. `plane()` computes a plane and remembers when each of its points was done.
    """

    STEPS = 2

    def __init__(self, case: Case, precision: str):
        from loss_landscapes.metrics import Loss

        ends: list[float] = []

        class Timed(Loss):
            def __call__(self, wrapper):
                value = super().__call__(wrapper)
                ends.append(time.perf_counter())
                return value

        model = copy.deepcopy(case.model).to(DTYPES[precision]).eval()
        device = next(model.parameters()).device
        inputs, labels = tensors(case.examples, length(case.examples), device)
        self.models = []
        for point in ((0.0, 0.0), (1.0, 0.0), (0.0, 1.0)):
            spanning = copy.deepcopy(model)
            theta = case.plane.at(*point).to(device)
            torch.nn.utils.vector_to_parameters(theta.to(DTYPES[precision]), spanning.base_model.parameters())
            self.models.append(OneTensor(spanning, list(inputs)))
        self.ends = ends
        self.metric = Timed(F.cross_entropy, torch.stack(list(inputs.values()), 1), labels)

    def plane(self) -> tuple[np.ndarray, np.ndarray]:
        """Its values, (STEPS, STEPS), and the seconds from one point's end to the next one's."""
        from loss_landscapes import planar_interpolation

        self.ends.clear()
        values = planar_interpolation(*self.models, self.metric, steps=self.STEPS, deepcopy_model=True)
        return values, np.diff(self.ends)

    def claimed(self) -> list[Point]:
        """Where its documentation places the values, row by row: theta_0 + i / steps x + j / steps y."""
        return [(i / self.STEPS, j / self.STEPS) for i in range(self.STEPS) for j in range(self.STEPS)]

    def visited(self) -> list[Point]:
        """Where it computes them: even rows lie one step further along y."""
        return [
            (i / self.STEPS, (j + 1 - i % 2) / self.STEPS)
            for i in range(self.STEPS)
            for j in range(self.STEPS)
        ]


def installed() -> str | None:
    """The package's version, None where it is not installed."""
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return None
