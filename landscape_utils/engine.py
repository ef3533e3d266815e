"""The engine: visits points of parameter space, and does at each only what differs from the last one.

Theta is written from the origin, never from the neighbouring point, so there is no drift and no order. Where the
directions leave the layers below k alone, these layers' output is the same at every point: it is computed once and
replayed, as far as the memory budget goes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn

from .errors import UserError
from .objective import Batch, Objective, evaluating, statistics
from .parameters import ParameterSpace, layer_stack

CHUNK = {
    "cpu": 1 << 16,
    "cuda": 1 << 24,
}  # entries combined at a time: the sums stay in cache, scratch memory is small
CACHE_BYTES = 1 << 30
DTYPES = {
    "float32": torch.float32,
    "tf32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}


def combine(out: Tensor, origin: Tensor, terms: Sequence[tuple[float, Tensor]]) -> None:
    """out = origin + sum of c * direction, (P,), summed in the origin's dtype and rounded once to that of `out`."""
    step = CHUNK.get(out.device.type, CHUNK["cuda"])
    for start in range(0, len(out), step):
        chunk = slice(start, start + step)
        total = out[chunk] if out.dtype == origin.dtype else torch.empty_like(origin[chunk])
        (first, direction), *rest = terms
        torch.add(origin[chunk], direction[chunk], alpha=first, out=total)
        for coefficient, direction in rest:
            total.add_(direction[chunk], alpha=coefficient)
        if total.dtype != out.dtype:
            out[chunk] = total


def moving(directions: Sequence[Tensor]) -> slice:
    """The shortest range of entries outside which every direction is zero."""
    ends = []
    for direction in directions:
        support = direction.nonzero()
        if len(support):
            ends += [int(support[0]), int(support[-1]) + 1]
    return slice(min(ends), max(ends)) if ends else slice(0, 0)


class Walker:
    """A model on a walk through a line or plane: `walker(coordinates)` measures every objective there.

    Args:
        objectives: on the same model.
        origin, directions: vectors (P,).
        precision: what the weights are rounded to and the forward pass is done in.
        cache_bytes: memory for the output of layers that no direction moves; 0 recomputes it at every point.

    Use as a context manager: within it the model's weights are those of the point visited last; on leaving, also by an
    exception, the model is what it was.
    """

    def __init__(
        self,
        objectives: Sequence[Objective],
        origin: Tensor,
        directions: Sequence[Tensor],
        precision: str = "float32",
        cache_bytes: int | None = None,
    ):
        self.objectives = objectives
        self.model = objectives[0].model
        self.space = ParameterSpace(self.model)
        wide = torch.float64 if self.space.dtype == torch.float64 else torch.float32
        self.origin, *self.directions = (v.to(self.space.device, wide) for v in (origin, *directions))
        self.precision = precision
        self.cache_bytes = CACHE_BYTES if cache_bytes is None else cache_bytes
        self.moving = moving(self.directions)
        self._stack = ExitStack()
        self._replay = Replay(self.model, self.space, self.moving)

    def __enter__(self) -> Walker:
        with ExitStack() as stack:  # closed here if entering fails half-way
            stack.enter_context(evaluating(self.model))
            stack.enter_context(tf32(self.precision == "tf32"))
            dtype = self.origin.dtype if self.precision == "float32" else DTYPES[self.precision]
            stack.enter_context(cast_outside(self.space, self.model, dtype))
            self.buffer = stack.enter_context(self.space.attached(dtype))
            self.buffer.copy_(self.origin)
            stack.enter_context(self._replay)
            self._fill_cache()
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception) -> None:
        self._stack.close()

    def __call__(self, coordinates: Sequence[float]) -> Tensor:
        """(objectives, 4) float64 on the CPU: loss, error and their standard errors. The one synchronisation."""
        self.move(coordinates)
        return torch.stack([statistics(*o.outcomes(self._replay.logits(o))) for o in self.objectives]).cpu()

    def move(self, coordinates: Sequence[float]) -> None:
        """Set the weights to origin + sum of coordinate * direction."""
        part = self.moving
        terms = [(float(c), d[part]) for c, d in zip(coordinates, self.directions, strict=True)]
        combine(self.buffer[part], self.origin[part], terms)

    def _fill_cache(self) -> None:
        batches = [(o, batch) for o in self.objectives for batch in o.batches]
        if not self._replay.layers or self.cache_bytes == 0:
            return
        self._replay.record(batches, self.cache_bytes)
        self.move([1.0] * len(self.directions))
        self._replay.verify(*batches[0])


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
        full, replayed = objective.logits(batch), self.logits(objective)(batch)
        tolerance = 1e-5 if full.dtype in (torch.float32, torch.float64) else 1e-2
        if not torch.allclose(full, replayed, rtol=tolerance, atol=tolerance, equal_nan=True):
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


@contextmanager
def cast_outside(space: ParameterSpace, model: nn.Module, dtype: torch.dtype) -> Iterator[None]:
    """The head's parameters in `dtype` while the context lasts (the encoder's are the buffer's business)."""
    encoder = {id(p) for p in space.encoder.parameters()}
    own = [(p, p.data) for p in model.parameters() if id(p) not in encoder]
    try:
        for p, data in own:
            p.data = data.to(dtype)
        yield
    finally:
        for p, data in own:
            p.data = data


@contextmanager
def tf32(on: bool) -> Iterator[None]:
    """Matrix products in TF32 while the context lasts, if `on`."""
    before = torch.get_float32_matmul_precision()
    try:
        if on:
            torch.set_float32_matmul_precision("high")
        yield
    finally:
        torch.set_float32_matmul_precision(before)
