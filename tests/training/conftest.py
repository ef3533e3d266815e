"""What the tests of trainings share: no bars, and refusals of one line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from landscape_utils.errors import UserError


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv("LANDSCAPE_PROGRESS", "off")


@pytest.fixture
def refused():
    """A block that a `UserError` ends, of one line that can be printed and in which all these patterns are found."""

    @contextmanager
    def block(*patterns: str) -> Iterator[None]:
        with pytest.raises(UserError) as caught:
            yield
        line = str(caught.value)
        assert line.isprintable()
        for pattern in patterns:
            assert re.search(pattern, line), line

    return block
