"""Parameter space: the encoder of a model as one flat vector theta, and its layers in three groups.

A landscape is a function of theta, shape (P,): the parameters of the pre-trained body (`model.base_model`: embeddings,
layers, pooler). The task head is no part of it, it stays at its learned value (Hao et al. 2019, section 3.1).
"""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..errors import UserError
from ..names import GROUPS


class ParameterSpace:
    """The encoder of `model` as a vector space of dimension P; the head is excluded.

    Attributes:
        names: parameter names within the encoder, in the order of theta.
        slices: name -> the entries of theta that hold this parameter.
        size: P.
        dtype, wide: of the weights; of theta, float64 for a float64 model, otherwise float32.

    Raises:
        UserError: parameters of several dtypes or devices; quantised weights, adapters, or a batch norm.

    >>> space = lu.ParameterSpace(model)
    >>> tuple(space.read().shape) == (space.size,)
    True
    """

    def __init__(self, model: nn.Module):
        self.encoder = encoder_of(model)
        check_weights(model)
        self._parameters = encoder_parameters(model)
        self.names = tuple(self._parameters)
        ends = np.cumsum([0] + [p.numel() for p in self._parameters.values()]).tolist()
        self.slices = {name: slice(a, b) for name, a, b in zip(self.names, ends, ends[1:], strict=False)}
        self.size: int = ends[-1]
        kinds = {(p.dtype, p.device) for p in self._parameters.values()}
        if len(kinds) != 1 or not next(iter(kinds))[0].is_floating_point:
            found = ", ".join(sorted(f"{dtype} on {device}" for dtype, device in kinds)) or "none"
            way_out = "model.float().to(device)"
            raise UserError(f"an encoder has floating-point weights of one kind; got {found}; use {way_out}")
        self.dtype, self.device = next(iter(kinds))
        self.wide = torch.float64 if self.dtype == torch.float64 else torch.float32
        encoder = {id(p) for p in self._parameters.values()}
        self._head = [p for p in model.parameters() if id(p) not in encoder]

    def read(self) -> Tensor:
        """Theta: a copy of the encoder's weights, (P,), on their device, in `wide`."""
        return torch.cat([p.detach().reshape(-1).to(self.wide) for p in self._parameters.values()])

    def write(self, theta: Tensor) -> None:
        """Set the encoder's weights to theta, (P,), in place."""
        self.check(theta, "theta")
        for name, p in self._parameters.items():
            p.data.copy_(theta[self.slices[name]].view_as(p))

    def check(self, vector: Tensor, what: str) -> None:
        """Raise UserError unless `vector` belongs to this space."""
        fits = isinstance(vector, Tensor) and tuple(vector.shape) == (self.size,)
        if not fits or vector.dtype not in (torch.float32, torch.float64):
            must_be = f"float32 or float64 of shape ({self.size},), the encoder's"
            raise UserError(f"{what} must be {must_be}; got {described(vector)}")

    @contextmanager
    def attached(self, dtype: torch.dtype | None = None) -> Iterator[Tensor]:
        """One flat buffer, (P,), that the encoder's weights are views of within the context: at first a copy of them in
        `dtype` (default: the model's), in which the head is, too. On leaving the model is to the bit what it was."""
        own = [(p, p.data) for p in (*self._parameters.values(), *self._head)]
        buffer = torch.empty(self.size, dtype=dtype or self.dtype, device=self.device)
        try:
            for name, p in self._parameters.items():
                p.data = buffer[self.slices[name]].view(p.shape).copy_(p.data)
            for p in self._head:
                p.data = p.data.to(dtype or p.dtype)
            yield buffer
        finally:
            for p, data in own:
                p.data = data

    def restrict(self, vector: Tensor, names: tuple[str, ...]) -> Tensor:
        """delta^G: a copy of `vector`, (P,), with every entry outside the named parameters zero (section 7)."""
        self.check(vector, "vector")
        restricted = torch.zeros_like(vector)
        for name in names:
            if name not in self.slices:
                raise UserError(
                    f"the encoder has no parameter {name!r}, but {self.names[0]!r}, ...: see `names`"
                )
            restricted[self.slices[name]] = vector[self.slices[name]]
        return restricted


def encoder_of(model: nn.Module) -> nn.Module:
    """The pre-trained body of a model, or the model itself where it has none."""
    if not isinstance(model, nn.Module):
        raise UserError(f"a model of transformers is needed; got {type(model).__name__}")
    return getattr(model, "base_model", model)


def encoder_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that theta is made of, by their names within the encoder; a shared one is listed once, and modules
    that `model.config.landscape_head` names, such as "pooler", count as head."""
    head = getattr(getattr(model, "config", None), "landscape_head", None) or ()
    apart = tuple(f"{name}." for name in head)
    return {n: p for n, p in encoder_of(model).named_parameters() if not n.startswith(apart)}


def check_weights(model: nn.Module) -> None:
    """Refuse a model whose `state_dict` holds floats that are neither parameters nor buffers that training leaves."""
    kind, modules = type(model).__name__, list(model.modules())
    if any(type(module).__module__.split(".")[0] == "peft" for module in modules):
        raise UserError(f"{kind} has adapters beside its weights; merge them by model.merge_and_unload()")
    if any(isinstance(m, nn.modules.batchnorm._BatchNorm) and m.track_running_stats for m in modules):
        raise UserError(f"{kind} has a batch norm, whose statistics are no parameters; use another model")
    known = {tensor.data_ptr() for tensor in (*model.parameters(), *model.buffers())}
    for name, value in model.state_dict().items():
        if not isinstance(value, Tensor) or (value.is_floating_point() and value.data_ptr() not in known):
            raise UserError(f"{kind} holds {name}, which is no parameter; load it without quantisation")


def layer_stack(model: nn.Module) -> tuple[str, nn.ModuleList] | None:
    """The encoder's layers: name within the encoder and the ModuleList, the longest that is within no other. None where
    they are not one: XLM's are spread over several, Funnel's are lists of lists, encoder-decoders have two."""
    encoder = encoder_of(model)
    lists = {name: m for name, m in encoder.named_modules() if isinstance(m, nn.ModuleList)}
    outer = {n: m for n, m in lists.items() if not any(n.startswith(f"{other}.") for other in lists)}
    longest = max(map(len, outer.values()), default=0)
    stacks = [(name, module) for name, module in outer.items() if len(module) == longest]
    kinds = {type(layer) for _, module in stacks for layer in module}
    one = len(stacks) == len(kinds) == 1 and kinds != {nn.ModuleList}
    two_sided = getattr(getattr(model, "config", None), "is_encoder_decoder", False)
    return stacks[0] if one and not two_sided else None


def layer_parameters(model: nn.Module) -> list[tuple[str, ...]]:
    """The names within the encoder of each layer's parameters, the lowest layer first; none without a `layer_stack`,
    or if layers share weights."""
    stack, layers = layer_stack(model) or ("", nn.ModuleList())
    names = [tuple(f"{stack}.{i}.{n}" for n, _ in layer.named_parameters()) for i, layer in enumerate(layers)]
    return names if encoder_parameters(model).keys() >= {*chain(*names)} else []


def layer_ranges(count: int) -> dict[str, tuple[int, int]]:
    """First and last layer of each group: `count` layers in three consecutive groups, as equal as they can be."""
    thirds = np.array_split(np.arange(count), len(GROUPS))
    return {group: (int(third[0]), int(third[-1])) for group, third in zip(GROUPS, thirds, strict=True)}


def layer_groups(model: nn.Module) -> dict[str, tuple[str, ...]]:
    """The parameter names of the low, middle and high third of the encoder's layers (section 7).

    Embeddings and pooler belong to no group. Refused are layers that are no single stack (XLM, Funnel,
    encoder-decoders such as BART), or of which fewer than three have weights of their own (ALBERT shares one).

    >>> {group: len(names) for group, names in lu.layer_groups(model).items()}
    {'low': 16, 'middle': 16, 'high': 16}
    """
    layers = layer_parameters(model)
    if len(layers) < len(GROUPS):
        found = f"{type(model).__name__} has {len(layers) or 'no such stack'}"
        raise UserError(f"layer groups need a stack of three or more layers with own weights; {found}")
    ranges = layer_ranges(len(layers))
    return {group: tuple(chain(*layers[first : last + 1])) for group, (first, last) in ranges.items()}


@dataclass(frozen=True, eq=False)
class Line:
    """theta(alpha) = origin + alpha x; both (P,).

    >>> line = lu.Line(origin=theta_0, x=theta_1 - theta_0)
    >>> bool((line.at(1.0) - theta_1).abs().max() < 1e-6)
    True
    """

    origin: Tensor
    x: Tensor

    def __post_init__(self):
        check_directions(self.origin, {"x": self.x})

    @property
    def directions(self) -> tuple[Tensor, ...]:
        return (self.x,)

    @property
    def norm(self) -> float:
        """The parameter distance of one unit of alpha, |x| (in a plane and of one of beta, if y was rescaled)."""
        return length(self.x)

    def at(self, *coordinates: float) -> Tensor:
        """theta, (P,), at alpha, or at (alpha, beta)."""
        return sum((c * d for c, d in zip(coordinates, self.directions, strict=True)), self.origin)


@dataclass(frozen=True, eq=False)
class Plane(Line):
    """theta(alpha, beta) = origin + alpha x + beta y; all (P,).

    y is rescaled to the norm of x, |x| / |y| y (section 3.2), unless `rescale` is False.

    >>> plane = lu.Plane(origin=theta_0, x=theta_1 - theta_0, y=theta_0)
    >>> round(float(plane.y.norm() / plane.x.norm()), 4)
    1.0
    """

    y: Tensor
    rescale: bool = True

    def __post_init__(self):
        check_directions(self.origin, {"x": self.x, "y": self.y})
        if self.rescale:
            object.__setattr__(self, "y", self.y * (self.norm / length(self.y)))

    @property
    def directions(self) -> tuple[Tensor, ...]:
        return (self.x, self.y)

    @property
    def cosine(self) -> float:
        """Cosine of the angle between x and y; the paper finds them near orthogonal (section 3.2)."""
        x, y = self.x.double(), self.y.double()
        return float(x @ y / (x.norm() * y.norm()))


def check_directions(origin: Tensor, directions: Mapping[str, Tensor]) -> None:
    """Refuse vectors that span nothing."""
    for name, vector in {"origin": origin, **directions}.items():
        if not isinstance(vector, Tensor) or vector.ndim != 1 or not vector.is_floating_point():
            raise UserError(f"{name} must be a floating-point vector of shape (P,); got {described(vector)}")
        if described(vector) != described(origin):
            raise UserError(f"{name} is {described(vector)}, but origin is {described(origin)}")
        norm = length(vector)
        if not math.isfinite(norm):
            raise UserError(f"{name} holds values that are not finite: its norm is {norm}")
        if norm == 0 and name != "origin":
            raise UserError(f"{name} is zero everywhere; a direction must have a norm above 0")


def length(vector: Tensor) -> float:
    """|v|, summed in float64."""
    return float(torch.linalg.vector_norm(vector, dtype=torch.float64))


def described(value: Any) -> str:
    tensor = isinstance(value, Tensor)
    return f"{value.dtype} {tuple(value.shape)} on {value.device}" if tensor else type(value).__name__
