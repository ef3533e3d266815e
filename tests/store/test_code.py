"""The fingerprint of the code: it changes with what is computed, and not with comments, docstrings or layout."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest
from scan_process import Scan, row

from landscape_utils.store import code
from landscape_utils.store.code import code_of
from landscape_utils.store.store import Store

SOURCE = (Path(code.__file__).parents[1] / "engine" / "objective.py").read_text()


@pytest.fixture
def edit(monkeypatch):
    """Change the source of the objective, as if the program had been started with it."""

    def edited(source):
        monkeypatch.setitem(code._SOURCES, "engine.objective", source.encode())
        code_of.cache_clear()

    yield edited
    code_of.cache_clear()


def with_other_signs():
    """The source with one operator after another turned round: a - b is a + b, -a is a."""
    flips = {ast.Sub: ast.Add, ast.Add: ast.Sub, ast.USub: ast.UAdd}
    tree = ast.parse(SOURCE)
    for node in ast.walk(tree):
        op = getattr(node, "op", None)
        if type(op) in flips:
            node.op = flips[type(op)]()
            yield ast.unparse(tree)
            node.op = op


def test_it_changes_with_every_sign_in_the_objective_and_not_with_comments_docstrings_and_layout(edit):
    before = code_of("engine")
    said = re.sub(r'(\n *)"""(\w)', r'\1"""Otherwise. \2', SOURCE)
    assert said.count("Otherwise. ") > 10
    for other in (said.replace("\n    def ", "\n\n    # why\n    def "), ast.unparse(ast.parse(SOURCE))):
        edit(other)
        assert code_of("engine") == before
    found = [before]
    for other in with_other_signs():
        edit(other)
        found.append(code_of("engine"))
    assert len(set(found)) == len(found) > 5


def test_it_is_of_the_parts_that_are_named(edit):
    choices = ("engine",), ("landscape",), ("engine.space",), ("engine", "landscape")
    before = [code_of(*parts) for parts in choices]
    assert code_of("landscape", "engine") == before[3]
    edit(next(with_other_signs()))
    changed = [code_of(*parts) != was for parts, was in zip(choices, before, strict=True)]
    assert changed == [True, False, False, True]
    rest = code_of("engine", without=("engine.objective",))
    edit(SOURCE)
    assert code_of("engine", without=("engine.objective",)) == rest != before[0]
    for wrong in ({"without": ("engin",)}, {}):
        with pytest.raises(ValueError, match="no part 'engin'"):
            code_of("engine" if wrong else "engin", **wrong)


def test_a_file_that_is_edited_while_the_program_runs_does_not_count(monkeypatch):
    before = code_of("engine")
    code_of.cache_clear()
    monkeypatch.setattr(Path, "read_bytes", lambda path: b"1")
    assert code_of("engine") == before


def test_no_stale_result_loads_as_current(edit, tmp_path):
    """After a change of sign in the objective: computed anew, served as an earlier one where nothing is computed."""
    store, reading = Store(tmp_path), Store(tmp_path, read_only=True)
    key, begun = ("curves", "mrpc", {"task": "mrpc"}), ("curves", "rte", {})
    first = code_of("engine", "landscape")
    store.compute(*key, lambda journal: {"loss": np.ones(1)}, code=first)
    with pytest.raises(ZeroDivisionError):
        store.compute(*begun, lambda journal: journal.update({0: row(0)}) or 1 / 0, code=first)
    assert store.load(*key, first).arrays["loss"] == 1
    edit(next(with_other_signs()))
    now = code_of("engine", "landscape")
    assert store.load(*key, now) is None
    assert [reading.load(*key, now).made_by(code) for code in (first, now)] == [True, False]
    assert [entry.state for entry in store.verify(lambda result: now)] == ["earlier", "unfinished"]
    again = store.compute(*key, lambda journal: {"loss": -np.ones(1)}, code=now)
    assert (again.arrays["loss"], again.meta["code"]) == (-1, now)
    scan = Scan()
    store.compute(*begun, scan, code=now)
    assert len(scan.computed) == scan.points, "what was begun is not gone on with"
