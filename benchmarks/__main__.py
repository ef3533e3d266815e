"""Measure the engine, its rivals and the machine's limit: `python -m benchmarks --size minilm`."""

import argparse
import json
import os
import sys
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import torch
from matplotlib.figure import Figure

from landscape_utils.claims.evidence import table
from landscape_utils.claims.intervals import number
from landscape_utils.engine.objective import Objective
from landscape_utils.environment import ROOT, check_device, data_folder
from landscape_utils.errors import UserError
from landscape_utils.figures.page import PageFigure, note
from landscape_utils.figures.style import WIDTH, style

from .cases import SIZES
from .race import Row, operations, race
from .visits import ERRORS, planted, stored, visits


def machine(device: str) -> str:
    """Where it is measured, with what, and how busy it is."""
    cpu = f"{os.cpu_count()} cores ({torch.backends.cpu.get_cpu_capability()}), {torch.get_num_threads()} in use"
    name = cpu if device == "cpu" else torch.cuda.get_device_name(device)
    return f"{name}, load {os.getloadavg()[0]:.1f}, PyTorch {torch.__version__}, {date.today()}"


def tabulated(rows: list[dict[str, Any]]) -> str:
    """In Markdown; the keys are the titles."""
    cells = [[number(v) if isinstance(v, float) else str(v) for v in row.values()] for row in rows]
    return table(list(rows[0]), cells)


def report(found: dict[str, Any], rows: list[Row]) -> str:
    """What was measured, in Markdown."""
    first, work = rows[0].median, found["operations"]
    speed = [
        {
            "": row.name,
            "precision": row.precision,
            "seconds a point": row.median,
            "relative to the first row": row.median / first,
            "share of the limit": row.share(work),
            "largest difference of the loss, nats": row.difference,
        }
        for row in rows
    ]
    rates = {row.precision: f"{row.precision} {max(row.rates) / 1e9:,.0f}" for row in rows}.values()
    adaptive = []
    for line in found["visits"]:
        computed = f"{line['computed']:,} of {line['points']:,}"
        said = {"computed": computed, "seconds": line["computed"] * first}
        adaptive.append({"surface": line["surface"]} | said | {name: line[name] for name in ERRORS})
    return f"""{found["title"]}, on {found["machine"]}.

{tabulated(speed)}

Medians of {len(rows[0].seconds)} visits. The layers' products, without padding, are {work / 1e9:,.0f} GFLOP. The
highest rates of such products, in GFLOP/s: {", ".join(rates)}.

![Bars of the seconds a point in the table; a tick on each marks the limit]({found["size"]}.svg)

{tabulated(adaptive)}
"""


@style
def chart(rows: list[Row], work: float) -> Figure:
    figure = PageFigure(WIDTH, 0.42 * len(rows) + 0.9)
    axis, names = figure.subplots(), [f"{row.name}\n{row.precision}" for row in rows]
    axis.barh(names, [row.median for row in rows], color="#9db8cc")
    axis.plot([row.share(work) * row.median for row in rows], names, "|", color="#e08a00", ms=18, mew=2)
    axis.invert_yaxis()
    axis.set_xlabel("seconds a point")
    note(figure, "Bars: medians. Ticks: the limit, matrix products alone.")
    return figure


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="demo", help="default: demo")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, ...; default: auto")
    parser.add_argument("--data-dir", default="", help="a folder in the GLUE layout; default: the hub")
    parser.add_argument("--output", type=Path, default=ROOT / "results/benchmarks", help="a folder")
    given = parser.parse_args(arguments)
    try:
        make, precisions, threads = SIZES[given.size]
        device = check_device(given.device)
        case = make(data_folder(given.data_dir))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    torch.set_num_threads(threads or torch.get_num_threads())
    case.model.to(device)
    precisions = tuple(p for p in precisions if device != "cpu" or p not in ("tf32", "float16"))
    found = {
        "size": given.size,
        "title": case.title,
        "machine": machine(device),
        "operations": operations(case),
    }
    rows = race(case, precisions)
    kept = ("surfaces", "layers") if given.size == "minilm" else ()
    real = [surface for kind in kept for surface in stored(ROOT / "results/minilm" / kind)]
    surfaces = [*real, *planted(40), *planted(81)]
    objective = Objective(case.model, case.examples)
    found["visits"] = [visits(surface, objective, case.plane, "stderr") for surface in surfaces]
    given.output.mkdir(parents=True, exist_ok=True)
    path = given.output / f"{given.size}.md"
    path.write_text(report(found, rows))
    path.with_suffix(".json").write_text(
        json.dumps(found | {"rows": list(map(asdict, rows))}, indent=1) + "\n"
    )
    chart(rows, found["operations"]).savefig(path.with_suffix(".svg"))
    print(path.read_text(), f"written: {path} and its .svg and .json", sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
