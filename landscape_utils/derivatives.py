"""Derivatives of the loss with respect to the encoder's weights, at any theta; the model's own weights stay put.

Second derivatives go twice through a network, and some of the fused operations that a transformer is made of do not
bear that. Attention and SiLU have no such derivative. That of `layer_norm` leaves out that mean and variance move too,
and says nothing (https://github.com/pytorch/pytorch/issues/196700). So they are written out in plain operations while
second derivatives are taken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.func import functional_call, jvp
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.overrides import TorchFunctionMode

from .errors import UserError
from .objective import Batch, Objective, evaluating, outcome
from .parameters import ParameterSpace

DERIVATIVE_TOKENS = {
    "cpu": 1024,
    "cuda": 4096,
}  # of a batch: going back keeps what every layer put out, and twice so


class Losses:
    """The loss of each of an objective's examples as a function of theta, (P,).

    Weights are put in for one call at a time: the model's own are neither moved nor marked. Use it in evaluation mode.

    Raises:
        UserError: weights of half precision, in which differences of losses drown.
    """

    def __init__(self, objective: Objective):
        self.objective, self.model = objective, objective.model
        self.space = ParameterSpace(self.model)
        if self.space.dtype not in (torch.float32, torch.float64):
            raise UserError(
                f"derivatives need weights in float32 or float64; those of {type(self.model).__name__} are "
                f"{str(self.space.dtype).removeprefix('torch.')}; use model.float()"
            )
        place = {id(p): name for name, p in self.model.named_parameters()}
        self.parameters = list(self.space.encoder.parameters())
        self.names = [place[id(p)] for p in self.parameters]

    def __call__(self, theta: Tensor, batch: Batch) -> Tensor:
        """(B,): the losses of a batch."""
        parts = theta.split([p.numel() for p in self.parameters])
        return self._losses([part.view_as(p) for part, p in zip(parts, self.parameters, strict=True)], batch)

    def _losses(self, parts: Sequence[Tensor], batch: Batch) -> Tensor:
        weights, inputs = dict(zip(self.names, parts, strict=True)), batch.inputs | {"return_dict": True}
        return outcome(functional_call(self.model, weights, (), inputs).logits, batch.labels)[0]

    @cached_property
    def start(self) -> tuple[Tensor, Tensor, Tensor]:
        """The model's own theta, (P,), and the losses and the gradient there."""
        theta = self.space.read()
        return theta, *self.gradient(theta)

    def gradient(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """The loss of each example, (n,) float64, and the gradient of their mean, (P,)."""
        theta = theta.detach().requires_grad_()
        total, found = torch.zeros_like(theta, requires_grad=False), []
        with torch.enable_grad():
            for batch in self.objective.batches:
                losses = self(theta, batch)
                total += torch.autograd.grad(losses.sum(), theta)[0]
                found.append(losses.detach().double())
        return torch.cat(found), total / self.objective.size

    def bend(self, theta: Tensor, direction: Tensor) -> Tensor:
        """(n,) float64: the second derivative of each example's loss along a direction, (P,), at theta."""
        here, one = theta.new_zeros(()), theta.new_ones(())

        def second(batch: Batch) -> Tensor:
            def along(t: Tensor) -> Tensor:
                return self(theta + t * direction, batch)

            return jvp(lambda t: jvp(along, (t,), (one,))[1], (here,), (one,))[1]

        return torch.cat([second(batch).double() for batch in self.objective.batches])

    def hessian(self) -> tuple[Any, Tensor]:
        """The Hessian of the mean loss at the model's own weights, without those that the loss does not depend on.

        Returns:
            A linear operator of `curvlinops`, (U, U), and which of the P entries of theta are the U that it is of.

        Raises:
            UserError: curvlinops is not installed.
        """
        check_installed()
        from curvlinops import HessianLinearOperator

        used = self._used()
        operator = HessianLinearOperator(
            Logits(self.model),
            nn.CrossEntropyLoss(),
            [p for p, use in zip(self.parameters, used, strict=True) if use],
            [(dict(batch.inputs), batch.labels) for batch in self.objective.batches],
            check_deterministic=False,  # two more products; evaluation mode sees to it
            num_data=self.objective.size,
            batch_size_fn=lambda inputs: len(inputs["input_ids"]),
        )
        sizes = torch.tensor([p.numel() for p in self.parameters])
        return operator, torch.tensor(used).repeat_interleave(sizes).to(self.space.device)

    def _used(self) -> list[bool]:
        """Of each parameter whether the loss depends on it; curvlinops cannot do with those on which it does not."""
        parts = [p.detach().requires_grad_() for p in self.parameters]
        with torch.enable_grad():
            loss = self._losses(parts, self.objective.batches[0]).sum()
        return [slope is not None for slope in torch.autograd.grad(loss, parts, allow_unused=True)]


class Logits(nn.Module):
    """A classifier as a function of a dict of inputs."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        return self.model(**inputs, return_dict=True).logits  # (B, C)


@contextmanager
def twice_differentiable(model: nn.Module) -> Iterator[None]:
    """Evaluation mode, with second derivatives that are right, as far as they are known not to be."""
    with evaluating(model), sdpa_kernel(SDPBackend.MATH), WrittenOut():
        yield


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """`torch.nn.functional.layer_norm`, of the same shape as its input."""
    last = tuple(range(-len(normalized_shape), 0))
    centred = input - input.mean(last, keepdim=True)
    normed = centred * (centred.square().mean(last, keepdim=True) + eps).rsqrt()
    scaled = normed if weight is None else normed * weight
    return scaled if bias is None else scaled + bias


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """`torch.nn.functional.silu`; never in place."""
    return input * input.sigmoid()


class WrittenOut(TorchFunctionMode):
    """The operations above in place of the fused ones while the context lasts."""

    WRITTEN: ClassVar[dict[Any, Callable[..., Tensor]]] = {F.layer_norm: layer_norm, F.silu: silu}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        return self.WRITTEN.get(func, func)(*args, **kwargs or {})


def check_installed() -> None:
    """Raise UserError where curvlinops is not."""
    try:
        import curvlinops  # noqa: F401
    except ImportError:
        raise UserError(
            "eigenvalues of the Hessian need curvlinops: pip install 'landscape_utils[curvature]'"
        ) from None
