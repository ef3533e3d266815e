"""What was measured, as a file of numbers, a table in Markdown and a chart."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure

from landscape_utils.figures.style import INK, WIDTH, note, style

from .anatomy import Anatomy
from .layouts import Layout
from .race import Row

POINTS = 1600  # the paper's grid, 40 x 40
ENGINE, RIVAL = "#1f5f99", "#9db8cc"
NAMES = {"float32": "float32", "tf32": "TF32", "float16": "float16", "bfloat16": "bfloat16"}


@dataclass(frozen=True)
class Machine:
    """Where it was measured, and how busy it was as the measurement began."""

    name: str
    threads: str
    load: float
    python: str
    torch: str
    transformers: str
    date: str

    @classmethod
    def here(cls, device: str) -> Machine:
        gpu = device.startswith("cuda")
        threads = torch.get_num_threads()
        return cls(
            name=torch.cuda.get_device_name(device) if gpu else f"{processor()}, {os.cpu_count()} cores",
            threads="1 thread" if threads == 1 else f"{threads} threads",
            load=os.getloadavg()[0],
            python=platform.python_version(),
            torch=torch.__version__,
            transformers=version("transformers"),
            date=datetime.now(UTC).date().isoformat(),
        )


def processor() -> str:
    """The processor's name, from where the system tells it."""
    facts = Path("/proc/cpuinfo")
    lines = facts.read_text().splitlines() if facts.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


@dataclass(frozen=True)
class Report:
    """Everything that one run of the benchmark found.

    Attributes:
        operations: floating-point operations of a forward pass over the real tokens.
        whole: seconds of the whole surface, if it was computed.
        layouts: empty on a GPU.
    """

    size: str
    title: str
    directions: str
    step: float
    machine: Machine
    operations: float
    rows: list[Row]
    anatomy: Anatomy
    layouts: list[Layout]
    whole: float | None = None

    def save(self, folder: Path) -> Path:
        """Write `<size>.json`, `<size>.md` and `<size>.svg`; returns the table's path."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.size}.json").write_text(json.dumps(asdict(self), indent=1) + "\n")
        self.chart().savefig(folder / f"{self.size}.svg", metadata={"Date": None})
        path = folder / f"{self.size}.md"
        path.write_text(self.markdown())
        return path

    # The table

    def markdown(self) -> str:
        parts = [
            self.heading(),
            self.race_table(),
            self.reading(),
            f"![{self.description()}]({self.size}.svg)",
        ]
        parts += [self.findings(), *([self.layout_table()] if self.layouts else [])]
        return "\n\n".join(parts) + "\n"

    def heading(self) -> str:
        m = self.machine
        return (
            f"{self.title}. Directions of the plane: {self.directions}, |δ₁| / |θ₀| = {self.step:.3f}. "
            f"Measured on {m.name}, {m.threads} in use, "
            f"load {m.load:.1f} at the start, with Python {m.python}, PyTorch {m.torch} and transformers "
            f"{m.transformers}, {m.date}."
        )

    def race_table(self) -> str:
        engine = self.rows[0]
        titles = [
            "",
            "precision",
            "seconds a point",
            "× first row",
            "40 × 40 points",
            "share of the limit",
            "loss differs by",
        ]
        lines = [f"| {' | '.join(titles)} |", "|---|---|" + "---:|" * 5]
        for row in self.rows:
            cells = [row.name, NAMES[row.precision]]
            if row.seconds:
                cells += [
                    f"{row.median:.3g}",
                    f"{row.median / engine.median:.2f}",
                    duration(POINTS * row.median),
                ]
                cells += [
                    f"{row.share(self.operations):.2f}",
                    f"{row.difference:.1e}" if row.difference else "–",
                ]
            else:
                cells += [row.remark, *[""] * 4]
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines)

    def reading(self) -> str:
        """What the table's columns are."""
        whole = f"; computed as a whole it took {duration(self.whole)}" if self.whole else ""
        said = [
            f"Seconds are medians of {len(self.rows[0].seconds)} visits, all contenders in turn. The time of 40 × 40 "
            f"points is that of one, 1,600 times{whole}. The loss differs from the engine's in float32 by so much at "
            f"most, at the corners of the grid, the start, the end and a few random points.",
            f"The limit: a forward pass over the tokens alone, without padding, is {self.operations / 1e9:,.0f} GFLOP. "
            f"{self.rates()}",
            *(f"{row.name}: {row.remark}." for row in self.rows if row.remark and row.seconds),
        ]
        return "\n\n".join(said)

    def rates(self) -> str:
        """The machine's rates, and how steady they were."""
        said = []
        for precision in dict.fromkeys(row.precision for row in self.rows):
            rates = [rate / 1e9 for row in self.rows if row.precision == precision for rate in row.rates]
            low, middle, high = np.percentile(rates, [10, 50, 90])
            said.append(
                f"{middle:,.0f} GFLOP/s in {NAMES[precision]} (middle 80 %: {low:,.0f} to {high:,.0f})"
            )
        return f"Matrix products of the layers' shapes, measured before each turn, ran at {'; '.join(said)}."

    def findings(self) -> str:
        a, engine = self.anatomy, self.rows[0]
        lines = [
            f"The engine does {a.operations / self.operations:.2f} of these operations, padding included: of the last "
            f"layer it computes what the head reads. On those that it does it reaches "
            f"{engine.share(a.operations):.2f} of the limit.",
            f"Writing θ takes {a.writing:.2%} of a point, and the way from logits to numbers {a.bookkeeping:.2%}.",
            *(
                f"Where only the {group} third of the layers moves, a point takes {ratio:.2f} of what it takes "
                f"without replay; the losses {'differ by ' + format(apart, '.1e') if apart else 'are equal'}."
                for group, (ratio, apart) in a.groups.items()
            ),
            f"A point of a walk of {a.visits} costs {a.long / a.short:.2f} of a point of a walk of 10.",
            f"A walk holds {a.vectors:.1f} vectors of the encoder's size beside model and examples.",
        ]
        return "\n".join(f"- {line}" for line in lines)

    def layout_table(self) -> str:
        limit = max(layout.rate for layout in self.layouts)
        best = max(self.layouts, key=lambda layout: layout.points)
        lines = ["| processes × threads | points a second | share of the limit |", "|---|---:|---:|"]
        for way in self.layouts:
            share = way.points * self.operations / limit
            lines.append(f"| {way.processes} × {way.threads} | {way.points:.3g} | {share:.2f} |")
        advice = (
            "Processes side by side, each on its own points, float32. The limit is the highest rate of matrix "
            f"products among these layouts, {limit / 1e9:,.0f} GFLOP/s. Most points a second here: {best.processes} × "
            f"{best.threads}."
        )
        return "\n".join([*lines, "", advice])

    # The chart

    def description(self) -> str:
        """The chart in words."""
        engine = self.rows[0]
        others = "; ".join(
            f"{row.name} in {NAMES[row.precision]} {row.median / engine.median:.1f} times that"
            for row in self.rows[1:]
            if row.seconds
        )
        return (
            f"Bars of seconds a point: this engine in {NAMES[engine.precision]} {engine.median:.3g}; {others}. "
            f"A tick on each bar marks the limit"
        )

    @style
    def chart(self) -> Figure:
        rows = [row for row in self.rows if row.seconds][::-1]
        figure = Figure(figsize=(WIDTH, 0.42 * len(rows) + 0.9), layout="constrained")
        axis = figure.subplots()
        for i, row in enumerate(rows):
            floor = row.share(self.operations) * row.median
            axis.barh(i, row.median, height=0.62, color=ENGINE if row.name == self.rows[0].name else RIVAL)
            axis.plot(row.seconds, [i] * len(row.seconds), "|", color=INK, ms=4, mew=0.6)
            axis.plot([floor, floor], [i - 0.4, i + 0.4], color="#e08a00", lw=2)
            axis.annotate(
                f" {row.median:.3g} s", (max(row.seconds), i), (3, 0), textcoords="offset points", va="center"
            )
        axis.set_yticks(range(len(rows)), [f"{row.name}\n{NAMES[row.precision]}" for row in rows])
        axis.tick_params(axis="y", length=0)
        axis.spines["left"].set_visible(False)
        axis.set_xlim(0, 1.12 * max(max(row.seconds) for row in rows))
        axis.set_xlabel("seconds a point")
        note(figure, "Bars: medians; fine ticks: each visit. Amber: the limit, matrix products alone.")
        return figure


def duration(seconds: float) -> str:
    """In the unit that suits."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
