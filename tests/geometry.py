"""Planes and journals that the tests of engine and landscape share."""

import numpy as np
import torch

from landscape_utils.engine.space import ParameterSpace, Plane

ALPHA, BETA = np.array([-1.0, 0.5, 2.0]), np.array([-0.7, 1.3])


def noise(size: int, seed: int = 1, scale: float = 1.0) -> torch.Tensor:
    return scale * torch.randn(size, generator=torch.Generator().manual_seed(seed))


def make_plane(model, layers: tuple[int, ...] | None = None) -> Plane:
    """Along two random directions, of all weights or of those of some layers alone."""
    space = ParameterSpace(model)
    both = [noise(space.size, seed, 0.02) for seed in (1, 2)]
    if layers is not None:
        names = tuple(n for n in space.names if any(f".{i}." in n for i in layers))
        both = [space.restrict(vector, names) for vector in both]
    return Plane(space.read(), *both)


def with_layers(model, layers, theta: torch.Tensor, other: torch.Tensor, share: float = 1.0) -> torch.Tensor:
    """Theta with some layers' weights, found by their names, moved to `other` or a share of the way."""
    space, found = ParameterSpace(model), theta.clone()
    for name in space.names:
        if any(f"layer.{i}." in name for i in layers):
            found[space.slices[name]] += share * (other - theta)[space.slices[name]]
    return found


class Acting(dict):
    """A journal that calls `act` each time that it is `after` rows long or longer, before it takes a row."""

    def __init__(self, after: int, act):
        self.after, self.act = after, act

    def __setitem__(self, index, row):
        if len(self) >= self.after:
            self.act()
        super().__setitem__(index, row)


def interrupt() -> None:
    raise KeyboardInterrupt


def assert_same(found, expected) -> None:
    """The same scans, one or several, to the bit."""
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_equal(one.arrays(), other.arrays())
