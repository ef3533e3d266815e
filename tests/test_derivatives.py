"""Derivatives in float64 against autograd's backward-over-backward, which shares no code with the forward ones."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from conftest import MODELS, make_examples, make_model
from torch.func import jvp
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

from landscape_utils import UserError
from landscape_utils.derivatives import Losses, check_installed, layer_norm, silu, twice_differentiable
from landscape_utils.objective import Objective
from landscape_utils.parameters import ParameterSpace

BOUND = (
    1e-10  # relative, in float64: some thousand sums of rounding errors of 1e-16; 5e-16 to 1e-11 were found
)


def make_losses(kind: str = "bert", tokens: int = 60) -> Losses:
    """Several batches, some padded and some not."""
    return Losses(Objective(make_model(kind).double(), make_examples(), tokens))


def backward_twice(losses: Losses, direction: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Gradient and Hessian times a direction, (P,) each, through the model's own parameters."""
    parameters = list(losses.space.encoder.parameters())
    parts = direction.split([p.numel() for p in parameters])
    slope, product = torch.zeros(len(direction)).double(), torch.zeros(len(direction)).double()
    with sdpa_kernel(SDPBackend.MATH):
        for batch in losses.objective.batches:
            loss = F.cross_entropy(losses.model(**batch.inputs).logits, batch.labels, reduction="sum")
            slopes = torch.autograd.grad(loss, parameters, create_graph=True)
            along = sum((g * d.view_as(g)).sum() for g, d in zip(slopes, parts, strict=True))
            slope += torch.cat([g.detach().reshape(-1) for g in slopes]) / losses.objective.size
            products = torch.autograd.grad(along, parameters)
            product += torch.cat([p.reshape(-1) for p in products]) / losses.objective.size
    return slope, product


@pytest.mark.parametrize("kind", MODELS)
def test_all_orders_and_both_ways_agree_with_backward_over_backward(kind):
    losses = make_losses(kind)
    theta = losses.space.read()
    direction = torch.randn(len(theta), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    direction /= direction.norm()
    losses.model.eval()
    slope, product = backward_twice(losses, direction)
    each, gradient = losses.gradient(theta)
    with twice_differentiable(losses.model):
        hessian, used = losses.hessian()
        found = torch.zeros_like(theta)
        found[used] = hessian @ direction[used]
        bends = losses.bend(theta, direction)
    assert float(each.mean()) == pytest.approx(losses.objective().loss, rel=1e-12)
    assert float((gradient - slope).norm()) < BOUND * float(slope.norm())
    assert float((found - product).norm()) < BOUND * float(product.norm())
    assert float(bends.mean()) == pytest.approx(float(direction @ product), rel=BOUND, abs=BOUND)


def test_each_bend_is_that_examples():
    losses = make_losses()
    theta, direction = losses.space.read(), torch.ones(losses.space.size).double() / losses.space.size**0.5
    with twice_differentiable(losses.model):
        bends = losses.bend(theta, direction)
        h = 1e-3
        (left, _), (middle, _), (right, _) = (losses.gradient(theta + t * direction) for t in (-h, 0.0, h))
    expected = (left - 2 * middle + right) / h**2
    # the difference's own error: h^2 / 12 of a fourth derivative of the order of 1, and 1e-16 / h^2
    np.testing.assert_allclose(bends.numpy(), expected.numpy(), atol=1e-6)


def test_layer_norm_written_out_has_the_second_derivative_that_pytorchs_has_not():
    """The case of https://github.com/pytorch/pytorch/issues/196700: -t / sqrt(1 + t^2), bent by 3 t / (1 + t^2)^2.5."""

    def bend(norm, t: float = 0.7) -> float:
        def f(t):
            row = torch.stack((t, torch.zeros_like(t))).reshape(1, 2)
            weight = torch.tensor([1.0, 2.0], dtype=torch.float64)
            return norm(row, [2], weight, torch.zeros_like(weight), 0.25).sum()

        one = torch.ones((), dtype=torch.float64)
        return float(jvp(lambda t: jvp(f, (t,), (one,))[1], (t * one,), (one,))[1])

    assert bend(layer_norm) == pytest.approx(3 * 0.7 / (1 + 0.7**2) ** 2.5, rel=1e-12)


def test_what_is_written_out_has_the_values_of_what_it_stands_for():
    x = torch.randn(3, 4, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    weight, bias = x[0, 0] + 1, x[1, 1]
    for arguments in [((6,),), ((4, 6),), ((6,), weight), ((6,), weight, bias, 0.1)]:
        torch.testing.assert_close(
            layer_norm(x, *arguments), F.layer_norm(x, *arguments), rtol=1e-12, atol=1e-12
        )
    torch.testing.assert_close(silu(x), F.silu(x), rtol=1e-12, atol=1e-12)


def test_silu_can_be_derived_forward_over_backward():
    x = torch.linspace(-3, 3, 7, dtype=torch.float64)
    with twice_differentiable(torch.nn.Identity()):
        bends = torch.func.jvp(torch.func.grad(lambda x: F.silu(x).sum()), (x,), (torch.ones_like(x),))[1]
    s = x.sigmoid()
    torch.testing.assert_close(bends, s * (1 - s) * (2 + x * (1 - 2 * s)), rtol=1e-12, atol=1e-12)


def test_weights_on_which_nothing_depends_are_left_out():
    losses = make_losses()
    idle = torch.nn.Parameter(torch.ones(3, 2, dtype=torch.float64))
    losses.model.base_model.register_parameter("idle", idle)
    grown = Losses(losses.objective)
    with twice_differentiable(losses.model):
        operator, used = grown.hessian()
        hessian, _ = losses.hessian()
    start = ParameterSpace(losses.model).slices["idle"].start
    assert (~used).nonzero().flatten().tolist() == list(range(start, start + 6))
    assert operator.shape == hessian.shape == (losses.space.size, losses.space.size)


@pytest.mark.parametrize("fails", [False, True])
def test_the_model_is_what_it_was(fails):
    losses = make_losses()
    model = losses.model
    model.train()
    model.bert.encoder.layer[0].eval()
    model.bert.pooler.requires_grad_(False)

    def state() -> list:
        parts = [(p.data_ptr(), p.detach().clone(), p.requires_grad, p.grad) for p in model.parameters()]
        return [parts, [m.training for m in model.modules()], model.config._attn_implementation]

    before = state()
    try:
        with twice_differentiable(model):
            losses.bend(losses.space.read(), torch.ones(losses.space.size).double())
            operator, _ = losses.hessian()
            operator @ torch.ones(operator.shape[1]).double()
            losses.gradient(losses.space.read() + 1)
            if fails:
                raise InterruptedError
    except InterruptedError:
        pass
    for old, new in zip(before[0], state()[0], strict=True):
        assert old[0] == new[0]
        assert torch.equal(old[1], new[1])
        assert old[2:] == new[2:] == (old[2], None)
    assert state()[1:] == before[1:]
    x = torch.ones(2, 2)
    assert torch.equal(F.layer_norm(x, (2,)), torch.layer_norm(x, (2,)))
    assert torch.backends.cuda.flash_sdp_enabled()


def test_half_precision_is_refused():
    with pytest.raises(UserError, match=r"BertForSequenceClassification are bfloat16; use model\.float\(\)"):
        Losses(Objective(make_model().bfloat16(), make_examples()))


def test_without_curvlinops_the_way_out_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "curvlinops", None)
    with pytest.raises(UserError, match=r"pip install 'landscape_utils\[curvature\]'"):
        check_installed()
