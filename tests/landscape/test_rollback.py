"""Rollbacks against one model at a time, its layers set by name."""

import copy

import numpy as np
import pytest
import torch
from geometry import noise, with_layers
from networks import make_examples, make_model, plain_outcomes

from landscape_utils.engine.objective import Objective
from landscape_utils.engine.space import Line, ParameterSpace, layer_groups
from landscape_utils.errors import UserError
from landscape_utils.landscape.rollback import Rollback, roll_back, roll_back_together, sets_of_layers
from landscape_utils.landscape.scan import scan

AXIS = np.array([-1.0, -0.5, 0.0])


@pytest.fixture(scope="module")
def case():
    """A model, a theta_0 so far from its weights that no two groups cost as much, its weights, examples."""
    model = make_model()
    theta = ParameterSpace(model).read()
    return model, theta + 0.6 * noise(len(theta)), theta, make_examples(24)


def test_cube_is_the_accuracy_with_the_layers_set_and_its_edges_are_the_rollbacks(case):
    model, theta_0, theta_1, examples = case
    objective, journal = Objective(model, examples), {}
    given = (objective, theta_0, theta_1, AXIS, journal)
    cube = roll_back_together(*given)
    for index in np.ndindex(cube.shape):
        moved = theta_1
        for layer, i in enumerate(index):  # three layers, one in each group
            moved = with_layers(model, [layer], moved, theta_0, -AXIS[i])
        assert cube[index] == pytest.approx(1 - plain_outcomes(model, moved, examples)[1].mean())
    assert len(np.unique(cube)) > 3
    alone = roll_back(*case)
    assert cube[2, 2, 2] == alone.fine_tuned
    assert [cube[0, 2, 2], cube[2, 0, 2], cube[2, 2, 0]] == list(alone.groups.values())
    del journal[1]
    assert np.array_equal(roll_back_together(*given), cube)
    only_low = theta_0 + ParameterSpace(model).restrict(theta_1 - theta_0, layer_groups(model)["low"])
    cube = roll_back_together(objective, theta_0, only_low, AXIS[::2], {})
    assert (cube == cube[:, :1, :1]).all()  # a group that did not move costs nothing
    assert cube[0, 0, 0] == roll_back(model, theta_0, only_low, examples).groups["low"]


def test_outcomes_are_those_of_each_example_with_the_layers_set(case):
    """In order of length, as the objective has them; float32 against float64: 1e-5 in the loss."""
    model, theta_0, theta_1, examples = case
    found = roll_back(*case, random_sets=2)
    assert torch.equal(ParameterSpace(model).read(), theta_1)
    by_length = sorted(examples, key=lambda example: len(example["input_ids"]))
    sets = [(), (0,), (1,), (2,), *map(tuple, found.random_sets.tolist())]
    for loss, correct, layers in zip(found.loss, found.correct, sets, strict=True):
        expected = plain_outcomes(model, with_layers(model, layers, theta_1, theta_0), by_length)
        np.testing.assert_allclose([loss, ~correct], expected, atol=1e-5)
    accuracy = found.correct.mean(axis=1)
    assert [found.fine_tuned, *found.groups.values()] == pytest.approx(accuracy[:4])
    assert len(set(accuracy[:4])) == 4
    stderr = found.correct[:4].std(axis=1, ddof=1) / np.sqrt(24)
    assert [found.fine_tuned_stderr, *found.stderr.values()] == pytest.approx(stderr)
    for i, moved in enumerate(found.moved.values()):
        way = with_layers(model, [i], theta_1, theta_0) - theta_1
        assert moved == pytest.approx(float(way.norm()), rel=1e-5)
    arrays = found.arrays()
    np.testing.assert_equal(Rollback.from_arrays(arrays).arrays(), arrays)
    earlier = Rollback.from_arrays({name: arrays[name] for name in arrays if arrays[name].shape[1:] != (24,)})
    assert (earlier.groups, earlier.correct.size, earlier.loss.size) == (found.groups, 0, 0)


def test_weights_of_another_size_are_refused(case):
    model, theta_0, theta_1, examples = case
    for name, pair in {"theta_0": (theta_0[:5], theta_1), "theta_1": (theta_0, theta_1[:5])}.items():
        with pytest.raises(UserError, match=rf"{name} must be .* \({len(theta_0)},\), .* got .*\(5,\)"):
            roll_back(model, *pair, examples)


def test_random_sets_are_different_and_always_the_same():
    for (layers, size, count), expected in {(6, 2, 8): 8, (6, 2, 20): 15, (3, 1, 8): 3}.items():
        sets = sets_of_layers(layers, size, count)
        assert len(set(sets)) == len(sets) == expected
        assert all(len(set(one)) == size and max(one) < layers for one in sets)
        assert sets == sets_of_layers(layers, size, count)


def test_a_narrow_model_is_rolled_back_as_it_is_scanned(case):
    """In float32, into which its weights are widened: f(-1, 0) of section 7 on the same examples, to the bit."""
    model, theta_0, theta_1, examples = case
    narrow = copy.deepcopy(model).bfloat16()
    space, objective = ParameterSpace(narrow), Objective(narrow, examples)
    found = roll_back(narrow, theta_0, theta_1, examples)
    for group, names in layer_groups(narrow).items():
        line = Line(theta_1, space.restrict(theta_1 - theta_0, names))
        assert found.groups[group] == 1 - scan(objective, line, [-1.0], marks={}).error[0]
