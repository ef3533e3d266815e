"""bfloat16 on a CPU: fused operations give what the plain ones give, to the rounding of bfloat16."""

from contextlib import ExitStack
from types import SimpleNamespace
from unittest.mock import Mock

import pytest
import torch
from networks import MODELS, make_examples, make_model
from torch.nn import functional as F
from transformers.integrations import sdpa_attention

from landscape_utils.engine import walker as walkers
from landscape_utils.engine.objective import Objective
from landscape_utils.engine.precision import cpu_computes_in
from landscape_utils.engine.shortcuts import LONGEST, Fused, short_sequences
from landscape_utils.engine.space import ParameterSpace
from landscape_utils.engine.walker import Walk

EPSILON = 2**-8  # of bfloat16
LAYER = SimpleNamespace(is_causal=False)


@pytest.mark.parametrize(("padded", "scale"), [(0, 0.3), (3, 0.3), (3, None)])
@pytest.mark.parametrize("length", [5, 32, 53, LONGEST + 1])
def test_attention_is_softmax_of_products(length, padded, scale, monkeypatch):
    query, key, value = torch.randn(3, 2, 4, length, 16, generator=torch.manual_seed(0)).bfloat16()
    mask = None
    if padded:
        mask = torch.ones(2, 1, 1, length, dtype=torch.bool)
        mask[1, ..., -padded:] = False
    kernel = Mock(wraps=sdpa_attention.sdpa_attention_forward)
    monkeypatch.setattr(sdpa_attention, "sdpa_attention_forward", kernel)
    found, _ = short_sequences(LAYER, query, key, value, mask, scaling=scale)
    exact = F.scaled_dot_product_attention(query.double(), key.double(), value.double(), mask, scale=scale)
    # scores up to 5, rounded to EPSILON / 2 of that, change the weights by that share, and so the result, of order 1
    torch.testing.assert_close(found.double(), exact.transpose(1, 2), rtol=0, atol=2.5 * EPSILON + EPSILON)
    assert kernel.called == (length > LONGEST), "it is slower on short ones"


@pytest.mark.parametrize("kind", ["causal", "numbers"])
def test_masks_of_another_kind_than_padding_are_left_to_the_kernel(kind):
    """In float32 against float64: a few roundings, 2^-24 each, of values of order 1 to 10."""
    query, key, value = torch.randn(3, 2, 4, 5, 16, generator=torch.manual_seed(0))
    mask = torch.ones(2, 1, 5, 5, dtype=torch.bool).tril()
    if kind == "numbers":
        mask = torch.linspace(-1, 1, 5).expand(2, 1, 1, 5)
    found, _ = short_sequences(LAYER, query, key, value, mask)
    wide = mask if kind == "causal" else mask.double()
    exact = F.scaled_dot_product_attention(query.double(), key.double(), value.double(), wide)
    torch.testing.assert_close(found.double(), exact.transpose(1, 2), rtol=0, atol=1e-5)


@pytest.mark.skipif(not cpu_computes_in("bfloat16"), reason="needs a CPU with bfloat16")
def test_a_product_is_equal_to_the_plain_one_and_the_model_is_left_as_it_was():
    model = make_model(hidden_size=64).bfloat16().eval()
    x = torch.randn(3, 7, 64).bfloat16()
    query = model.bert.encoder.layer[0].attention.self.query
    intermediate = model.bert.encoder.layer[0].intermediate
    with torch.no_grad(), ExitStack() as stack:
        fused = Fused(model, stack)
        assert query in fused.ordered
        assert torch.equal(query(x), F.linear(x, query.weight, query.bias))
        gelu = F.gelu(F.linear(x.double(), *(p.double() for p in intermediate.dense.parameters())))
        torch.testing.assert_close(intermediate(x).double(), gelu, rtol=EPSILON, atol=EPSILON / 8)
        query.weight.mul_(2)
        fused.reorder()
        assert torch.equal(query(x), F.linear(x, query.weight, query.bias))
    assert model.config._attn_implementation == "sdpa"
    assert not any("forward" in module.__dict__ for module in model.modules())


@pytest.mark.parametrize("kind", MODELS)
def test_fused_visits_are_plain_visits_to_rounding(kind, monkeypatch):
    model = make_model(kind)
    objective, theta = Objective(model, make_examples(20), tokens_per_batch=40), ParameterSpace(model).read()

    def visited() -> torch.Tensor:
        with Walk([objective], theta, (0.01 * theta,)).open("bfloat16") as walker:
            first = walker((1.0,))
            walker((-2.0,))
            assert torch.equal(walker((1.0,)), first), "the same bits after other points"
        return first[:, 0]

    found, again = visited(), visited()
    assert torch.equal(found, again)
    monkeypatch.setattr(walkers, "cpu_computes_in", lambda precision: False)
    # logits of order 1, rounded at each of some ten steps in the same way but for three of them
    torch.testing.assert_close(found, visited(), rtol=0, atol=4 * EPSILON)
