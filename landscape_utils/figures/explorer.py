"""The explorer: figures that answer, in JupyterLab and in a page without a kernel.

One ES module (the files of `explorer/`, joined) draws for both hosts. In JupyterLab it is the front end of an
anywidget; the same output also carries `text/html`, the whole figure for a static page, which the book prefers.
"""

import re
from html import escape
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from ..names import GROUPS, display_name
from .explorer_data import embedded
from .style import how_name

FOLDER = Path(__file__).with_name("explorer")
# The parts share one scope, and each uses only what stands before it (or is called later).
PARTS = (
    "data grids scales pens surface relief charts elements panel sections sentences downloads controls "
    "explorer hosts"
)
SOURCE = "\n".join((FOLDER / f"{part}.js").read_text(encoding="utf-8") for part in PARTS.split())
MODULE = re.sub(r"^ */\*.*?\*/\n+", "", SOURCE, flags=re.M | re.S)  # pages carry no comments
STYLE = (FOLDER / "explorer.css").read_text(encoding="utf-8")


class Explorer(anywidget.AnyWidget):
    """The explorer as a widget."""

    _esm = MODULE
    _css = STYLE
    payload = traitlets.Dict().tag(sync=True)  # what is shown: `explorer_data.payload`
    scanned = traitlets.Dict().tag(sync=True)  # one more view, in the making; {} for none
    # "alpha" and "beta" of the evaluated point that the reader chose last
    cursor = traitlets.Dict().tag(sync=True)
    selection = traitlets.Dict().tag(sync=True)  # "task", "how", "layers" of the view on show

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        data, metadata = super()._repr_mimebundle_(**kwargs) or ({}, {})
        return data | {"text/html": page(self.payload)}, metadata


def page(payload: dict[str, Any]) -> str:
    """HTML that holds the figure whole: data, style and module, nothing to fetch."""
    return (
        f'<div class="landscape-explorer" id="explorer"><style>{STYLE}</style>'
        f'<script type="application/json">{embedded(payload)}</script>'
        "<noscript>This figure needs JavaScript. The figures above show the essential without it.</noscript></div>"
        f'<script type="module">{MODULE}\nmountAll();</script>'
    )


def show_me(
    text: str,
    *,
    task: str = "",
    how: str = "",
    layers: str = "",
    quantity: str = "",
    alpha: float | None = None,
    beta: float | None = None,
    epoch: int | None = None,
) -> str:
    """A link (HTML) that sets the explorer of its page and leads to it; what is left out stays as the reader has it.

    Args:
        task: as `study.heading` names it; of data that were not generated "mrpc" does as well as "MRPC".
        how, layers: as the page or as a study names them: "fine-tuned" or "pretrained".
        quantity: "training loss", "dev error", ...
        alpha, beta: a place; the nearest one that was evaluated is shown.
        epoch: of the trajectory.
    """
    asked = {
        "task": task and display_name(task),
        "how": how_name(how),
        "layers": f"{layers} layers" if layers in GROUPS else layers,
        "quantity": quantity,
        "alpha": alpha,
        "beta": beta,
        "epoch": epoch,
    }
    told = [
        f' data-{name}="{escape(str(value))}"' for name, value in asked.items() if value not in ("", None)
    ]
    return f'<a class="lx-show" href="#explorer"{"".join(told)}>{escape(text)}</a>'
