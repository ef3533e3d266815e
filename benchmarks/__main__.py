"""Measure the engine, its rivals and the machine's limit: `python -m benchmarks --size small`."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from landscape_utils.engine.objective import Objective
from landscape_utils.environment import check_device, data_folder
from landscape_utils.errors import UserError
from landscape_utils.landscape.scan import scan

from .anatomy import dissect
from .cases import AXIS, SIZES, Case
from .layouts import layouts, on_threads
from .limit import operations
from .race import race
from .report import Machine, Report


def measure(name: str, device: str, rounds: int, data_dir: str, whole: bool) -> Report:
    """Everything about one size on one device."""
    size = SIZES[name]
    rounds = rounds or size.rounds
    case = size.case(data_dir, device)
    precisions = tuple(p for p in size.precisions if device != "cpu" or p not in ("tf32", "float16"))
    with on_threads(size.threads):
        report = Report(
            size=name,
            title=case.title,
            directions=" and ".join(dict.fromkeys(case.directions)),
            step=case.step,
            machine=Machine.here(device),
            operations=operations(case.model, case.examples),
            rows=race(case, precisions, rounds),
            anatomy=dissect(case, precisions[0], rounds, size.visits),
            layouts=[],
            whole=surface_seconds(case, precisions[0]) if whole else None,
        )
    return replace(report, layouts=layouts(name, data_dir)) if device == "cpu" else report


def surface_seconds(case: Case, precision: str) -> float:
    """Of the whole surface, 40 x 40 points, by `scan`."""
    objective = Objective(case.model, case.examples)
    started = time.perf_counter()
    scan(objective, case.plane, AXIS, AXIS, precision=precision, what="the whole surface")
    return time.perf_counter() - started


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="small", help="small takes a minute; default: small")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, ...; default: auto")
    parser.add_argument(
        "--repeats", type=int, default=0, help="visits of each contender; default: as the size says"
    )
    parser.add_argument("--data-dir", default="", help="a folder in the GLUE layout; default: the hub")
    parser.add_argument(
        "--output", type=Path, default=Path("results/benchmarks"), help="folder for table and chart"
    )
    parser.add_argument("--whole", action="store_true", help="compute all 40 x 40 points too")
    given = parser.parse_args(arguments)
    try:
        if given.repeats < 0:
            raise UserError(f"--repeats must be 1 or more, or 0 for the size's own; got {given.repeats}")
        device = check_device(given.device)
        report = measure(given.size, device, given.repeats, data_folder(given.data_dir), given.whole)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    table = report.save(given.output)
    print(table.read_text())
    print(f"written: {table} and its .svg and .json")
    return 0


if __name__ == "__main__":
    sys.exit(main())
