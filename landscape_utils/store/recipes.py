"""Recipes: what a result depends on, as canonical JSON; its key; and names that are safe as file names."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import UserError

_PLAIN_NAME = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,79}")
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?")  # device names under Windows, in any folder


def canonical(value: Any, where: str = "recipe") -> Any:
    """`value` as plain JSON types: recipes that compare equal become the same.

    Taken are mappings with string keys, lists, tuples, numpy arrays and scalars, strings, numbers, booleans
    and None; 4.0 becomes 4. Raises `TypeError` for any other type, `UserError` for NaN and infinities.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        number = float(value)
        if not math.isfinite(number):
            raise UserError(f"{where} is {number}: a recipe holds finite numbers only")
        return int(number) if number.is_integer() else number
    if isinstance(value, Mapping):
        if wrong := [key for key in value if not isinstance(key, str)]:
            raise TypeError(f"{where} has the key {wrong[0]!r}: keys of a recipe are strings")
        return {key: canonical(value[key], f"{where}[{key!r}]") for key in sorted(value)}
    if isinstance(value, list | tuple):
        return [canonical(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return canonical(value.tolist(), where)
    raise TypeError(
        f"{where} is a {type(value).__name__}: a recipe holds strings, numbers, lists and mappings"
    )


def recipe_text(recipe: Mapping[str, Any]) -> str:
    """The canonical JSON text of a recipe, ASCII."""
    return json.dumps(canonical(recipe), sort_keys=True, separators=(",", ":"), allow_nan=False)


def recipe_key(recipe: Mapping[str, Any]) -> str:
    """16 hexadecimal digits of the SHA-256 of the canonical JSON of `recipe`."""
    return hashlib.sha256(recipe_text(recipe).encode()).hexdigest()[:16]


def safe_name(name: str) -> str:
    """`name` as one component of a path: itself if it is plain, else its plain part, `~` and a hash of it.

    Plain is short, of `a-z 0-9 _ . -`, not hidden and not a device name. Different names stay different,
    also on a disk that ignores case.
    """
    if _PLAIN_NAME.fullmatch(name) and not name.endswith(".") and not _RESERVED.fullmatch(name):
        return name
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower())[:40].strip("-")
    return f"{plain}~{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def in_words(value: Any, indent: str = "") -> list[str]:
    """The lines that show a canonical recipe to a reader; of a long list of numbers, its length and ends."""
    lines = []
    for key, item in value.items():
        if isinstance(item, dict) and item:
            lines += [f"{indent}{json.dumps(key)[1:-1]}:", *in_words(item, indent + "  ")]
        elif isinstance(item, list) and len(item) > 6 and all(isinstance(x, int | float) for x in item):
            lines.append(f"{indent}{json.dumps(key)[1:-1]}: {len(item)} numbers, {item[0]} to {item[-1]}")
        else:
            lines.append(f"{indent}{json.dumps(key)[1:-1]}: {json.dumps(item).strip(chr(34))}")
    return lines
