"""Forward passes of a model: in evaluation mode, tried, watched, computed in another way for a while, and compared."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients; on leaving, each module has the mode that it had."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        with torch.no_grad():
            yield
    finally:
        for module, mode in modes:
            module.training = mode


def attempt(forward: Callable[..., Any], *arguments: Any) -> Any:
    """What a forward pass gives, or what it raised."""
    try:
        return forward(*arguments)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        return error


def compute_by(module: nn.Module, forward: Callable[..., Any], stack: ExitStack) -> None:
    """Let the module compute by `forward` until `stack` is closed."""
    own = module.__dict__.get("forward")  # somebody else's, who wrapped the module
    module.forward = forward
    stack.callback(setattr, module, "forward", own) if own else stack.callback(delattr, module, "forward")


@contextmanager
def outputs_of(layer: nn.Module) -> Iterator[list[object]]:
    """What the layer returns, call by call, while the context lasts."""
    seen: list[object] = []
    with layer.register_forward_hook(lambda module, inputs, output: seen.append(output)):
        yield seen


def rounding() -> float:
    """To what two ways to the same logits agree in float32, whose products may be in TF32."""
    return 1e-5 if torch.get_float32_matmul_precision() == "highest" else 1e-2


def same(one: Any, other: Any, tolerance: float = 1e-5, equal_nan: bool = False) -> bool:
    """Whether two outputs are one tensor, within a tolerance, absolute and relative: 0.01 for less than 32 bits."""
    if not isinstance(one, Tensor) or not isinstance(other, Tensor) or one.shape != other.shape:
        return False
    least = tolerance if one.dtype in (torch.float32, torch.float64) else 1e-2
    return torch.allclose(one, other, rtol=least, atol=least, equal_nan=equal_nan)
