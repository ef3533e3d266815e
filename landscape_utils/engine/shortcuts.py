"""Shortcuts: parts of a forward pass that need not be computed at every point, or at all.

Each of two is tried against the whole forward pass before it is taken. Layers below the first one that a direction
moves have the same output at every point: it is computed once a batch, as far as a memory budget goes, and replayed.
And below a head that reads the first token alone, the last layer is computed for that token only, behind its attention.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from ..errors import UserError
from .examples import Batch, Logits
from .forward import attempt, compute_by, outputs_of, same
from .space import ParameterSpace, layer_parameters, layer_stack


def first_token_only(model: nn.Module, logits: Logits, batch: Batch, stack: ExitStack) -> None:
    """Cut the last layer down to its first token behind the attention, until `stack` is closed.

    Encoders built like BERT have a module `attention.output` there, which takes (B, T, D) twice: the attention's result
    and the residual. Tried on `batch`, the longest, whose logits must depend on the first token alone.
    """
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
            return same(full, attempt(logits, batch))  # it fails where somebody needs the other tokens

    full = logits(batch)
    blind = agrees(lambda x: scrambled(x, slice(1, None))) and agrees(first)
    if blind and not agrees(lambda x: scrambled(x, slice(0, 1))):
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
        self.below: list[nn.Module] = []
        self.outputs: dict[Batch, object] = {}
        self._played = threading.local()  # `output`: what the layers below answer with, in a thread
        stack, names = layer_stack(model), layer_parameters(model)
        if stack and all(name in space.slices for own in names for name in own):
            ends = [max(space.slices[name].stop for name in own) for own in names]
            self.below = [layer for layer, end in zip(stack[1], ends, strict=True) if end <= part.start]

    def prepare(self, batches: Sequence[tuple[Logits, Batch]], limit: int, stack: ExitStack) -> None:
        """Keep the last still layer's output for as many batches as `limit` bytes hold, until `stack` is closed."""
        self.outputs.clear()  # of batches that were halved since
        stack.callback(self.outputs.clear)
        used = 0
        for logits, batch in batches:
            with outputs_of(self.below[-1]) as seen:
                logits(batch)
            if not seen:  # an encoder that does not call its layers
                return
            used += sum(x.numel() * x.element_size() for x in tensors(seen[-1]))
            if used > limit:
                break
            self.outputs[batch] = seen[-1]
        if not self.outputs:
            raise UserError(
                f"cache_bytes={limit} does not hold one batch ({used} bytes); give at least that, or 0 to keep nothing"
            )
        for layer in self.below:
            compute_by(layer, partial(self._played_or, layer.forward, layer is self.below[-1]), stack)

    def _played_or(self, computed: Callable[..., Any], last: bool, *args: Any, **kwargs: Any) -> Any:
        """A layer's output, computed or recorded; that of a lower layer than the last is NaN, lest anybody reads it."""
        output = getattr(self._played, "output", None)
        if output is None:
            return computed(*args, **kwargs)
        return output if last else tree_map(blank, output)

    def verify(self, batches: Sequence[tuple[Logits, Batch]]) -> None:
        """Replay nothing where the still layers' output has moved after all, or the logits are not those of the model:
        a table of relative positions may feed them, say, or a pooler read their output."""
        for logits, batch in [pair for pair in batches if pair[1] in self.outputs][-1:]:
            with outputs_of(self.below[-1]) as seen:
                full = logits(batch)
            still = all(map(torch.equal, tensors(seen[-1]), tensors(self.outputs[batch])))
            if not (still and same(full, attempt(self.logits, logits, batch))):
                self.outputs.clear()

    def logits(self, logits: Logits, batch: Batch) -> Tensor:
        """An objective's forward pass, `logits`, with replay for the recorded batches."""
        self._played.output = self.outputs.get(batch)
        try:
            return logits(batch)
        finally:
            self._played.output = None


def blank(x: Any) -> Any:
    """NaN in the place of every number, which take no memory."""
    numbers = isinstance(x, Tensor) and x.is_floating_point()
    return x.new_full((), torch.nan).expand(x.shape) if numbers else x


def tensors(output: object) -> list[Tensor]:
    """The tensors in a layer's output."""
    return [x for x in tree_leaves(output) if isinstance(x, Tensor)]
