"""Shortcuts: parts of a forward pass that need not be computed at every point, or at all.

Three hold for many encoders, and each is tried against the whole forward pass before it is taken:

- Where the directions leave the layers below k alone, these layers' output is the same at every point. It is computed
  once for each batch, as far as a memory budget goes, and replayed.
- An attention mask of the shape that the attention takes is made once, and nobody has to look into it again.
- A head that reads the first token alone needs no more of the last layer: behind its attention, its projections and
  feed-forward network are computed for that token only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from ..errors import UserError
from .examples import Batch
from .objective import Objective
from .space import ParameterSpace, layer_stack


def same(full: Tensor, shortened: Tensor) -> bool:
    """Whether two tensors are one, to rounding in their dtype; what is not finite is the same as nothing."""
    tolerance = 1e-5 if full.dtype in (torch.float32, torch.float64) else 1e-2
    return full.shape == shortened.shape and torch.allclose(full, shortened, rtol=tolerance, atol=tolerance)


def ready_masks(objective: Objective, stack: ExitStack) -> None:
    """Give the attention its masks as (B, 1, 1, T) in the place of (B, T), until `stack` is closed.

    Of a mask (B, T) `transformers` asks at every pass whether it hides anything, and the host waits for the device's
    answer. It is replaced where the logits of the longest padded batch stay the same.
    """
    padded = [batch for batch in objective.batches if "attention_mask" in batch.inputs]
    if not padded:
        return
    try:
        if not same(objective.logits(padded[-1]), objective.logits(with_mask(padded[-1], widened))):
            return
    except torch.OutOfMemoryError:
        raise
    except Exception:  # a model that takes no such mask
        return

    def change(shape: Callable[[Tensor], Tensor]) -> None:
        objective.batches = [with_mask(batch, shape) for batch in objective.batches]

    change(widened)
    stack.callback(change, narrowed)


def with_mask(batch: Batch, shape: Callable[[Tensor], Tensor]) -> Batch:
    """The batch with its mask, if it has one, in another shape."""
    if "attention_mask" not in batch.inputs:
        return batch
    return Batch(batch.inputs | {"attention_mask": shape(batch.inputs["attention_mask"])}, batch.labels)


def widened(mask: Tensor) -> Tensor:
    """(B, T) of 0 and 1 -> (B, 1, 1, T) bool."""
    return mask.bool()[:, None, None, :] if mask.ndim == 2 else mask


def narrowed(mask: Tensor) -> Tensor:
    """(B, 1, 1, T) bool -> (B, T) of 0 and 1."""
    return mask[:, 0, 0, :].long() if mask.ndim == 4 else mask


def first_token_only(model: nn.Module, objective: Objective, stack: ExitStack) -> None:
    """Cut the last layer down to its first token behind the attention, until `stack` is closed.

    Encoders built like BERT have a module `attention.output` there, which takes (B, T, D) twice: the attention's result
    and the residual. It is cut where the logits depend on the first token, do not depend on what stands in the others,
    and are the same without them; that is tried on the longest batch at the present weights.
    """
    layers = layer_stack(model)
    output = getattr(getattr(layers[1][-1], "attention", None), "output", None) if layers else None
    batch = objective.batches[-1]
    if not isinstance(output, nn.Module) or batch.inputs["input_ids"].shape[1] < 2:
        return

    def altered(change: Callable[[Tensor], Tensor]) -> Tensor:
        hook = output.register_forward_pre_hook(lambda module, hidden: tuple(change(x) for x in hidden))
        try:
            return objective.logits(batch)
        except torch.OutOfMemoryError:
            raise
        except Exception:  # somebody downstream needs the other tokens
            return torch.empty(0)
        finally:
            hook.remove()

    full = objective.logits(batch)
    if (
        same(full, altered(lambda x: scrambled(x, slice(1, None))))
        and same(full, altered(first_token))
        and not same(full, altered(lambda x: scrambled(x, slice(0, 1))))
    ):
        stack.callback(
            output.register_forward_pre_hook(lambda module, hidden: tuple(map(first_token, hidden))).remove
        )


def first_token(hidden: Tensor) -> Tensor:
    """(B, T, D) -> (B, 1, D)."""
    return hidden[:, :1]


def scrambled(hidden: Tensor, tokens: slice) -> Tensor:
    """(B, T, D) with noise, always the same, in the place of some tokens."""
    noise = torch.randn(hidden.shape, generator=torch.Generator().manual_seed(0)).to(hidden)
    changed = hidden.clone()
    changed[:, tokens] = noise[:, tokens]
    return changed


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
        used = 0
        for objective, batch in batches:
            with outputs_of(self.below[-1]) as seen:
                objective.logits(batch)
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

    def verify(self, batches: Sequence[tuple[Objective, Batch]]) -> None:
        """Replay nothing where the still layers' output has moved after all, or the logits are not those of the model.

        Something beside the layers below may feed them (a table of relative positions, say), or read their output.
        """
        recorded = [(objective, batch) for objective, batch in batches if batch in self.outputs]
        if not recorded:
            return
        objective, batch = recorded[-1]
        try:
            with outputs_of(self.below[-1]) as seen:
                full = objective.logits(batch)
            still = all(map(torch.equal, tensors(seen[-1]), tensors(self.outputs[batch])))
            if not (still and same(full, self.logits(objective)(batch))):
                self.outputs.clear()
        except torch.OutOfMemoryError:
            raise
        except Exception:  # an encoder that asks its layers for more than their output
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


@contextmanager
def outputs_of(layer: nn.Module) -> Iterator[list[object]]:
    """What the layer returns, call by call, while the context lasts."""
    seen: list[object] = []
    handle = layer.register_forward_hook(lambda module, inputs, output: seen.append(output))
    try:
        yield seen
    finally:
        handle.remove()


def tensors(output: object) -> list[Tensor]:
    """The tensors in a layer's output."""
    items = output if isinstance(output, tuple | list) else (output,)
    return [x for x in items if isinstance(x, Tensor)]
