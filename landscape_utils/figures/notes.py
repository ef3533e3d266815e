"""The small print of figures: what a caption owes its reader."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from ..landscape.scan import Curve
from .style import how_name

NOT_LEARNED = "at most 2 points above always naming the largest class"  # what `Run.learned` denies


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def either(values: Iterable[Any]) -> str:
    """ "128" or "128 or 256": what is the same for all is said once."""
    return " or ".join(map(str, sorted(set(values))))


def scan_note(scans: Mapping[str, Mapping[str, Curve]], value: str = "loss") -> str:
    """Of scans[heading][name]: how they were measured, and which trainings had learned nothing."""
    return sample_note(leaves(scans), value) + stayed(scans)


def stayed(trained: Mapping[str, Mapping[str, Any]]) -> str:
    """Which of trained[heading][name], one or a list of several seeds, had learned nothing, and how many of several."""
    failed = []
    for heading, by_name in trained.items():
        for name, found in by_name.items():
            of = found if isinstance(found, Sequence) else [found]
            count = sum(not one.learned for one in of)
            many = f" ({count} of {len(of)})" if len(of) > 1 else ""
            failed += [f"{heading} {how_name(name)}{many}"] * (count > 0)
    if not failed:
        return ""
    return f" Hardly learned (on the dev set {NOT_LEARNED}): {', '.join(failed)}."


def leaves(nested: Mapping[str, Mapping[str, Any]]) -> list[Any]:
    return [leaf for row in nested.values() for leaf in row.values()]


def sample_note(scans: Sequence[Curve], value: str = "loss") -> str:
    """Examples, points, precision, largest standard error, non-finite cells."""
    examples = either(scan.examples for scan in scans)
    stderr = np.concatenate([getattr(scan, f"{value}_stderr").ravel() for scan in scans])
    largest = stderr[np.isfinite(stderr)].max(initial=0.0)
    points = either(" x ".join(map(str, scan.loss.shape)) for scan in scans)
    bad = sum(np.count_nonzero(~np.isfinite(getattr(scan, value))) for scan in scans)
    left_out = f"Hatched: {bad} cells" if scans[0].loss.ndim > 1 else f"Left out: {bad} points"
    worst = f"{100 * largest:.1f} points" if value == "error" else f"{largest:.2g} nats"
    computed = np.concatenate([scan.computed.ravel() for scan in scans])
    bound = np.concatenate([scan.loss_bound.ravel() for scan in scans])
    within = ""
    if value == "loss" and (stated := bound[~computed & np.isfinite(bound)]).size:
        within = f", half of it within {np.median(stated):.2g} nats, all within {stated.max():.2g} nats"
    off = max(scan.precision_error for scan in scans)
    rounded = f", within {off:.2g} nats of float32" if value == "loss" and off else ""
    return (
        f"{examples} examples, {points} points, {either(scan.precision for scan in scans)}{rounded}; "
        f"standard error of a point at most {worst}."
        + ("" if computed.all() else f" Computed: {percent(computed.mean())}; the rest interpolated{within}.")
        + (f" {left_out} whose {value} is not finite." if bad else "")
    )
