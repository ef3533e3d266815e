"""How sharp the loss is at one point, in all directions of the space of weights at once.

The largest eigenvalues of the Hessian say how it bends in a neighbourhood without extent; sharpness in a ball says how
high it climbs within a given distance. An eigenvalue goes as one over the square of the unit of length, so it is also
given times |delta_1| squared, and the ball has a radius in steps as well as one in weights. None of these survives a
rescaling of weights that leaves the function as it is (Dinh et al. 2017); the ball of Kwon et al. (2021), in which
each weight moves in proportion to its own size, does but for the eta that keeps the smallest weights movable.

Where a network fits its examples to almost no loss, the Hessian of cross-entropy vanishes with the loss, however
narrow the valley is a small step further; there the balls tell more.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh
from torch import Tensor

from .derivatives import Losses, twice_differentiable
from .objective import Objective, evaluating
from .progress import bar

logger = logging.getLogger(__name__)

EXAMPLES = 64  # at most, of those of the landscapes: all of it costs some 300 points on as many
EIGENVALUES = 3
BASIS = 8  # vectors of Lanczos's method, (P,) each: the fewer, the less memory, and the more restarts
RESTARTS = 6  # some forty products with the Hessian at most
TOLERANCE = 0.01  # |H v - lambda v| over lambda; the error of lambda itself is of its square
# Of ascent at most, and when it ends before: at a gain of no more than a hundredth over three steps. There were five
# steps, until one of the demo's first balls turned out to rise a thousand times as high in twenty.
STEPS, GAIN, PATIENCE = 25, 0.01, 3
# Radii, set before any number was seen: a twentieth of the step; what Foret et al. (2021) train with; what the code of
# Kwon et al. (2021) takes unless told otherwise, with its eta.
SHARE, RADIUS, ADAPTIVE, ETA = 0.05, 0.05, 0.5, 0.01
BALLS = ("alpha", "distance", "adaptive")
RECIPE = {
    "eigenvalues": EIGENVALUES,
    "tolerance": TOLERANCE,
    "ascent": [STEPS, GAIN, PATIENCE],
    "radii": [SHARE, RADIUS, ADAPTIVE],
    "eta": ETA,
}  # what of this module changes the numbers


@dataclass(frozen=True)
class Spectrum:
    """The largest eigenvalues of the Hessian of the mean loss with respect to the encoder's weights.

    Attributes:
        eigenvalues: (K,) float64, the largest first, in nats per squared distance between weights; NaN for what was
            not found.
        stderr: (K,) standard errors over the examples: an eigenvalue is the mean over them of how each one's loss
            bends along its vector v.
        residuals: (K,) |H v - lambda v|: an eigenvalue lies no further than that from lambda.
    """

    eigenvalues: np.ndarray
    stderr: np.ndarray
    residuals: np.ndarray


@dataclass(frozen=True)
class Ball:
    """How far the mean loss rises within a ball around the weights, in nats.

    Attributes:
        radius: in distance between weights; of an adaptive ball without unit.
        first_order: radius times the gradient's norm, the rise of a plane.
        rise: the most that was found by gradient ascent, a lower bound; infinite where a loss is not finite.
        stderr: of the rise, over the examples, at the place where it was found.
        settled: whether the ascent ended because nothing more was gained.
    """

    radius: float
    first_order: float
    rise: float
    stderr: float
    settled: bool


@dataclass(frozen=True)
class Curvature:
    """What was measured at the end of a training, theta_1.

    Attributes:
        examples: how many the loss is a mean of.
        norm, size: |delta_1| and |theta_1|.
        spectrum: eigenvalues of the Hessian.
        balls: "alpha", of radius SHARE in steps of |delta_1|; "distance", of radius RADIUS between weights;
            "adaptive", of radius ADAPTIVE in the measure of Kwon et al.
    """

    examples: int
    norm: float
    size: float
    spectrum: Spectrum
    balls: dict[str, Ball]

    def arrays(self) -> dict[str, np.ndarray]:
        """Everything as arrays, for a file: (K,) of the spectrum, (balls,) of the balls, or one number."""
        found = {name: np.array(getattr(self, name)) for name in ("examples", "norm", "size")}
        balls = {
            f"ball_{field}": np.array([getattr(self.balls[name], field) for name in BALLS])
            for field in Ball.__dataclass_fields__
        }
        return found | vars(self.spectrum) | balls

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Curvature:
        """The inverse of `arrays`."""
        spectrum = Spectrum(*(arrays[field] for field in Spectrum.__dataclass_fields__))
        rows = np.transpose([arrays[f"ball_{field}"] for field in Ball.__dataclass_fields__]).tolist()
        balls = {
            name: Ball(radius, first_order, rise, error, bool(settled))
            for name, (radius, first_order, rise, error, settled) in zip(BALLS, rows, strict=True)
        }
        return cls(int(arrays["examples"]), float(arrays["norm"]), float(arrays["size"]), spectrum, balls)


def measure_curvature(objective: Objective, theta_0: Tensor) -> Curvature:
    """The curvature at the model's present weights, which a training reached from theta_0, (P,).

    Raises:
        UserError: curvlinops is not installed; weights of half precision.
    """
    losses = Losses(objective)
    theta = losses.space.read()
    norm = length(theta - theta_0.to(theta))
    with evaluating(objective.model):
        balls = (
            ascend(losses, SHARE * norm),
            ascend(losses, RADIUS),
            ascend(losses, ADAPTIVE, ETA),
        )
    return Curvature(
        objective.size,
        norm,
        length(theta),
        top_eigenvalues(objective),
        dict(zip(BALLS, balls, strict=True)),
    )


def top_eigenvalues(objective: Objective, count: int = EIGENVALUES, tolerance: float = TOLERANCE) -> Spectrum:
    """The `count` largest eigenvalues of the Hessian at the model's present weights, by Lanczos's method.

    Products with the Hessian are those of `curvlinops`. Along each vector found the second derivative is taken once
    more, another way; where the two do not agree, some operation of the network is derived wrongly, a warning says
    so, and there are no eigenvalues.

    Raises:
        UserError: curvlinops is not installed; weights of half precision.
    """
    losses = Losses(objective)
    found = np.full((3, count), np.nan)
    if math.isfinite(objective().loss):
        with twice_differentiable(objective.model):
            for i, pair in enumerate(eigenpairs(losses, count, tolerance)):
                found[:, i] = pair
    return Spectrum(*found)


def eigenpairs(losses: Losses, count: int, tolerance: float) -> Iterator[tuple[float, float, float]]:
    """Eigenvalue, standard error and residual of each pair that was found, the largest first."""
    theta = losses.space.read()
    number = np.float64 if theta.dtype == torch.float64 else np.float32
    hessian, used = losses.hessian()
    operator = hessian.to_scipy(number)
    start = np.random.default_rng(0).standard_normal(operator.shape[0]).astype(number)
    with bar(what="products with the Hessian", unit="product") as progress:

        def product(vector: np.ndarray) -> np.ndarray:
            progress.update()
            return operator.matvec(vector)

        counted = LinearOperator(operator.shape, product, dtype=number)
        settings = {"which": "LA", "v0": start, "ncv": BASIS, "maxiter": RESTARTS, "tol": tolerance}
        try:
            values, vectors = eigsh(counted, count, **settings)
        except ArpackNoConvergence as stopped:
            values, vectors = stopped.eigenvalues, stopped.eigenvectors
        for i in np.argsort(values)[::-1]:
            direction = torch.zeros_like(theta)
            direction[used] = torch.as_tensor(vectors[:, i]).to(theta)
            bends = losses.bend(theta, direction)
            if abs(float(bends.mean()) - values[i]) > 0.01 * np.abs(values).max():
                logger.warning(
                    "no eigenvalues: the loss of %s bends by %.6g along a vector, or by %.6g, derived another way",
                    type(losses.model).__name__,
                    values[i],
                    float(bends.mean()),
                )
                return
            residual = np.linalg.norm(product(vectors[:, i]) - values[i] * vectors[:, i])
            yield float(values[i]), stderr(bends), float(residual)


def sharpness(objective: Objective, radius: float, eta: float | None = None, steps: int = STEPS) -> Ball:
    """The most that the mean loss rises within a ball around the model's present weights theta, from below.

        max L(theta + e) - L(theta)   over   |e| <= radius,
        or, with eta,                 over   |e / (|theta| + eta)| <= radius, element by element

    The first is the sharpness that Foret et al. (2021) minimise, the second the adaptive one of Kwon et al. (2021),
    which with eta = 0 stays the same when weights are rescaled.
    """
    with evaluating(objective.model):
        return ascend(Losses(objective), radius, eta, steps)


def ascend(losses: Losses, radius: float, eta: float | None = None, steps: int = STEPS) -> Ball:
    """`sharpness`, by steps of one radius each along the gradient, put back into the ball."""
    theta, before, gradient = losses.start
    scale = 1.0 if eta is None else theta.abs() + eta
    first_order = radius * length(scale * gradient)
    if not before.isfinite().all():
        return Ball(radius, math.nan, math.nan, math.nan, False)
    highest, place = torch.zeros_like(before), torch.zeros_like(theta)  # the place is e / scale
    heights, settled = list[float](), False
    for _ in bar(range(steps), what="ascent", unit="step"):
        push = scale * gradient
        steepness = length(push)
        idle = len(heights) > PATIENCE and heights[-1] <= heights[-1 - PATIENCE] * (1 + GAIN)
        settled = idle or not radius * steepness
        if settled:
            break
        place += push * (radius / steepness)
        place *= min(1.0, radius / length(place))
        after, gradient = losses.gradient(theta + scale * place)
        if not after.isfinite().all():
            return Ball(radius, first_order, math.inf, math.inf, True)
        highest = max(highest, after - before, key=lambda rise: float(rise.mean()))
        heights.append(float(highest.mean()))
    return Ball(radius, first_order, float(highest.mean()), stderr(highest), settled)


def length(vector: Tensor) -> float:
    """The norm of a vector, summed in float64: float32 loses the sixth digit over half a million weights."""
    return float(torch.linalg.vector_norm(vector, dtype=torch.float64))


def stderr(values: Tensor) -> float:
    """Standard error of the mean of values, (n,): s_(n-1) / sqrt(n)."""
    return float(values.std() / len(values) ** 0.5) if len(values) > 1 else math.nan
