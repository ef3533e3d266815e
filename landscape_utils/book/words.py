"""The words in which findings are told: they stand in TOML files beside this one."""

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..claims.evidence import listed


def words_of(name: str) -> dict[str, Any]:
    """What a TOML file beside this one says."""
    return tomllib.loads(Path(__file__).with_name(name).read_text("utf-8"))


PHRASES = words_of("findings.toml")
CONCLUSION = words_of("conclusion.toml")
THEMES, OUTCOMES, SPOKEN = (CONCLUSION[key] for key in ("theme", "outcome", "word"))


def counted(outcomes: Sequence[str]) -> str:
    """How many sentences have which outcome: "3 hold and 1 is undecided"."""
    return listed([so_many(kind, outcomes, OUTCOMES) for kind in OUTCOMES if kind in outcomes])


def so_many(kind: str, found: Sequence[str], words: dict[str, dict[str, str]]) -> str:
    """How many are of a kind: "1 holds", "3 hold"."""
    count = found.count(kind)
    return f"{count} {words[kind]['one' if count == 1 else 'many']}"


def all_of(count: int) -> str:
    """ "Both" of two, "All 3" of more."""
    return "Both" if count == 2 else f"All {count}"


def unanimous(outcome: str, count: int) -> str:
    """What is said where all sentences have one outcome: "All 3 ... hold", "None of the 3 ... holds"."""
    if count == 1:
        return f"The one sentence on it {OUTCOMES[outcome]['one']}."
    words = OUTCOMES[outcome]
    if "none" not in words:
        return f"{all_of(count)} sentences on it {words['many']}."
    none = "Neither of the two" if count == 2 else f"None of the {count}"
    return f"{none} sentences on it {words['none']}."
