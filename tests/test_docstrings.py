"""The examples in the docstrings of the public names are run; what they are run with stands in `book/reference.md`."""

import doctest

import numpy as np
import pytest
from geometry import noise

import landscape_utils as lu

# These take files or a training: chapters 1 and 8 are their examples, and are run.
IN_CHAPTERS = {"Checkpoints", "Profile", "Task", "fine_tune", "in_order", "read_task"}


@pytest.mark.parametrize("name", sorted(set(lu.__all__) - IN_CHAPTERS))
def test_the_example_gives_what_it_says(name, model, examples):
    theta_0 = lu.ParameterSpace(model).read()
    names = {"lu": lu, "np": np, "model": model, "examples": examples, "theta_0": theta_0}
    names |= {"theta_1": theta_0 + 0.1 * noise(len(theta_0)), "study": lu.Study("minilm", device="none")}
    found = doctest.DocTestParser().get_doctest(getattr(lu, name).__doc__, names, name, None, None)
    assert found.examples
    result = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(found)
    assert result.failed == 0
