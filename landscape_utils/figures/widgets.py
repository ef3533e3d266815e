"""`explore`: figures that answer, in the page of a book and, with the model behind them, in JupyterLab."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from ..errors import UserError
from ..landscape.scan import Curve, Surface
from ..study.study import Study
from .explorer import Explorer
from .explorer_data import View, payload
from .live import Live
from .study_views import landscape_of, views_of


def explore(subject: Any, *tasks: str, show: str = "surfaces") -> Explorer | Live:
    """The explorer of a study, or of surfaces and curves of your own.

    In JupyterLab a study's surfaces come with the model behind them: ask for a point off the grid, see sentences
    classified there, scan anew. In a page without a kernel, and for a study that only reads, the same figure is
    alone.

    Args:
        subject: a Study; a Surface or Curve; a mapping of names to them; or a list of `explorer_data.View`.
        tasks: of a study; all of them if none is given.
        show: of a study: "surfaces" (with trajectories and curves), "curves", "overfitting", "layers" or
            "histories" (of the trainings).

    Raises:
        UserError: nothing to show, an unknown task or `show`, a grid whose axes do not ascend.
    """
    if isinstance(subject, Study):
        views, cubes = views_of(subject, tasks, show)
        explorer = Explorer(payload=payload(views, cubes))
        if show == "surfaces" and not subject.store.read_only:
            return Live(subject, explorer, partial(landscape_of, subject))
        return explorer
    if isinstance(subject, Curve):
        subject = {"": subject}
    if isinstance(subject, Mapping):
        subject = [view_of(name, scan) for name, scan in subject.items()]
    if not isinstance(subject, Sequence) or not all(isinstance(view, View) for view in subject):
        given = type(subject).__name__
        raise UserError(f"explore takes a Study, a Surface, a Curve, or several; got {given}")
    return Explorer(payload=payload(subject))


def view_of(name: str, scan: Any) -> View:
    """One scan as a view; UserError if it is none."""
    if not isinstance(scan, Curve):
        raise UserError(f"{name!r} is a {type(scan).__name__}; explore takes a Surface or a Curve")
    return View({"": scan}, task=name) if isinstance(scan, Surface) else View(curves={"": scan}, task=name)
