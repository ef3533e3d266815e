"""Recipes: the key changes with what changes the numbers and with nothing else; names stay in their folder."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from landscape_utils.errors import UserError
from landscape_utils.store.recipes import canonical, recipe_key, safe_name

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
LEAVES = st.none() | st.booleans() | st.integers() | FLOATS | st.text()
TREES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


@given(st.dictionaries(st.text(), TREES))
def test_a_recipe_survives_its_own_json(recipe):
    assert canonical(json.loads(json.dumps(canonical(recipe)))) == canonical(recipe)


def test_what_is_equal_in_numbers_is_equal_in_key():
    for equal in (4, 4.0, np.float32(4), np.int8(4), np.array(4)):
        assert recipe_key({"span": equal}) == recipe_key({"span": 4})
    assert recipe_key({"x": np.linspace(0, 1, 3)}) == recipe_key({"x": [0, 0.5, 1.0]})
    assert recipe_key({"x": -0.0, "on": np.bool_(True)}) == recipe_key({"on": True, "x": 0})
    assert recipe_key({"x": 1}) != recipe_key({"x": True})  # a switch is no number
    assert recipe_key({"x": np.float32(0.1)}) != recipe_key({"x": 0.1})  # other numbers come of it
    assert recipe_key({"x": 2**53 + 1}) != recipe_key({"x": 2.0**53})


INFINITE = [float("nan"), float("inf"), np.float64("-inf"), np.array([1.0, np.nan])]
OTHERS = [{1, 2}, Path("x"), b"x", 1j, object(), np.datetime64("2020"), np.array(["x"])]


@pytest.mark.parametrize(
    ("bad", "error", "message"),
    [(bad, UserError, r"recipe holds a number that is not finite: .*span.*") for bad in INFINITE]
    + [(bad, TypeError, r"recipe: \w+ is none of string, number, list and mapping") for bad in OTHERS],
)
def test_what_is_not_finite_and_other_types_are_refused_in_one_line(bad, error, message):
    with pytest.raises(error, match=f"^{message}$"):
        recipe_key({"grid": {"span": [bad]}})


PATHS = ". .. ../../x a/b a\\b /etc/passwd ~ ~root -rf naïve 数据 .hidden MRPC Mrpc %2e%2e a:b"


@given(st.sets(st.text() | st.text(alphabet="./\\:~- ABab\0")))
@example({*PATHS.split(), "", "a" * 500, "x\0y", "a\nb", " ", "mrpc ", "\ud800"})
def test_any_name_becomes_a_component_of_its_own_where_case_is_ignored(names):
    safe = {safe_name(name) for name in names}
    assert len(safe) == len(names)
    for name in safe:
        assert re.fullmatch(r"[a-z0-9_~-][a-z0-9_.~-]{0,79}", name)
