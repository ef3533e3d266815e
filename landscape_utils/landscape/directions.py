"""Ready-made directions, the planes that they span, with marks of what lies at which place, and the loss along many.

A random direction that is normalised filter by filter moves each row of a weight matrix by a share of its own norm (Li
et al. 2018, section 4). A rescaling of the rows that leaves the network's function as it is leaves the loss along it,
too, which no distance between weights does (Dinh et al. 2017).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..engine.objective import Objective
from ..engine.precision import Journal
from ..engine.space import Line, ParameterSpace, Plane
from ..errors import UserError
from .scan import Places, scan

TRAINED = {"trained network": (0.0, 0.0)}  # the mark of a plane around one
BLOCK = 1 << 20  # entries of every snapshot that are in float64 at a time
COUNT = 20  # random directions; the standard error over them is then a fifth of their spread
RADII = (0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0)  # shares of a filter's norm


@dataclass(frozen=True, eq=False)
class RandomDirections:
    """The loss around theta_1 along D directions.

    Attributes:
        radius: (R,), in units of the directions.
        end: loss at theta_1.
        loss: (D, R) float64.
        draws: (draws, 1 + D R) float32, of the bootstrap: the end's loss and then those of `loss`, row by row.
        precision_error: largest difference of the loss from float32 on the probes, 0 for float32.
    """

    radius: np.ndarray
    end: float
    loss: np.ndarray
    draws: np.ndarray
    examples: int
    precision_error: float


def random_direction(size: int, seed: int) -> Tensor:
    """(P,) float32, independent normal entries; in many dimensions two of them are nearly at a right angle."""
    return torch.randn(size, generator=torch.Generator().manual_seed(seed), dtype=torch.float32)


def normalised(direction: Tensor, like: Tensor, space: ParameterSpace, filters: bool = False) -> Tensor:
    """The direction with the norm of each parameter tensor of `like`, (P,): of theta, or of delta_1. With `filters`, of
    each row of a weight matrix and each token's vector; biases and the weights of layer normalisation have none, and do
    not move (Li et al. 2018)."""
    space.check(direction, "direction")
    space.check(like, "theta")
    found = torch.zeros_like(like)
    for name, part in space.slices.items():
        shape = space.encoder.get_parameter(name).shape
        if len(shape) > 1 or not filters:
            d, model = (v[part].view(shape[0] if filters else 1, -1) for v in (direction, like))
            scale = model.norm(dim=1, keepdim=True) / d.norm(dim=1, keepdim=True)
            found[part] = (scale * d).ravel()
    return found


def random_filter_directions(
    theta: Tensor, space: ParameterSpace, count: int = COUNT, seed: int = 0
) -> Iterator[Tensor]:
    """`count` random directions, normalised by the filters of theta, (P,) each; one is in memory at a time."""
    for i in range(count):
        direction = random_direction(space.size, seed * 100_003 + i)
        yield normalised(direction, theta, space, filters=True)


def random_plane(theta: Tensor, norm: float, space: ParameterSpace, seed: int = 0) -> tuple[Plane, Places]:
    """The plane around theta, (P,), along two random directions, normalised by filters and `norm` long, and marks."""
    x, y = (norm * d / d.norm() for d in random_filter_directions(theta, space, 2, seed))
    return Plane(theta, x, y), dict(TRAINED)


def principal_plane(thetas: Sequence[Tensor]) -> tuple[Plane, Places, np.ndarray]:
    """The plane through the last of T snapshots, (P,) each, along the first two principal components of all, its marks,
    and the components' shares of the variance.

    They are the directions of largest variance around the mean of the snapshots, each signed so that the way from the
    first to the last goes along it; one unit of either is the distance between these two. Three snapshots or more.
    """
    if len(thetas) < 3 or len({theta.shape for theta in thetas}) > 1:
        raise UserError(f"principal components need three checkpoints or more of one size; got {len(thetas)}")
    rows = torch.stack(list(thetas))  # (T, P)
    gram = sum((block @ block.T for block in _centred(rows)), torch.zeros(()))  # (T, T)
    variance, weights = torch.linalg.eigh(gram)  # ascending
    if float(variance[-2]) <= 1e-10 * float(variance[-1]):
        raise UserError(f"the {len(rows)} snapshots lie on one line: it has no second principal component")
    weights = weights[:, [-1, -2]] / variance[[-1, -2]].sqrt()  # (T, 2)
    along = weights.T @ gram  # (2, T): each snapshot's coordinates
    weights = weights * torch.where(along[:, -1] < along[:, 0], -1.0, 1.0)
    x, y = torch.cat([weights.T @ block for block in _centred(rows)], dim=1).to(rows.dtype)
    norm = (thetas[-1] - thetas[0]).norm()
    shares = (variance[[-1, -2]] / variance.sum()).numpy()
    return Plane(thetas[-1], norm * x, norm * y), dict(TRAINED), shares


def _centred(rows: Tensor) -> Iterator[Tensor]:
    """The rows (T, P) less their mean in float64, a block of columns at a time."""
    for part in rows.split(BLOCK, dim=1):
        wide = part.double()
        yield wide - wide.mean(dim=0)


def plane_through(thetas: Mapping[str, Tensor]) -> tuple[Plane, Places]:
    """The plane through three models, name -> theta (P,), and their places on it, under their names: the first is at
    (0, 0), the second at (1, 0). y is the way to the third less its part along x, so that the map shows distances and
    angles as they are. Three on one line are refused."""
    if len(thetas) != 3:
        raise UserError(f"a plane goes through three models; got {len(thetas)}: {list(thetas)}")
    first, second, third = thetas.values()
    x, way = second.double() - first.double(), third.double() - first.double()
    along = float(x @ way / (x @ x))
    y = way - along * x
    if not float(y.norm()) > 1e-6 * float(way.norm()):
        raise UserError(f"{list(thetas)} lie on one line, and span no plane")
    places = [(0.0, 0.0), (1.0, 0.0), (along, float(y.norm() / x.norm()))]
    return Plane(first, x.to(first), y.to(first)), dict(zip(thetas, places, strict=True))


def scan_directions(
    objective: Objective,
    theta: Tensor,
    directions: Iterable[Tensor],
    radius: Sequence[float] = RADII,
    journal: Journal | None = None,
    **options: Any,
) -> RandomDirections:
    """The loss at theta + r d for each direction d, (P,), that the journal lacks, and each radius r; `options`:
    `precision` and `draws` of `scan`."""
    rows: Journal = {} if journal is None else journal
    for i, direction in enumerate(directions):
        if i not in rows:
            line, axis = Line(theta, direction), [0.0, *radius]
            curve = scan(objective, line, axis, marks={}, what=f"random direction {i + 1}", **options)
            whole = np.concatenate([curve.loss[None], curve.draws[:, 0]])  # (1 + draws, 1 + R)
            rows[i] = np.append(whole, curve.precision_error)
    every = np.stack([rows[k] for k in range(i + 1)])
    losses = every[:, :-1].reshape(len(every), -1, 1 + len(radius))  # (D, 1 + draws, 1 + R)
    along = losses[:, :, 1:].swapaxes(0, 1).reshape(losses.shape[1], -1)  # (1 + draws, D R)
    end = float(losses[0, 0, 0])
    off = float(every[:, -1].max())
    drawn = np.c_[losses[0, 1:, 0], along[1:]].astype(np.float32)
    radii = np.asarray(radius, dtype=float)
    return RandomDirections(radii, end, losses[:, 0, 1:], drawn, objective.size, off)
