"""What makes a forward pass in bfloat16 on a CPU fast: weights in the order of the processor, and fused operations.

PyTorch reorders a weight at each product, and takes further passes for bias and GELU. Here each weight is reordered
once a point, and bias and GELU are applied while the product is in the registers. Attention over short sequences is two
batched products with a softmax between: PyTorch's kernel takes head after head, which are too small each. Products and
bias are equal to PyTorch's to the bit; GELU and attention differ by the rounding of bfloat16.
"""

from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from .forward import compute_by, same

ATTENTION = "short_sequences"
# tokens: the scores of longer sequences do not fit into the cache, and PyTorch's kernel is faster
LONGEST = 256
# numbers in bfloat16 that a processor takes at a time: the softmax of rows of other lengths is slow
VECTOR = 32
ROWS = 1024  # tokens of a usual batch, for which weights are ordered
# Inputs of the model that some models hand down to their attention, which makes nothing of them.
PASSED_ON = ("token_type_ids", "position_ids", "cache_position")


def fusible(dtype: torch.dtype, device: torch.device) -> bool:
    """Whether the processor multiplies in bfloat16; elsewhere nothing is gained."""
    return (
        dtype == torch.bfloat16
        and device.type == "cpu"
        and torch.backends.mkldnn.is_available()
        and torch.ops.mkldnn._is_mkldnn_bf16_supported()
    )


class Fused:
    """The linear layers, GELU and attention of `model`, in bfloat16 on a CPU, fused until `stack` is closed."""

    def __init__(self, model: Any, stack: ExitStack):
        self.linear = [m for m in model.modules() if type(m) is nn.Linear and "forward" not in m.__dict__]
        self.ordered: dict[nn.Module, Tensor] = {}
        self.reorder()
        for module in model.modules():
            dense, gelu = getattr(module, "dense", None), getattr(module, "intermediate_act_fn", None)
            if dense in self.ordered and type(gelu).__name__ == "GELUActivation":  # encoders built like BERT
                self._replace(module, dense, "gelu", stack)
        for module in self.linear:
            self._replace(module, module, "none", stack)
        if getattr(model.config, "_attn_implementation", None) == "sdpa":
            # these take seconds to import
            from transformers import AttentionInterface, AttentionMaskInterface
            from transformers.masking_utils import sdpa_mask

            AttentionInterface.register(ATTENTION, short_sequences)
            AttentionMaskInterface.register(ATTENTION, sdpa_mask)
            model.config._attn_implementation = ATTENTION
            stack.callback(setattr, model.config, "_attn_implementation", "sdpa")

    def reorder(self) -> None:
        """Bring the present weights into the processor's order, whenever they have changed."""
        for module in self.linear:
            self.ordered[module] = torch.ops.mkldnn._reorder_linear_weight(module.weight.detach(), ROWS)

    def _replace(self, module: nn.Module, dense: nn.Linear, then: str, stack: ExitStack) -> None:
        """Let the module compute by one product, if that gives on noise what the module gives."""

        def forward(x: Tensor) -> Tensor:  # (..., in) -> (..., out)
            return torch.ops.mkldnn._linear_pointwise(x, self.ordered[dense], dense.bias, then, [], "none")

        noise = torch.randn(4, dense.in_features, generator=torch.Generator().manual_seed(0)).bfloat16()
        if same(module(noise), forward(noise)):
            compute_by(module, forward, stack)


def short_sequences(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **options: Any,
) -> tuple[Tensor, None]:
    """Attention softmax(s Q K^T + mask) V of `transformers`; query, key, value (B, H, T, D), result (B, T, H, D)."""
    B, H, T, D = query.shape
    mask, causal = attention_mask, options.pop("is_causal", None)
    plain = mask is None or (mask.dtype == torch.bool and mask.shape[1:3] == (1, 1))
    wishes = [wish for name, wish in options.items() if name not in PASSED_ON]
    asked = causal or getattr(module, "is_causal", True) or any(isinstance(w, Tensor) or w for w in wishes)
    if T > LONGEST or key.shape != query.shape or not plain or asked:
        from transformers.integrations.sdpa_attention import sdpa_attention_forward  # PyTorch's kernel

        return sdpa_attention_forward(
            module, query, key, value, mask, scaling=scaling, is_causal=causal, **options
        )
    width = -(-T // VECTOR) * VECTOR
    bias = query.new_full((B, 1, 1, width), -torch.inf)
    bias[..., :T] = 0.0 if mask is None else torch.where(mask, 0.0, -torch.inf)
    bias = bias.expand(B, H, 1, width).reshape(B * H, 1, width)
    key, value = (F.pad(x, (0, 0, 0, width - T)).reshape(B * H, width, D) for x in (key, value))
    query = query.reshape(B * H, T, D)
    scores = torch.baddbmm(bias, query, key.mT, alpha=D**-0.5 if scaling is None else scaling)
    return torch.bmm(scores.softmax(dim=-1), value).view(B, H, T, D).transpose(1, 2), None
