"""The claims, as `claims.toml` tells them, and `weigh`, which puts them to a study.

One claim for each sentence of the paper. Its first measure decides. The others say how far the verdict carries: in
another unit, for another loss, against what chance alone would give. A new claim is a new part of `claims.toml`; if it
needs a number that none of the modules below reads yet, it is also a new function there.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from . import layers, surfaces, trainings
from .evidence import TOLD, Claim, Measured
from .measure import SIDES, Measure, Subject

MODULES = {"trainings": trainings, "surfaces": surfaces, "layers": layers}


class Measures(NamedTuple):
    """The measure that decides a claim, those that stand beside it, and the first on what the paper prints."""

    primary: Measure
    carries: list[Measure]
    printed: Measured | None


def measure(
    read: str, what: str, effect: str, sides: Sequence[str], only: Sequence[str] = (), **arguments: Any
) -> Measure:
    """A measure in the words of `claims.toml`, where {name} stands for the argument of that name."""
    module, function = read.split(".")
    what, effect = (text.format(**arguments) for text in (what, effect))
    return Measure(what, effect, getattr(MODULES[module], function), tuple(sides), only, arguments)


def measures(told: list[dict[str, Any]]) -> Measures:
    """The measures of one claim; `what` and `sides` of the first hold for the others unless they have their own."""
    shared = {"what": told[0]["what"], "sides": told[0].get("sides", SIDES)}
    primary, *carries = (measure(**shared | each) for each in told)
    return Measures(primary, carries, layers.printed(primary))


CLAIMS: dict[str, Measures] = {name: measures(told) for name, told in TOLD["measures"].items()}


def weigh(study: Subject, *names: str) -> list[Claim]:
    """The claims of the given names, all by default, weighed on a study; what it lacks is computed first."""
    return [
        Claim(
            name=name,
            **TOLD["claims"][name],
            primary=CLAIMS[name].primary(study),
            carries=tuple(measure(study) for measure in CLAIMS[name].carries),
            printed=CLAIMS[name].printed,
        )
        for name in names or CLAIMS
    ]


def expected_by_chance(claims: list[Claim]) -> float:
    """How many verdicts so many claims would have if there were no effect anywhere."""
    return sum(claim.primary.chance for claim in claims)
