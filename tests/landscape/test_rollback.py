"""Rollbacks against one model at a time, its layers set by name."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from networks import make_examples, make_model

from landscape_utils.engine.space import ParameterSpace
from landscape_utils.errors import UserError
from landscape_utils.landscape.rollback import Rollback, roll_back, roll_back_together, sets_of_layers

AXIS = np.array([-1.0, -0.5, 0.0])


def start_of(model: torch.nn.Module) -> torch.Tensor:
    """A theta_0 far enough from the model's weights for the answers to change on the way."""
    theta = ParameterSpace(model).read()
    return theta + 0.3 * torch.randn(theta.shape, generator=torch.Generator().manual_seed(1))


def test_cube_is_the_accuracy_of_the_model_with_its_layers_set():
    model, examples = make_model(), make_examples(24)
    space = ParameterSpace(model)
    theta_1, theta_0 = space.read(), start_of(model)
    cube = roll_back_together(model, theta_0, theta_1, examples, AXIS, {})
    for index in np.ndindex(cube.shape):
        twin = copy.deepcopy(model).eval()
        moved = theta_1.clone()
        for layer, i in enumerate(index):  # three layers, one in each group
            for name in space.names:
                if f"layer.{layer}." in name:
                    part = space.slices[name]
                    moved[part] += float(AXIS[i]) * (theta_1 - theta_0)[part]
        ParameterSpace(twin).write(moved)
        with torch.no_grad():
            right = [
                int(twin(**{k: torch.tensor([v]) for k, v in e.items() if k != "labels"}).logits.argmax())
                == e["labels"]
                for e in examples
            ]
        assert round(24 * cube[index], 9) == sum(right)
    assert len(np.unique(cube)) > 3


def test_its_edges_are_the_rollbacks_and_a_journal_goes_on():
    model, examples = make_model(), make_examples(24)
    theta_1, theta_0 = ParameterSpace(model).read(), start_of(model)
    journal: dict[int, np.ndarray] = {}
    cube = roll_back_together(model, theta_0, theta_1, examples, AXIS, journal)
    alone = roll_back(model, theta_0, theta_1, examples)
    assert cube[2, 2, 2] == alone.fine_tuned
    assert [cube[0, 2, 2], cube[2, 0, 2], cube[2, 2, 0]] == list(alone.groups.values())
    del journal[1]
    assert np.array_equal(roll_back_together(model, theta_0, theta_1, examples, AXIS, journal), cube)


def test_weights_of_another_size_are_refused():
    model, examples = make_model(), make_examples(4)
    theta = ParameterSpace(model).read()
    for name, pair in {"theta_0": (theta[:5], theta), "theta_1": (theta, theta[:5])}.items():
        with pytest.raises(
            UserError, match=rf"{name} must be a tensor of shape \({len(theta)},\), .* got \(5,\)"
        ):
            roll_back(model, *pair, examples)


def test_outcomes_are_those_of_each_example_with_the_layers_set():
    """In order of length, as the objective has them; float32 against float32: 1e-5 in the loss."""
    model, examples = make_model(), make_examples(24)
    space = ParameterSpace(model)
    theta_1, theta_0 = space.read(), start_of(model)
    found = roll_back(model, theta_0, theta_1, examples, random_sets=2)
    assert torch.equal(space.read(), theta_1)
    examples = sorted(examples, key=lambda example: len(example["input_ids"]))
    sets = [(), (0,), (1,), (2,), *map(tuple, found.random_sets.tolist())]
    for row, layers in enumerate(sets):
        twin = copy.deepcopy(model).eval()
        moved = theta_1.clone()
        for name in space.names:
            if any(f"layer.{i}." in name for i in layers):
                moved[space.slices[name]] = theta_0[space.slices[name]]
        ParameterSpace(twin).write(moved)
        with torch.no_grad():
            logits = [
                twin(**{k: torch.tensor([v]) for k, v in e.items() if k != "labels"}).logits for e in examples
            ]
        labels = torch.tensor([e["labels"] for e in examples])
        losses = torch.nn.functional.cross_entropy(torch.cat(logits), labels, reduction="none")
        np.testing.assert_allclose(found.loss[row], losses, atol=1e-5)
        np.testing.assert_array_equal(found.correct[row], torch.cat(logits).argmax(1) == labels)
    accuracy = found.correct.mean(axis=1)
    assert [found.fine_tuned, *found.groups.values()] == pytest.approx(accuracy[:4])
    assert found.stderr["high"] == pytest.approx(found.correct[3].std(ddof=1) / np.sqrt(24))
    back = Rollback.from_arrays(found.arrays())
    assert all(np.array_equal(back.arrays()[name], array) for name, array in found.arrays().items())


def test_results_of_an_earlier_version_can_be_read():
    found = roll_back(
        make_model(), start_of(make_model()), ParameterSpace(make_model()).read(), make_examples(6)
    )
    kept = {n: a for n, a in found.arrays().items() if n not in ("loss", "correct", "random_sets")}
    earlier = Rollback.from_arrays(kept)
    assert (earlier.groups, earlier.correct.size, earlier.loss.size) == (found.groups, 0, 0)


@pytest.mark.parametrize(
    ("layers", "size", "count", "expected"), [(6, 2, 8, 8), (6, 2, 20, 15), (3, 1, 8, 3)]
)
def test_random_sets_are_different_and_always_the_same(layers, size, count, expected):
    sets = sets_of_layers(layers, size, count)
    assert len(set(sets)) == len(sets) == expected
    assert all(len(set(one)) == size and max(one) < layers for one in sets)
    assert sets == sets_of_layers(layers, size, count)
