"""Recipes: what a result depends on, as canonical JSON; its key; and names that are safe as file names."""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import UserError

_PLAIN_NAME = re.compile(r"[a-z0-9_][a-z0-9_.-]{0,79}")


def canonical(value: Any, where: str = "recipe") -> Any:
    """`value` as plain JSON types: recipes that compare equal become the same, as 4.0 becomes 4.

    Raises `TypeError` for what is neither JSON nor a numeric numpy array, `UserError` for NaN and infinities.
    """
    try:
        text = json.dumps(value, default=_plain, sort_keys=True, allow_nan=False)
    except TypeError as error:
        raise TypeError(f"{where}: {error}") from None
    except ValueError:
        raise UserError(f"{where} holds a number that is not finite: {value!s:.200}") from None
    return json.loads(text, parse_float=_number)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biuf":
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is none of string, number, list and mapping")


def _number(text: str) -> int | float:
    number = float(text)
    return int(number) if number.is_integer() else number


def recipe_key(recipe: Mapping[str, Any]) -> str:
    """16 hexadecimal digits of the SHA-256 of the canonical JSON of `recipe`, ASCII."""
    text = json.dumps(canonical(recipe), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def safe_name(name: str) -> str:
    """`name` as one component of a path: itself if it is plain, else its plain part, `~` and a hash of it.

    Plain is short, of `a-z 0-9 _ . -` and not hidden. Different names stay different, also on a disk that
    ignores case.
    """
    if _PLAIN_NAME.fullmatch(name):
        return name
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower())[:40].strip("-")
    return f"{plain}~{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"
