"""One look for all figures: sizes for a paper column, colours that survive colour blindness and grey print.

Both colour maps are perceptually uniform, get lighter with every step and are dark at the low end, as in the
paper ("Darker color represents smaller training loss"): in grey print the order stays. Trainings differ in dash too,
never in colour alone.
"""

from collections.abc import Iterable, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.patheffects import AbstractPathEffect, withStroke
from seaborn.utils import relative_luminance

from ..names import HOWS

WIDTH = 8.0  # inches: 768 pixels of a page, on which no letter is smaller than 9 points
PHONE = 3.75  # inches: the 360 pixels of a page on a phone
HOW_NAMES = {"scratch": "from scratch", "pretrained": "fine-tuned"}
# Fine-tuned, from scratch; of trainings with names of their own all, in their order.
LINES: tuple[dict[str, Any], ...] = (
    {"color": "#1f5f99", "linestyle": "-"},
    {"color": "#b3471d", "linestyle": (0, (4, 1.6))},
    {"color": "#2b7a4b", "linestyle": (0, (1, 1.2))},
    {"color": "#7a4aa0", "linestyle": (0, (6, 1.5, 1, 1.5))},
    {"color": "#8a6d00", "linestyle": (0, (8, 3))},
)
GROUP_COLOURS = ("#1b2a49", "#dfe7ef", "#9db8cc", "#557f9f")  # fine-tuned, then low to high
INK = "#1b1b1f"
MUTED = "#5d5d66"
PAPER = "#ffffff"
CHALK = "#fefefe"  # white on a map: unlike that of the paper it stays white on a dark page
ON_DARK = {  # what these are on a dark page; all other colours are the same there
    PAPER: "#121212",
    INK: "#e6e8eb",
    MUTED: "#a2a9b2",
    "#1f5f99": "#79b8ff",
    "#b3471d": "#ffb454",
    "#2b7a4b": "#6fd19a",
    "#7a4aa0": "#c8a2ee",
    "#8a6d00": "#e3c84e",
    "#1b2a49": "#4a78c2",
    "#00588a": "#79b8ff",
    "#a34700": "#ffb454",
}

TICKS: dict[str, Any] = {"labelsize": 9, "color": MUTED, "labelcolor": INK, "major.width": 0.7}
RULES: dict[Any, Any] = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.labelsize": 10,
    "axes.linewidth": 0.7,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "lines.linewidth": 1.6,
    "legend.frameon": False,
    "legend.fontsize": 10,
    "text.color": INK,
    "text.parse_math": False,  # a name is no formula, whatever signs it holds
    "legend.handlelength": 2.4,
    "hatch.linewidth": 0.5,
    "figure.facecolor": PAPER,
    "figure.dpi": 200,  # of the little that is not drawn in vectors
    "svg.hashsalt": "landscape_utils",
    "pdf.fonttype": 42,  # TrueType, whole: publishers refuse Type 3
} | {f"{axis}tick.{name}": value for axis in "xy" for name, value in TICKS.items()}
style = mpl.rc_context(RULES)


def _from_dark(name: str) -> Colormap:
    """The named map without its darkest eighth, so that black lines still show on the lowest values."""
    colours = sns.color_palette(name, as_cmap=True)(np.linspace(0.12, 1, 256))
    return LinearSegmentedColormap.from_list(f"{name}_from_dark", colours)


COLOUR_MAPS = {"loss": _from_dark("mako"), "error": _from_dark("rocket")}
DIVERGING = sns.color_palette("vlag", as_cmap=True)  # of differences: blue below zero, red above


def ink_on(colour: Sequence[float]) -> str:
    """Chalk or black, whichever reads better on an RGB colour."""
    return CHALK if relative_luminance(colour) < 0.18 else "black"


def halo(width: float = 2.0, ground: str = PAPER) -> list[AbstractPathEffect]:
    """Path effect that keeps a text or a line legible on any ground."""
    return [withStroke(linewidth=width, foreground=ground)]


@style
def save(figure: Figure, path: str | Path, **options: Any) -> None:
    """`Figure.savefig` in the house's style, for print: in vectors, but for colour bars and dots of single steps."""
    figure.savefig(path, **options)


def how_name(how: str) -> str:
    """The words for a training; a user's own name stays as it is."""
    return HOW_NAMES.get(how, how)


def lines_of(names: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Colour and dash of each training: the same in all figures for the two ways, one of its own for another name."""
    others = dict.fromkeys(name for name in names if name not in HOWS)
    return dict(zip(HOWS, LINES, strict=False)) | dict(zip(others, cycle(LINES), strict=False))
