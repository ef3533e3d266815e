"""What holds a figure's panels together: the figure itself, a legend, small print.

The SVG of a figure has a second set of colours, for a dark page: in an `<img>` it follows the `color-scheme` that the
page gives to the image. A notebook holds a second drawing of it beside the first, as narrow as a phone.
"""

import io
from collections.abc import Callable
from functools import partial, wraps
from typing import Any, Literal

from matplotlib import cbook
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from .style import MUTED, ON_DARK, PHONE, style

# The type of the narrow drawing in a notebook; `book.staging` takes it from there.
ON_PHONE = "image/vnd.phone+svg"

ON_DARK_PAGE = "".join(
    f'[style*="{what}: {light}"]{{{what}:{dark}!important}}'
    for light, dark in ON_DARK.items()
    for what in ("fill", "stroke")
)


class PageFigure(Figure):
    """A figure for a page, light or dark; not of pyplot: a notebook shows it once, and it is freed."""

    def __init__(
        self, width: float, height: float, layout: Literal["constrained", "compressed"] = "constrained"
    ):
        super().__init__(figsize=(width, height), layout=layout)
        PageCanvas(self)
        self.on_phone: Callable[[], Figure] | None = None

    def narrow_svg(self) -> str:
        """The SVG of the drawing for a phone; "" where there is none."""
        if self.on_phone is None:
            return ""
        drawn = io.StringIO()
        self.on_phone().savefig(drawn, format="svg", bbox_inches="tight")
        return drawn.getvalue()

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What a notebook holds of a figure beside its SVG: the same for a phone, drawn when it is shown."""
        narrow = self.narrow_svg()
        return {ON_PHONE: narrow} if narrow else {}


def for_pages(draw: Callable[..., PageFigure]) -> Callable[..., PageFigure]:
    """Of a function that draws a figure of some `width`: drawn in the house's style, and for a phone too."""

    @wraps(draw)
    @style
    def drawn(*args: Any, **options: Any) -> PageFigure:
        figure = draw(*args, **options)
        figure.on_phone = partial(style(draw), *args, **options | {"width": PHONE})
        return figure

    return drawn


class PageCanvas(FigureCanvasAgg):
    """Saves as matplotlib does, with the colours of the dark page in an SVG, which has the same bytes each time."""

    @style
    def print_svg(self, filename: Any, *, bbox_inches_restore: Any = None, **options: Any) -> None:
        drawn = io.StringIO()
        FigureCanvasSVG.print_svg(
            self,  # type: ignore[arg-type]  # all that it asks of a canvas is its figure
            drawn,
            bbox_inches_restore=bbox_inches_restore,
            metadata={"Date": None} | (options.get("metadata") or {}),
        )
        rules = f"@media (prefers-color-scheme: dark) {{{ON_DARK_PAGE}}}"
        text = drawn.getvalue().replace("</style>", f"{rules}</style>", 1)
        with cbook.open_file_cm(filename, "w", encoding="utf-8") as file:
            file.write(text if cbook.file_requires_unicode(file) else text.encode())


def legend_above(figure: Figure, axis: Axes) -> None:
    """One legend for all panels, above them."""
    handles, labels = axis.get_legend_handles_labels()
    columns = len(labels) if figure.get_figwidth() > PHONE else 2
    figure.legend(handles, labels, loc="outside upper center", ncols=columns)


def note(figure: Figure, text: str) -> None:
    """Small print below the figure: examples, standard errors, what was left out."""
    figure.supxlabel(text, fontsize=9, color=MUTED, x=0.01, ha="left", wrap=True)


def fit_height(figure: Figure) -> None:
    """Make a figure as high as its panels and the small print need: panels of fixed shape leave a strip empty."""
    figure.draw_without_rendering()
    panels = Bbox.union([box for axis in figure.axes if (box := axis.get_tightbbox())])
    around = sum(part.get_window_extent().height for part in (*figure.texts, *figure.legends))
    figure.set_figheight((panels.height + around) / figure.dpi + 0.2)
    figure.draw_without_rendering()
