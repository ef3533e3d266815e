"""The claims, as `claims.toml` tells them, and `weigh`, which puts them to a study.

One claim for each sentence of the paper. Its first measure decides. The others say how far the verdict carries: in
another unit, for another loss, against what chance alone would give. A new claim is a new part of `claims.toml`; if it
needs a number that none of the modules below reads yet, it is also a new function there.
"""

from collections.abc import Sequence
from typing import Any

from . import layers, surfaces, trainings
from .evidence import TOLD, Claim
from .measure import SIDES, Measure, Subject

MODULES = {"trainings": trainings, "surfaces": surfaces, "layers": layers}


def measure(
    read: str, what: str, effect: str, sides: Sequence[str], only: Sequence[str] = (), **arguments: Any
) -> Measure:
    """A measure in the words of `claims.toml`, where {name} stands for the argument of that name."""
    module, function = read.split(".")
    what, effect = (text.format(**arguments) for text in (what, effect))
    return Measure(what, effect, getattr(MODULES[module], function), tuple(sides), only, arguments)


def measures(told: list[dict[str, Any]]) -> list[Measure]:
    """The measures of one claim; `what` and `sides` of the first hold for the others unless they have their own."""
    shared = {"what": told[0]["what"], "sides": told[0].get("sides", SIDES)}
    return [measure(**shared | each) for each in told]


# The measure that decides a claim, and then those that stand beside it.
CLAIMS: dict[str, list[Measure]] = {name: measures(told) for name, told in TOLD["measures"].items()}


def weigh(study: Subject, *names: str) -> list[Claim]:
    """The claims of the given names, all by default, weighed on a study; what it lacks is computed first."""
    return [
        Claim(
            name=name,
            **TOLD["claims"][name],
            primary=CLAIMS[name][0](study),
            carries=tuple(measure(study) for measure in CLAIMS[name][1:]),
            printed=layers.printed(CLAIMS[name][0]),
        )
        for name in names or CLAIMS
    ]
