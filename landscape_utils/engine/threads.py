"""Batches side by side: on a CPU one thread computes a whole batch, and the other cores other batches meanwhile.

Usually all threads share each operation and meet at its end. Here they meet once a visit, and the numbers do not depend
on how many cores there are while there are no more than batches.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import torch


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
    """So many threads as one of `count` batches has in `side_by_side`, while the context lasts.

    The order of the sums in a matrix product, and so the last digit, can depend on the number of threads.
    """
    threads = torch.get_num_threads()
    share = threads // min(threads, count) if device.type == "cpu" else threads
    try:
        torch.set_num_threads(share)
        yield share
    finally:
        torch.set_num_threads(threads)
