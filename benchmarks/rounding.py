"""What rounding does to a landscape: the loss of MiniLM along alpha in float16 and bfloat16, less that in float32.

`python -m benchmarks.rounding` measures it for steps delta_1 of several lengths: the shorter the step beside theta_0,
the less of it is left when the weights are rounded. Made for the chapter on methods.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from landscape_utils.engine.objective import Objective
from landscape_utils.engine.walker import Walker
from landscape_utils.environment import check_device, data_folder
from landscape_utils.errors import UserError
from landscape_utils.figures.style import MUTED, WIDTH, legend_above, note, style
from landscape_utils.progress import bar

from .cases import Case, Size, minilm
from .report import Machine

ROUNDED = ("bfloat16", "float16")
EXACT = "float32"
STEPS = (0.012, 0.003, 0.00075)  # |delta_1| / |theta_0|: that of MiniLM on MRPC, a fourth, a sixteenth
ALPHA = np.linspace(-4, 4, 17)
EXAMPLES = 64
LOOKS = (("#1b2a49", "-", "o"), ("#b3471d", (0, (4, 1.6)), "s"), ("#2a8f7f", (0, (1, 1.2)), "^"))
FLOOR = 1e-8  # a difference of zero is drawn here


@dataclass(frozen=True)
class Rounding:
    """The loss along alpha, in each precision and for each length of the step.

    Attributes:
        alpha: (A,).
        steps: (S,) |delta_1| / |theta_0|.
        loss: precision -> (S, A).
    """

    title: str
    direction: str
    machine: str
    alpha: list[float]
    steps: list[float]
    loss: dict[str, list[list[float]]]

    def difference(self, precision: str) -> np.ndarray:
        """|loss - loss in float32|, (S, A)."""
        return np.abs(np.array(self.loss[precision]) - np.array(self.loss[EXACT]))

    def rise(self) -> np.ndarray:
        """How much the loss itself changes along each line, (S,): its largest value less its smallest, in float32."""
        return np.ptp(np.array(self.loss[EXACT]), axis=1)

    def save(self, folder: Path) -> Path:
        """Write `rounding.json`, `rounding.svg`, and `rounding.md`, which shows it and says it in words."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "rounding.json").write_text(json.dumps(asdict(self)) + "\n")
        self.chart().savefig(folder / "rounding.svg", metadata={"Date": None})
        path = folder / "rounding.md"
        path.write_text(f"![{self.description()}](rounding.svg)\n\n{self.caption()}\n")
        return path

    def caption(self) -> str:
        said = [
            f"where |δ₁| / |θ₀| is {step:g} the loss itself changes by {rise:.2g}, in bfloat16 it is off by up to "
            f"{coarse:.2g}, in float16 by up to {fine:.2g}"
            for step, rise, coarse, fine in zip(
                self.steps, self.rise(), *(self.difference(p).max(axis=1) for p in ROUNDED), strict=True
            )
        ]
        return (
            f"What rounding weights and arithmetic does to the loss on a line from the start: {self.title}; direction "
            f"{self.direction}, made longer or shorter; computed on "
            f"{self.machine}. {'; '.join(said).capitalize()}."
        )

    def description(self) -> str:
        """The chart in words."""
        return (
            "Two charts on a logarithmic scale: how far the loss in bfloat16 (left) and in float16 (right) is from "
            f"that in float32 along α from {self.alpha[0]:g} to {self.alpha[-1]:g}, a line for each of "
            f"{len(self.steps)} lengths of the step. Short bars at the right edge mark how much the loss itself "
            "changes along each line"
        )

    @style
    def chart(self) -> Figure:
        figure = Figure(figsize=(WIDTH, 3.1), layout="constrained")
        axes = figure.subplots(1, len(ROUNDED), sharey=True)
        for axis, precision in zip(axes, ROUNDED, strict=True):
            lines = zip(self.steps, self.difference(precision), self.rise(), LOOKS, strict=True)
            for step, difference, rise, (colour, dashes, marker) in lines:
                drawn = np.maximum(difference, FLOOR)
                label = f"|δ₁| / |θ₀| = {step:g}"
                axis.plot(
                    self.alpha,
                    drawn,
                    color=colour,
                    ls=dashes,
                    marker=marker,
                    ms=3,
                    lw=1.2,
                    label=label,
                )
                axis.plot([4.1, 4.6], [rise, rise], color=colour, lw=2.5, solid_capstyle="butt")
            axis.set(yscale="log", xlabel="α", title=precision, xlim=(self.alpha[0], 4.6))
            axis.grid(axis="y", color=MUTED, alpha=0.2, lw=0.5)
        axes[0].set_ylabel("difference of the loss (nats)")
        legend_above(figure, axes[0])
        note(
            figure, "Bars at the right edge of each panel: how much the loss itself changes along that line."
        )
        return figure


def measure(case: Case, machine: str, alpha: np.ndarray = ALPHA) -> Rounding:
    """The loss along alpha in every precision, for steps of every length in the direction of the case's x."""
    objective = Objective(case.model, case.examples)
    origin, x = case.plane.origin, case.plane.x
    unit = x * (origin.norm() / x.norm())  # as long as theta_0
    loss: dict[str, list[list[float]]] = {precision: [] for precision in (EXACT, *ROUNDED)}
    walks = [(precision, step) for step in STEPS for precision in loss]
    for precision, step in bar(walks, what="rounding", unit="line"):
        with Walker([objective], origin, (step * unit,), precision) as walker:
            loss[precision].append([float(walker((a,))[0, 0]) for a in alpha.tolist()])
    return Rounding(case.title, case.directions[0], machine, alpha.tolist(), list(STEPS), loss)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rounding", description=__doc__)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, ...; default: auto")
    parser.add_argument("--data-dir", default="", help="a folder in the GLUE layout; default: the hub")
    parser.add_argument(
        "--output", type=Path, default=Path("results/benchmarks"), help="folder for chart and numbers"
    )
    given = parser.parse_args(arguments)
    try:
        device = check_device(given.device)
        case = Size(minilm, EXAMPLES).case(data_folder(given.data_dir), device)
        found = measure(case, Machine.here(device).name)
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    print(found.save(given.output).read_text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
