"""The house: parts that import only what lies below them (see also the contracts in `pyproject.toml`)."""

import subprocess
import sys
from functools import cache

import grimp

FLOORS = 12  # whoever reads a module from the ground up has so many to read at most


def test_the_package_has_few_floors():
    graph = grimp.build_graph("landscape_utils", exclude_type_checking_imports=False)

    @cache
    def floor(module: str) -> int:  # a circle would not end: a contract forbids it
        return 1 + max(map(floor, graph.find_modules_directly_imported_by(module)), default=0)

    assert max(map(floor, graph.modules)) <= FLOORS


def test_no_public_name_needs_what_takes_seconds_to_import():
    """What a study may never ask for: networks and their training, statistics, figures, tables."""
    slow = "transformers.modeling_utils transformers.trainer scipy.stats scipy.interpolate matplotlib pandas datasets"
    names = "[getattr(lu, name) for name in lu.__all__]"
    told = f"import sys, landscape_utils as lu; {names}; print(*sys.modules.keys() & set('{slow}'.split()))"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout == "\n"
