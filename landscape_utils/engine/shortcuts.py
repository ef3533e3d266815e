"""Shortcuts to the same logits: parts of a forward pass that need not be computed at every point, or at all.

Two are tried against the whole forward pass before they are taken. Layers below the first one that a direction moves
have the same output at every point: it is computed once a batch, as far as a memory budget goes, and replayed. And
below a head that reads the first token alone, the last layer is computed for that token only, behind its attention.

In bfloat16 on a CPU each weight is brought into the processor's order once a point and not at each product, and bias
and GELU are applied while the product is in the registers. Attention over short sequences is two batched products with
a softmax between, as PyTorch's kernel takes head after head, which are too small each. Products and bias are equal to
PyTorch's to the bit; GELU and attention differ by the rounding of bfloat16.
"""

import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils._pytree import tree_leaves, tree_map

from .examples import Batch
from .forward import attempt, compute_by, logits_of, same
from .space import ParameterSpace, layer_parameters, layer_stack

ATTENTION = "short_sequences"
# tokens: the scores of longer sequences do not fit into the cache, and PyTorch's kernel is faster
LONGEST = 256
# numbers in bfloat16 that a processor takes at a time: the softmax of rows of other lengths is slow
VECTOR = 32
ROWS = 1024  # tokens of a usual batch, for which weights are ordered
# Inputs of the model that some models hand down to their attention, which makes nothing of them.
PASSED_ON = ("token_type_ids", "position_ids", "cache_position")


def first_token_only(model: nn.Module, batch: Batch, places: Iterable[None], stack: ExitStack) -> None:
    """Cut the last layer down to its first token behind the attention, until `stack` is closed, if the logits of
    `batch`, the longest, depend on that token alone, wherever the next of `places` moves the weights. Encoders built
    like BERT have a module `attention.output` there, which takes (B, T, D) twice: the attention's result and the
    residual."""
    layers = layer_stack(model)
    output = getattr(getattr(layers[1][-1], "attention", None), "output", None) if layers else None
    if not isinstance(output, nn.Module) or batch.inputs["input_ids"].shape[1] < 2:
        return

    def changed(change: Callable[[Tensor], Tensor]) -> Any:
        return output.register_forward_pre_hook(lambda module, hidden: tuple(map(change, hidden)))

    def first(hidden: Tensor) -> Tensor:  # (B, T, D) -> (B, 1, D)
        return hidden[:, :1]

    def agrees(change: Callable[[Tensor], Tensor]) -> bool:
        with changed(change):
            # it fails where somebody needs the other tokens
            return same(full, attempt(logits_of, model, batch.inputs))

    for _ in places:
        full = logits_of(model, batch.inputs)
        blind = agrees(lambda x: scrambled(x, slice(1, None))) and agrees(first)
        if not blind or agrees(lambda x: scrambled(x, slice(0, 1))):
            return
    stack.enter_context(changed(first))


def scrambled(hidden: Tensor, tokens: slice) -> Tensor:
    """(B, T, D) with noise, always the same, in the place of some tokens."""
    noise = torch.randn(hidden.shape, generator=torch.Generator().manual_seed(0)).to(hidden)
    changed = hidden.clone()
    changed[:, tokens] = noise[:, tokens]
    return changed


class Replay:
    """The layers below the first one that moves, with `part` of theta, replayed for batches whose output is known."""

    def __init__(self, model: nn.Module, space: ParameterSpace, part: slice):
        self.model = model
        self.below: list[nn.Module] = []
        self.outputs: dict[Batch, object] = {}
        self._played = threading.local()  # `output`: what the layers below answer with, in a thread
        stack, names = layer_stack(model), layer_parameters(model)
        if stack and names:
            ends = [max(space.slices[name].stop for name in own) for own in names]
            self.below = [layer for layer, end in zip(stack[1], ends, strict=True) if end <= part.start]

    def prepare(self, batches: Iterable[Batch], limit: int, stack: ExitStack) -> None:
        """Keep the last still layer's output for as many batches as `limit` bytes hold, until `stack` is closed."""
        self.outputs.clear()  # of batches that were halved since
        stack.callback(self.outputs.clear)
        used = 0
        for batch in batches:
            _, seen = self._watched(batch)
            if not seen:  # an encoder that does not call its layers
                return
            used += sum(x.numel() * x.element_size() for x in tensors(seen[-1]))
            if used > limit:
                break
            self.outputs[batch] = seen[-1]
        for layer in self.below:
            compute_by(layer, partial(self._played_or, layer.forward, layer is self.below[-1]), stack)

    def _watched(self, batch: Batch) -> tuple[Tensor, list[object]]:
        """The logits, and what the last still layer returned, call by call."""
        seen: list[object] = []
        with self.below[-1].register_forward_hook(lambda module, inputs, output: seen.append(output)):
            return logits_of(self.model, batch.inputs), seen

    def _played_or(self, computed: Callable[..., Any], last: bool, *args: Any, **kwargs: Any) -> Any:
        """A layer's output, computed or recorded; that of a lower layer than the last is NaN, lest anybody reads it."""
        output = getattr(self._played, "output", None)
        if output is None:
            return computed(*args, **kwargs)
        return output if last else tree_map(blank, output)

    def verify(self) -> None:
        """Replay nothing where the still layers' output has moved after all, as a table of relative positions may feed
        them, or the logits are not those of the model, as a pooler may read their output."""
        for batch, kept in list(self.outputs.items())[-1:]:
            full, seen = self._watched(batch)
            still = all(map(torch.equal, tensors(seen[-1]), tensors(kept)))
            if not (still and same(full, attempt(self.logits, batch))):
                self.outputs.clear()

    def logits(self, batch: Batch) -> Tensor:
        """(B, C): one forward pass, with replay for the recorded batches."""
        self._played.output = self.outputs.get(batch)
        try:
            return logits_of(self.model, batch.inputs)
        finally:
            self._played.output = None


def blank(x: Any) -> Any:
    """NaN in the place of every number, which take no memory."""
    numbers = isinstance(x, Tensor) and x.is_floating_point()
    return x.new_full((), torch.nan).expand(x.shape) if numbers else x


def tensors(output: object) -> list[Tensor]:
    """The tensors in a layer's output."""
    return [x for x in tree_leaves(output) if isinstance(x, Tensor)]


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
    mask = attention_mask
    plain = mask is None or (mask.dtype == torch.bool and mask.shape[1:3] == (1, 1))
    wishes = [wish for name, wish in options.items() if name not in PASSED_ON]
    asked = getattr(module, "is_causal", True) or any(isinstance(w, Tensor) or w for w in wishes)
    if T > LONGEST or key.shape != query.shape or not plain or asked:
        from transformers.integrations.sdpa_attention import sdpa_attention_forward  # PyTorch's kernel

        return sdpa_attention_forward(module, query, key, value, mask, scaling=scaling, **options)
    width = -(-T // VECTOR) * VECTOR
    bias = query.new_full((B, 1, 1, width), -torch.inf)
    bias[..., :T] = 0.0 if mask is None else torch.where(mask, 0.0, -torch.inf)
    bias = bias.expand(B, H, 1, width).reshape(B * H, 1, width)
    key, value = (F.pad(x, (0, 0, 0, width - T)).reshape(B * H, width, D) for x in (key, value))
    query = query.reshape(B * H, T, D)
    scores = torch.baddbmm(bias, query, key.mT, alpha=D**-0.5 if scaling is None else scaling)
    return torch.bmm(scores.softmax(dim=-1), value).view(B, H, T, D).transpose(1, 2), None
