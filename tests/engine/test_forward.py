"""Forward passes side by side: the same numbers, in order, whatever the number of threads; and which are the same."""

import threading

import pytest
import torch
from networks import make_examples, make_model

from landscape_utils.engine.forward import same, side_by_side
from landscape_utils.engine.objective import Objective

CPU = torch.device("cpu")


def settings(i: int) -> tuple:
    return i, torch.get_num_threads(), torch.is_grad_enabled(), threading.get_ident()


@pytest.mark.parametrize(("threads", "items", "share"), [(1, 5, 1), (2, 5, 1), (4, 1, 4), (5, 2, 2)])
@pytest.mark.parametrize("gradients", [True, False])
def test_each_item_has_its_share_of_the_threads(threads, items, share, gradients):
    torch.set_num_threads(threads)
    with torch.set_grad_enabled(gradients):
        found = side_by_side(settings, range(items), CPU)
    assert [row[0] for row in found] == list(range(items))
    assert {row[1:3] for row in found} == {(share, gradients)}
    assert torch.get_num_threads() == threads
    alone = side_by_side(settings, range(items), torch.device("meta"))
    assert {row[3] for row in alone} == {threading.get_ident()}, "a GPU has a stream of its own"
    with pytest.raises(ZeroDivisionError):
        side_by_side(lambda i: 1 / i, [1, 0, 2], CPU)
    assert torch.get_num_threads() == threads
    torch.set_num_threads(1)


def test_the_numbers_do_not_depend_on_the_number_of_threads():
    objective = Objective(make_model(hidden_size=64), make_examples(60), tokens_per_batch=100)
    found = []
    for threads in (3, 2, 1):
        torch.set_num_threads(threads)
        found.append(objective())
    assert found[0] == found[1] == found[2]


def test_tensors_are_the_same_to_rounding_in_their_dtype():
    for dtype, rounding in {torch.float32: 1e-5, torch.bfloat16: 2**-7}.items():
        one = torch.ones(3, dtype=dtype)
        assert same(one, one + rounding)
        assert not same(one, one + 4 * rounding)
        assert not same(one, one[:2]) and not same(one * torch.nan, one * torch.nan)
