"""The name of a loss: the same for the same loss, another one for any other."""

from functools import partial

import pytest
import torch
from torch.nn import functional as F

from landscape_utils.engine.losses import cross_entropy
from landscape_utils.errors import UserError
from landscape_utils.study.loss_name import name_of


def of_a_users_own(by):
    """A loss as a partial, a module, a callable and a method, which pickle tells by their names alone."""

    def focal(logits, labels, gamma):
        return by * (1 - logits.softmax(1)[:, 0]) ** gamma

    class Focal(torch.nn.Module):
        def forward(self, logits, labels):
            return focal(logits, labels, 2)

    class Callable:
        def __call__(self, logits, labels):
            return focal(logits, labels, 2)

        def loss(self, logits, labels):
            return focal(logits, labels, 2)

    return partial(focal, gamma=2), Focal(), Callable(), Callable().loss


class Circle:
    def __init__(self):
        self.call = self.focal

    def focal(self, logits, labels):
        return logits.sum(1)


def test_the_name_of_a_loss_tells_what_it_does():
    """By its code and what the code holds; written twice the same, it is the same."""

    def smoothed(by):
        return lambda logits, labels: F.cross_entropy(logits, labels, reduction="none", label_smoothing=by)

    def losses():
        weights = [torch.tensor([1.0, 2.0, w]) for w in (3.0, 4.0)]
        return [
            lambda logits, labels: logits.sum(1),
            lambda logits, labels: logits.mean(1),  # another method
            lambda logits, labels: logits.sum(0),  # another argument
            lambda logits, labels: 2 * logits.sum(1),  # another constant
            smoothed(0.1),
            smoothed(0.2),  # another closure
            torch.nn.CrossEntropyLoss(weights[0], reduction="none"),
            torch.nn.CrossEntropyLoss(weights[1], reduction="none"),  # other weights
            partial(F.cross_entropy, reduction="none", weight=weights[0]),
        ]

    assert name_of(cross_entropy) == "cross_entropy"
    assert len({name_of(loss) for by in (1.0, 2.0) for loss in of_a_users_own(by)}) == 2 * len(
        of_a_users_own(1.0)
    )
    assert name_of(partial(F.cross_entropy, reduction="none")).startswith("partial-")
    once, again = losses(), losses()  # both alive: no address is that of another
    names = {name_of(loss) for loss in once}
    assert len(names) == len(once)
    assert names == {name_of(loss) for loss in again}
    with pytest.raises(UserError, match="cannot be told from another"):
        name_of(partial(F.cross_entropy, weight=(i for i in range(3))))
    with pytest.raises(UserError, match="cannot be told from another"):
        name_of(Circle())

    def holding(numbers):
        return lambda logits, labels: logits.sum(1) * len(numbers)

    both = {0, 8}, {8, 0}  # one set, gone through in two orders
    assert list(both[0]) != list(both[1])
    assert name_of(holding(both[0])) == name_of(holding(both[1]))
