"""Profiles: everything a study depends on, checked before any work starts.

A profile is a TOML file: the built-in ones lie in this folder, a user's own may lie anywhere. It holds the
hyper-parameters of section 4 of the paper, the grid of sections 3.1 and 3.2 and the sample of examples for surfaces.
"""

import re
import reprlib
import tomllib
from collections.abc import Iterable
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import ValidationError

from ..errors import UserError
from .profile import Profile, among

BUILTIN = Path(__file__).parent


def builtin_profiles() -> tuple[str, ...]:
    """The names of the profiles that come with the package."""
    return tuple(sorted(path.stem for path in BUILTIN.glob("*.toml")))


# What a notebook's parameter sets in the profile.
OVERRIDES: dict[str, tuple[tuple[str, ...], ...]] = {
    "tasks": (("chosen",),),
    "seed": (("seeds",),),
    "resolution": (("grid", "resolution"), ("grid", "curve_resolution")),
    "span": (("grid", "span"),),
    "examples": (("sample", "train"), ("sample", "dev")),
    "data_dir": (("data_dir",),),
}


def load_profile(profile: str | Path | Profile, **overrides: Any) -> Profile:
    """A built-in profile by name, a TOML file by path, or a profile at hand, with `overrides` put in.

    Overrides: `tasks` ("all", "mrpc,rte" or a list), `seed`, `resolution`, `span`, `examples` (of each
    split), `data_dir`. As the profile says: None, "" for `data_dir`, 0 for the others; but 0 is a seed.
    Raises UserError, one line, for a profile, a field, a value or a task that is not known.

    >>> lu.load_profile("demo", tasks="mrpc", resolution=11).grid.resolution
    11
    """
    changes = {name: value for name, raw in overrides.items() if (value := _field(name, raw)) is not None}
    base = profile if isinstance(profile, Profile) else _read(profile)
    if not changes:
        return base
    table = base.model_dump()
    for name, value in changes.items():
        for *folder, leaf in OVERRIDES[name]:
            reduce(dict.__getitem__, folder, table)[leaf] = value
    if "seed" in changes:  # a training that was asked for by its seed has its surfaces, and stands alone
        table |= {"surface_seeds": [], "extra_seeds": []}
    try:
        return Profile.model_validate(table)
    except ValidationError as error:
        raise UserError(_one_line(error, base.name, changes)) from None


def _read(profile: str | Path) -> Profile:
    """A built-in profile, or one in a TOML file."""
    if not isinstance(profile, str | Path):
        raise UserError(f"profile must be a name or the path of a TOML file; got {type(profile).__name__}")
    path = BUILTIN / f"{profile}.toml" if str(profile) in builtin_profiles() else Path(profile)
    if path.suffix != ".toml":
        known = among(str(profile), builtin_profiles())
        raise UserError(f"unknown profile {str(profile)!r}{known}; a path to a .toml file works too")
    try:
        table = tomllib.loads(path.read_text("utf-8-sig"))
        return Profile.model_validate({"name": path.stem} | table, context={"folder": path.parent})
    except OSError as error:
        raise UserError(f"profile {str(path)!r} cannot be read: {error.strerror}") from None
    except ValidationError as error:
        raise UserError(_one_line(error, str(profile))) from None
    except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, or brackets without end
        raise UserError(f"profile {str(path)!r} is no TOML file: {' '.join(str(error).split())}") from None


def _field(parameter: str, value: Any) -> Any:
    """A parameter's value as the profile holds it; None: as the profile says."""
    if parameter not in OVERRIDES:
        raise UserError(f"unknown parameter {parameter!r}{among(parameter, OVERRIDES)}")
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if value is None:
        return None
    if parameter == "seed":
        return [value]
    if parameter == "tasks":
        if isinstance(value, str):
            return None if value.strip().lower() == "all" else [name.strip() for name in value.split(",")]
        if not value:
            raise UserError(f'tasks = {value!r} names none: give the names of some, or "all"')
        return list(value) if isinstance(value, tuple) else value
    value = str(value) if isinstance(value, Path) else value
    unset = "" if parameter == "data_dir" else 0
    return None if value == unset and type(value) is not bool else value


def _one_line(error: ValidationError, label: str, changes: Iterable[str] = ()) -> str:
    """The first mistake of a profile in one line, under the name by which its maker knows the value."""
    first, *further = error.errors()
    place = tuple(first["loc"])
    if str(place[-1:]).startswith("('constrained-"):  # one of several types
        place = place[:-1]
        others = [
            other["msg"].removeprefix("Input should be ") for other in further if other["loc"][:-1] == place
        ]
        first["msg"] = " or ".join([first["msg"], *others])
    where = ".".join(str(step) if str(step).isidentifier() else repr(step) for step in place)
    for name in changes:
        if any(place[: len(target)] == target for target in OVERRIDES[name]):
            where = name
    message = re.sub(r"^(Input|String) should", "should", first["msg"].removeprefix("Value error, "))
    if first["type"] == "missing":
        message, shown = "is missing", where
    elif first["type"] == "value_error":
        shown = f"{where}:" if where else ""
    else:
        shown = f"{where} = {reprlib.repr(first['input'])}"
    return " ".join(f"profile {label!r}: {shown} {message}".split())
