"""Forward passes of a model: in evaluation mode, tried, computed in another way for a while, compared, side by side.

On a CPU one thread computes a whole batch, and the other cores other batches meanwhile. They meet once a visit and not
after each operation, and the numbers do not depend on how many cores there are while there are no more than batches.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode without gradients, autocast or TF32; on leaving, each module has the mode that it had."""
    device = next(model.parameters()).device.type
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        with torch.no_grad(), torch.autocast(device, enabled=False), products_in("highest"):
            yield
    finally:
        for module, mode in modes:
            module.training = mode


def attempt(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """What a function, such as a forward pass, gives, or what it raised."""
    try:
        return function(*arguments, **options)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        return error


def logits_of(model: Any, inputs: dict[str, Tensor]) -> Any:
    """One forward pass: the logits that the model's output has, that it begins with as a tuple, or that it is."""
    output = model(**inputs)
    return getattr(output, "logits", output[0] if isinstance(output, tuple) else output)


def compute_by(module: nn.Module, forward: Callable[..., Any], stack: ExitStack) -> None:
    """Let the module compute by `forward` until `stack` is closed."""
    own = module.__dict__.get("forward")  # somebody else's, who wrapped the module
    module.forward = forward
    stack.callback(setattr, module, "forward", own) if own else stack.callback(delattr, module, "forward")


@contextmanager
def products_in(precision: str) -> Iterator[None]:
    """Matrix products of float32 as they are, "highest", or in TF32, "high", whatever the process has chosen."""
    libraries: Any = (getattr(getattr(torch.backends, name), "matmul", None) for name in ("cuda", "mkldnn"))
    newer = [(matmul, matmul.fp32_precision) for matmul in libraries if hasattr(matmul, "fp32_precision")]
    older = attempt(torch.get_float32_matmul_precision)  # fails once the newer settings were used
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        if isinstance(older, str):
            torch.set_float32_matmul_precision(older)
        for matmul, before in newer:
            matmul.fp32_precision = before


def same(one: Any, other: Any, tolerance: float = 1e-5, equal_nan: bool = False) -> bool:
    """Whether two outputs are one tensor, within a tolerance, absolute and relative: 0.01 for less than 32 bits."""
    if not isinstance(one, Tensor) or not isinstance(other, Tensor) or one.shape != other.shape:
        return False
    least = tolerance if one.dtype in (torch.float32, torch.float64) else 1e-2
    return torch.allclose(one, other, rtol=least, atol=least, equal_nan=equal_nan)


def side_by_side(function: Callable[[Any], Any], items: Sequence[Any], device: torch.device) -> list[Any]:
    """`[function(item) for item in items]`, on a CPU as many items at a time as there are threads."""
    workers = min(torch.get_num_threads(), len(items))
    if device.type != "cpu" or workers < 2:
        return list(map(function, items))
    gradients = torch.is_grad_enabled()  # a setting of each thread, as is the number of threads
    with threads_of_one(len(items), device) as share:

        def prepare() -> None:
            torch.set_num_threads(share)
            torch.set_grad_enabled(gradients)

        with ThreadPoolExecutor(workers, initializer=prepare) as pool:
            return list(pool.map(function, items))


@contextmanager
def threads_of_one(count: int, device: torch.device) -> Iterator[int]:
    """So many threads as one of `count` batches has in `side_by_side`: the last digit of a sum can depend on it."""
    threads = torch.get_num_threads()
    share = threads // min(threads, count) if device.type == "cpu" else threads
    try:
        torch.set_num_threads(share)
        yield share
    finally:
        torch.set_num_threads(threads)
