"""What the tests of trainings share: no bars."""

import pytest


@pytest.fixture(autouse=True)
def quiet(monkeypatch):
    monkeypatch.setenv("LANDSCAPE_PROGRESS", "off")
