"""The examples in the docstrings of the public names are run; what they are run with stands in `book/reference.md`."""

import doctest

import numpy as np
import pytest
from geometry import noise
from networks import make_examples, make_model

import landscape_utils as lu

# These take files or a training: chapters 1 and 8 are their examples, and are run.
IN_CHAPTERS = {"Checkpoints", "Profile", "Task", "fine_tune", "in_order", "read_task"}


@pytest.fixture(scope="module")
def names():
    model = make_model()
    theta_0 = lu.ParameterSpace(model).read()
    known = {"lu": lu, "np": np, "model": model, "examples": make_examples(), "theta_0": theta_0}
    return known | {
        "theta_1": theta_0 + 0.1 * noise(len(theta_0)),
        "study": lu.Study("minilm", device="none"),
    }


@pytest.mark.parametrize("name", sorted(set(lu.__all__) - IN_CHAPTERS))
def test_the_example_gives_what_it_says(name, names):
    text = getattr(lu, name).__doc__
    found = doctest.DocTestParser().get_doctest(text, dict(names), name, None, None)
    assert found.examples
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(found)
    assert result.failed == 0
