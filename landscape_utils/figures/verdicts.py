"""The ladder under its old name, by_run[heading][name of the claim]."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from ..claims.evidence import Claim
from .ladder import ladder


def verdicts(by_run: Mapping[str, Mapping[str, Claim]]) -> Figure:
    """See `ladder`."""
    return ladder({heading: list(claims.values()) for heading, claims in by_run.items()})
