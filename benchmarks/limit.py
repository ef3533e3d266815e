"""The limit: the operations of a forward pass over real tokens, at the rate of the machine's matrix products.

Floor = operations / rate. The operations are those of the plain network: two for each weight of the layers and each
token, and for attention's two products 4 T d for each token of an example of T. Padding, normalisation, activation
functions and memory are what a contender spends above the floor.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode, sdpa_flop_count

from landscape_utils.engine.objective import TOKENS_PER_BATCH, Example
from landscape_utils.engine.space import layer_stack
from landscape_utils.engine.walker import DTYPES, tf32

SAMPLE = 0.2  # seconds of one measurement of the rate
SDPA_ON_CPU = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu  # which torch's counter leaves out


def layer_weights(model: Any) -> list[torch.Tensor]:
    """The matrices, (out, in), that every token is multiplied by."""
    stack = layer_stack(model)
    assert stack is not None
    return [m.weight.detach() for m in stack[1].modules() if isinstance(m, nn.Linear)]


def operations(model: Any, examples: Sequence[Example]) -> float:
    """Floating-point operations of the layers in one forward pass over the examples, without padding."""
    matrices = sum(weight.numel() for weight in layer_weights(model))
    layers, width = model.config.num_hidden_layers, model.config.hidden_size
    lengths = [len(example["input_ids"]) for example in examples]
    return sum((2 * matrices + 4 * layers * width * length) * length for length in lengths)


def counted(work: Callable[[], object]) -> int:
    """Floating-point operations of the matrix products that `work` really does."""

    def attention(query, key, value, *args, out_shape=None, **kwargs) -> int:
        return sdpa_flop_count(query, key, value)

    with FlopCounterMode(display=False, custom_mapping={SDPA_ON_CPU: attention}) as counter:
        work()
    return counter.get_total_flops()


class Limit:
    """The machine's rate of matrix products at the shapes of a model's layers."""

    def __init__(self, model: Any, precisions: Sequence[str], sample: float = SAMPLE):
        weights = layer_weights(model)
        self.device = weights[0].device
        self.sample = sample
        self.weights = {p: [w.to(DTYPES[p], copy=True) for w in weights] for p in precisions}
        batch = TOKENS_PER_BATCH.get(self.device.type, TOKENS_PER_BATCH["cuda"])
        self.rows = (
            batch,
            4 * batch,
        )  # the engine's batches, and larger ones: a limit is the better of the two

    def rate(self, precision: str) -> float:
        """Floating-point operations a second now."""
        with tf32(precision == "tf32"):
            return max(self._rate(self.weights[precision], rows) for rows in self.rows)

    def _rate(self, weights: list[torch.Tensor], rows: int) -> float:
        widths = {width for weight in weights for width in weight.shape}
        of_width = {width: torch.randn(rows, width).to(weights[0]) for width in widths}
        into = {width: torch.empty_like(of_width[width]) for width in widths}
        done, passes, started = 0.0, 0, 0.0
        while not passes or done < self.sample / len(self.rows):
            for weight in weights:  # (out, in)
                torch.mm(of_width[weight.shape[1]], weight.T, out=into[weight.shape[0]])
            synchronize(self.device)
            if not started:  # the first pass warms up
                started = time.perf_counter()
                continue
            passes += 1
            done = time.perf_counter() - started
        return passes * 2 * rows * sum(weight.numel() for weight in weights) / done


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
