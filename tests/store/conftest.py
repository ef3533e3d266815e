"""A quick disk."""

import os
import tempfile
from pathlib import Path

import pytest


@pytest.fixture
def memory():
    """A folder in memory, where there is such a disk: many files are laid out in it, and none is to last."""
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.access("/dev/shm", os.W_OK) else None) as folder:
        yield Path(folder)
