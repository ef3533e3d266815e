"""Trajectories: the epochs of a training in the coordinates of a plane (Eq. 3-5; Hao et al. 2019, section 3.3)."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..engine.space import described
from ..errors import UserError, one_of
from ..names import METHODS
from .scan import Plane


@dataclass(frozen=True, eq=False)
class Trajectory:
    """Where a training was at each snapshot; arrays (T,) float64, in the order in which the snapshots came.

    Attributes:
        alpha, beta: coordinates in the plane, in units of |delta_1|.
        in_plane: share of the norm of the displacement theta_i - theta_0 that lies in the plane; NaN at theta_0 itself.
        cosine: of the angle between the displacement and delta_1 (Eq. 3); NaN at theta_0.
        norm: |theta_i - theta_0| / |delta_1|.
        method: "plane" or "paper".

    >>> study.trajectory("mrpc").alpha[[0, -1]].round(4)
    array([0., 1.])
    """

    alpha: np.ndarray
    beta: np.ndarray
    in_plane: np.ndarray
    cosine: np.ndarray
    norm: np.ndarray
    method: str


def project(thetas: Iterable[Tensor], plane: Plane, method: str = "plane") -> Trajectory:
    """Put snapshots of theta, (P,) each, into the coordinates of a plane, one in memory at a time.

    With delta_i = theta_i - theta_0 and x, y the plane's directions:

    - "plane" is the orthogonal projection: the (alpha, beta) with the least |delta_i - alpha x - beta y|.
    - "paper" is Eq. 3-5, whose cross is a dot product: alpha = <delta_i, x> / |x|^2 and
      beta = sqrt((|delta_i| / |x|)^2 - alpha^2). This beta is the norm of what x does not explain: it is never
      negative, and it is no coordinate along y.

    >>> plane = lu.Plane(theta_0, theta_1 - theta_0, theta_0)
    >>> lu.project([theta_0, theta_1], plane).alpha.round(4)
    array([0., 1.])
    """
    one_of("method", method, METHODS)
    if not isinstance(plane, Plane) or not isinstance(thetas, Iterable):
        raise UserError(f"project takes thetas and a Plane; got {described(thetas)} and {described(plane)}")
    origin, x, y = (v.detach().double() for v in (plane.origin, plane.x, plane.y))  # (P,)
    gram = torch.stack([x @ x, x @ y, x @ y, y @ y]).view(2, 2).cpu().numpy()
    x_norm = math.sqrt(gram[0, 0])
    if abs(gram[0, 1]) >= (1 - 1e-9) * math.sqrt(gram[0, 0] * gram[1, 1]):
        raise UserError("the plane's two directions are parallel, so beta has no meaning; choose others")
    rows = []
    for theta in thetas:
        if not isinstance(theta, Tensor) or theta.shape != origin.shape:
            must_be = f"of shape {tuple(origin.shape)}, as the plane's vectors"
            raise UserError(f"a snapshot must be {must_be}; got {described(theta)}")
        delta = theta.to(origin) - origin  # (P,)
        along = np.array([float(delta @ x), float(delta @ y)])  # (2,)
        norm = float(delta.norm())
        alpha, beta = np.linalg.solve(gram, along)
        share = math.sqrt(max(along @ (alpha, beta), 0.0)) / norm if norm else math.nan
        cosine = along[0] / (norm * x_norm) if norm else math.nan  # Eq. 3
        if method == "paper":
            alpha = along[0] / gram[0, 0]  # Eq. 4
            beta = math.sqrt(max((norm / x_norm) ** 2 - alpha**2, 0.0))  # Eq. 5
        rows.append((alpha, beta, share, cosine, norm / x_norm))
    alphas, betas, in_plane, cosines, norms = np.array(rows, dtype=np.float64).reshape(-1, 5).T
    return Trajectory(alphas, betas, in_plane, cosines, norms, method)
