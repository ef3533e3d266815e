"""Shortcuts: parts of a forward pass that need not be computed at every point, or at all.

Two hold for many encoders, and each is tried against the whole forward pass before it is taken:

- Where the directions leave the layers below k alone, these layers' output is the same at every point. It is computed
  once for each batch, as far as a memory budget goes, and replayed.
- A head that reads the first token alone needs no more of the last layer: behind its attention, its projections and
  feed-forward network are computed for that token only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from .errors import UserError
from .objective import Batch, Objective
from .parameters import ParameterSpace, layer_stack


def same(full: Tensor, shortened: Tensor) -> bool:
    """Whether two logits (B, C) are one, to rounding in their dtype."""
    tolerance = 1e-5 if full.dtype in (torch.float32, torch.float64) else 1e-2
    return torch.allclose(full, shortened, rtol=tolerance, atol=tolerance, equal_nan=True)


def first_token_only(model: nn.Module, objective: Objective, batch: Batch, stack: ExitStack) -> None:
    """Cut the last layer down to its first token behind the attention, until `stack` is closed.

    Encoders built like BERT have a module `attention.output` there, which takes (B, T, D) twice: the attention's result
    and the residual. Left as it is where there is none, and where the logits change: a head that reads more.
    """
    layers = layer_stack(model)
    output = getattr(getattr(layers[1][-1], "attention", None), "output", None) if layers else None
    if not isinstance(output, nn.Module):
        return
    full = objective.logits(batch)
    hook = output.register_forward_pre_hook(lambda module, hidden: tuple(x[:, :1] for x in hidden))
    try:
        agrees = same(full, objective.logits(batch))
    except (RuntimeError, IndexError, TypeError, ValueError):  # somebody downstream needs the other tokens
        agrees = False
    if agrees:
        stack.callback(hook.remove)
    else:
        hook.remove()


class Replay:
    """The layers below the first one that moves, replaced for known batches by their recorded output."""

    def __init__(self, model: nn.Module, space: ParameterSpace, part: slice):
        self.below: list[nn.Module] = []
        self.layers: nn.ModuleList | None = None
        self.outputs: dict[Batch, object] = {}
        stack = layer_stack(model)
        if stack:
            name, layers = stack
            ends = [
                max(space.slices[f"{name}.{i}.{p}"].stop for p, _ in layer.named_parameters())
                for i, layer in enumerate(layers)
                if all(f"{name}.{i}.{p}" in space.slices for p, _ in layer.named_parameters())
            ]
            still = sum(end <= part.start for end in ends)
            if still and len(ends) == len(layers):
                self.layers, self.below = layers, list(layers[:still])

    def __enter__(self) -> Replay:
        return self

    def __exit__(self, *exception) -> None:
        self.outputs.clear()

    def record(self, batches: Sequence[tuple[Objective, Batch]], limit: int) -> None:
        """Keep the last still layer's output for as many batches as `limit` bytes hold.

        Raises:
            UserError: the limit does not hold one batch.
        """
        kept: list[object] = []
        handle = self.below[-1].register_forward_hook(lambda module, inputs, output: kept.append(output))
        used = 0
        try:
            for objective, batch in batches:
                objective.logits(batch)
                output = kept.pop()
                used += size_of(output)
                if used > limit:
                    break
                self.outputs[batch] = output
        finally:
            handle.remove()
        if not self.outputs:
            raise UserError(
                f"cache_bytes={limit} does not hold one batch ({used} bytes); give at least that, or 0 to keep nothing"
            )

    def verify(self, objective: Objective, batch: Batch) -> None:
        """Where the replayed forward pass is not the full one (an encoder with side ways), replay nothing."""
        if self.outputs and not same(objective.logits(batch), self.logits(objective)(batch)):
            self.outputs.clear()

    def logits(self, objective: Objective):
        """The objective's forward pass, with replay for the recorded batches."""

        def forward(batch: Batch) -> Tensor:
            if batch not in self.outputs:
                return objective.logits(batch)
            with self._replaced(self.outputs[batch]):
                return objective.logits(batch)

        return forward

    @contextmanager
    def _replaced(self, output: object) -> Iterator[None]:
        assert self.layers is not None
        try:
            for i, layer in enumerate(self.below):
                self.layers[i] = Recorded(layer, output)
            yield
        finally:
            for i, layer in enumerate(self.below):
                self.layers[i] = layer


class Recorded(nn.Module):
    """Stands in for a layer, looks like it to whoever asks for its attributes, and answers with a recorded output."""

    def __init__(self, layer: nn.Module, output: object):
        super().__init__()
        self.__dict__["layer"] = layer  # not a submodule
        self.output = output

    def forward(self, *args, **kwargs):
        return self.output

    def __getattr__(self, name: str):
        return getattr(self.__dict__["layer"], name)


def size_of(output: object) -> int:
    """Bytes of the tensors in a layer's output."""
    items = output if isinstance(output, tuple | list) else (output,)
    return sum(x.numel() * x.element_size() for x in items if isinstance(x, Tensor))
