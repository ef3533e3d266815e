"""The house: parts that import only what lies below them (see also the contracts in `pyproject.toml`)."""

from functools import cache

import grimp

FLOORS = 12  # whoever reads a module from the ground up has so many to read at most


def test_the_package_has_few_floors():
    graph = grimp.build_graph("landscape_utils", exclude_type_checking_imports=False)

    @cache
    def floor(module: str) -> int:  # a circle would not end: a contract forbids it
        return 1 + max(map(floor, graph.find_modules_directly_imported_by(module)), default=0)

    assert max(map(floor, graph.modules)) <= FLOORS
