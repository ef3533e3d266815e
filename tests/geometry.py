"""Planes and journals that the tests of engine and landscape share."""

from __future__ import annotations

import numpy as np
import torch

from landscape_utils.engine.space import ParameterSpace, Plane

ALPHA, BETA = np.array([-1.0, 0.5, 2.0]), np.array([-0.7, 1.3])


def directions(size: int, count: int = 2, scale: float = 0.02) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [scale * torch.randn(size, generator=generator) for _ in range(count)]


def make_plane(model) -> Plane:
    space = ParameterSpace(model)
    return Plane(space.read(), *directions(space.size))


def keep_layers(model, vector: torch.Tensor, layers: tuple[int, ...]) -> torch.Tensor:
    space = ParameterSpace(model)
    return space.restrict(vector, tuple(n for n in space.names if any(f".{i}." in n for i in layers)))


class Acting(dict):
    """A journal that calls `act` each time that it is `after` rows long or longer, before it takes a row."""

    def __init__(self, after: int, act):
        super().__init__()
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
        arrays, others = one.arrays(), other.arrays()
        assert arrays.keys() == others.keys()
        for name in others:
            np.testing.assert_array_equal(arrays[name], others[name], err_msg=name)
