"""What the environment is made from: one list, all of it pinned."""

from __future__ import annotations

import tomllib
from importlib.metadata import distributions

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from landscape_utils.places import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINS = [
    Requirement(line) for line in (ROOT / "constraints.txt").read_text().splitlines() if line[:1] not in "#"
]


def test_every_dependency_is_pinned_within_its_range():
    extras = PROJECT["optional-dependencies"]
    wanted = [
        Requirement(line) for name in ("book", "curvature", "lab", "test", "cluster") for line in extras[name]
    ]
    for dependency in [*map(Requirement, PROJECT["dependencies"]), *wanted]:
        pins = [pin for pin in PINS if canonicalize_name(pin.name) == canonicalize_name(dependency.name)]
        assert pins, f"{dependency} is not pinned: make lock"
        assert all(dependency.specifier.contains(next(iter(pin.specifier)).version) for pin in pins), (
            dependency
        )


def test_what_is_installed_is_what_is_pinned():
    pinned = {canonicalize_name(pin.name): pin for pin in PINS if pin.marker is None or pin.marker.evaluate()}
    for found in distributions():
        pin = pinned.get(canonicalize_name(found.name))
        assert pin is None or pin.specifier.contains(found.version), f"{pin}, installed {found.version}"


def test_conda_installs_the_same_list():
    steps = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"][-1]["pip"]
    assert steps == ["-c constraints.txt", "-e .[book,curvature,lab,test]"]
