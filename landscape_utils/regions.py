"""Regions: the lines and planes through parameter space that a landscape is seen over."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from .errors import UserError


@dataclass(frozen=True, eq=False)
class Line:
    """theta(alpha) = origin + alpha x; both (P,)."""

    origin: Tensor
    x: Tensor

    def __post_init__(self):
        check_directions(self.origin, {"x": self.x})

    @property
    def directions(self) -> tuple[Tensor, ...]:
        return (self.x,)

    @property
    def norm(self) -> float:
        """The parameter distance of one unit of alpha, |x|."""
        return float(torch.linalg.vector_norm(self.x, dtype=torch.float64))

    def at(self, alpha: float) -> Tensor:
        """theta, (P,), at alpha."""
        return self.origin + alpha * self.x


@dataclass(frozen=True, eq=False)
class Plane:
    """theta(alpha, beta) = origin + alpha x + beta y; all (P,).

    y is rescaled to the norm of x, |x| / |y| y (section 3.2), unless `rescale` is False.
    """

    origin: Tensor
    x: Tensor
    y: Tensor
    rescale: bool = True

    def __post_init__(self):
        check_directions(self.origin, {"x": self.x, "y": self.y})
        if self.rescale:
            scale = self.norm / float(torch.linalg.vector_norm(self.y, dtype=torch.float64))
            object.__setattr__(self, "y", self.y * scale)

    @property
    def directions(self) -> tuple[Tensor, ...]:
        return (self.x, self.y)

    @property
    def norm(self) -> float:
        """The parameter distance of one unit of alpha, |x| (and of one of beta, if y was rescaled)."""
        return float(torch.linalg.vector_norm(self.x, dtype=torch.float64))

    @property
    def cosine(self) -> float:
        """Cosine of the angle between x and y; the paper finds them near orthogonal (section 3.2)."""
        x, y = self.x.double(), self.y.double()
        return float(x @ y / (x.norm() * y.norm()))

    def at(self, alpha: float, beta: float) -> Tensor:
        """theta, (P,), at (alpha, beta)."""
        return self.origin + alpha * self.x + beta * self.y


def check_directions(origin: Tensor, directions: Mapping[str, Tensor]) -> None:
    """Refuse vectors that span nothing, by one line that says the values."""
    for name, vector in {"origin": origin, **directions}.items():
        if not isinstance(vector, Tensor) or vector.ndim != 1 or not vector.is_floating_point():
            found = (
                f"{vector.dtype} {tuple(vector.shape)}"
                if isinstance(vector, Tensor)
                else type(vector).__name__
            )
            raise UserError(f"{name} must be a floating-point vector of shape (P,); got {found}")
        if (vector.shape, vector.dtype, vector.device) != (origin.shape, origin.dtype, origin.device):
            raise UserError(
                f"{name} is {vector.dtype} {tuple(vector.shape)} on {vector.device}, but origin is "
                f"{origin.dtype} {tuple(origin.shape)} on {origin.device}; they must agree"
            )
        norm = float(torch.linalg.vector_norm(vector, dtype=torch.float64))
        if not math.isfinite(norm):
            raise UserError(
                f"{name} holds values that are not finite (its norm is {norm}); no line or plane goes through it"
            )
        if norm == 0 and name != "origin":
            raise UserError(f"{name} is zero everywhere; a direction must have a norm above 0")
