"""The panel under a study's explorer that asks the model behind it.

Its work is done in two threads beside the kernel's, one that asks and one that scans, so that neither page nor
notebook waits; what goes wrong becomes one line under the figure.
"""

import html
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import product
from typing import Any, get_args

import ipywidgets
import pandas as pd

from ..errors import UserError
from ..landscape.scan import Surface
from ..profiles.profile import Profile
from ..progress import no_bars
from ..study.scan_results import SurfaceResult
from ..study.study import Study
from .explorer import Explorer, page
from .explorer_data import PAPERS, SPLITS, View, pack_mark
from .style import how_name
from .watching import Coarse, Place, Rows, Watched

PRECISIONS = get_args(Profile.model_fields["precision"].annotation)
LISTED = 200  # dev examples to choose from
NOW = ", scanned now"
SIDE_BY_SIDE = {"flex_flow": "row wrap"}
COLUMN = {"flex": "1 1 320px", "min_width": "300px"}


class Stopped(Exception):
    """The user stopped a scan."""


class Live(ipywidgets.VBox):
    """An explorer of a study's surfaces and, under it, what asks the model behind them.

    Attributes:
        explorer: the Explorer.
        alpha, beta, evaluate: a place in the plane on show, and the button that measures it.
        sentences, answers: dev examples, and how they are classified at that place.
        span, resolution, examples, precision, scan, stop, progress: a new surface.
        message: what happened last, errors included, in one line.
    """

    def __init__(self, study: Study, explorer: Explorer, landscape: Callable[..., View]):
        """`landscape`: (task, way of training, surfaces) -> what the explorer shows of a new scan."""
        self.study, self.explorer, self.landscape = study, explorer, landscape
        self.runs = {
            (study.heading(task), how_name(how) + when): (task, how)
            for task, how, when in product(study.tasks, study.ways, ("", NOW))
        }
        self._asking, self._scanning = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        self._waiting: dict[Callable[[], None], Future[None]] = {}
        self._place: Place | None = None
        self._asked = 0
        self._stop = threading.Event()
        self.message = ipywidgets.HTML("Point at a place, or ask the model for one.")
        super().__init__()
        panel = ipywidgets.HBox([self._make_point(), self._make_scan()], layout=SIDE_BY_SIDE)
        self.children = [explorer, self.message, panel]
        explorer.observe(self._follow, "cursor")
        explorer.observe(lambda change: self._ask(self._list_sentences), "selection")
        self._ask(self._list_sentences)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return super()._repr_mimebundle_(**kwargs) | {"text/html": page(self.explorer.payload)}

    def _make_point(self) -> ipywidgets.VBox:
        span = self.study.profile.grid.span
        self.alpha, self.beta = (
            ipywidgets.FloatSlider(value, min=-span, max=span, step=0.01, description=name)
            for name, value in (("α", 1.0), ("β", 0.0))
        )
        self.evaluate = ipywidgets.Button(description="Evaluate here")
        self.sentences = ipywidgets.SelectMultiple(description="Sentences", rows=6, layout={"width": "auto"})
        self.answers = ipywidgets.HTML()
        self.evaluate.on_click(lambda button: self._ask(self._measure))
        for control in (self.alpha, self.beta, self.sentences):
            control.observe(lambda change: self._ask(self._classify), "value")
        title = ipywidgets.HTML("<b>Ask the model at a place</b>")
        controls = [title, self.alpha, self.beta, self.evaluate, self.sentences, self.answers]
        return ipywidgets.VBox(controls, layout=COLUMN)

    def _make_scan(self) -> ipywidgets.VBox:
        profile = self.study.profile
        self.span = ipywidgets.FloatText(profile.grid.span, description="span")
        self.resolution = ipywidgets.IntText(profile.grid.resolution, description="resolution")
        of_each = "of each split; 0: the profile's"
        self.examples = ipywidgets.IntText(0, description="examples", tooltip=of_each)
        self.precision = ipywidgets.Dropdown(
            options=PRECISIONS, value=profile.precision, description="precision"
        )
        self.scan = ipywidgets.Button(description="Scan", button_style="primary")
        self.stop = ipywidgets.Button(description="Stop", disabled=True)
        self.progress = ipywidgets.IntProgress(description="points", layout={"width": "auto"})
        self.scan.on_click(lambda button: self._start_scan())
        self.stop.on_click(lambda button: self._stop.set())
        buttons = ipywidgets.HBox([self.scan, self.stop])
        fields = [self.span, self.resolution, self.examples, self.precision]
        title = ipywidgets.HTML("<b>Scan the plane on show anew</b>")
        return ipywidgets.VBox([title, *fields, buttons, self.progress], layout=COLUMN)

    def say(self, text: str) -> None:
        """One line under the explorer; it is text, whatever it holds."""
        self.message.value = html.escape(" ".join(text.split()))

    @property
    def shown(self) -> tuple[str, str]:
        """Task and way of training of the surface on show."""
        chosen = self.explorer.selection or self.explorer.payload["views"][0]
        return self.runs[chosen["task"], chosen["how"]]

    def _follow(self, change: Any) -> None:
        """The sliders go where the cursor went."""
        for slider, name in ((self.alpha, "alpha"), (self.beta, "beta")):
            slider.value = min(max(change["new"].get(name, slider.value), slider.min), slider.max)

    # In the thread that asks the model

    def _ask(self, job: Callable[[], None]) -> None:
        """Put a job in line; the same one, if it still waits, is dropped."""
        if job in self._waiting:
            self._waiting[job].cancel()
        self._waiting[job] = self._asking.submit(self._guarded, job)

    def _guarded(self, job: Callable[[], None]) -> None:
        try:
            with no_bars():
                job()
        except Exception as error:
            self.say(str(error) if isinstance(error, UserError) else f"{type(error).__name__}: {error}")

    def _here(self) -> Place:
        if self._place is None or (self._place.task, self._place.how) != self.shown:
            self._place = Place(self.study, *self.shown)
        return self._place

    def _list_sentences(self) -> None:
        texts = self.study.task(self.shown[0]).dev_text[:LISTED]
        self.sentences.options = [(f"{k + 1}. {' | '.join(text)}", k) for k, text in enumerate(texts)]

    def _measure(self) -> None:
        alpha, beta, place = self.alpha.value, self.beta.value, self._here()
        found = place.measure(alpha, beta)
        self._asked += 1
        named = {title: found[split] for title, split in SPLITS.items()}
        mark = pack_mark(f"asked {self._asked}", named, PAPERS)
        run = {"task": self.study.heading(place.task), "how": how_name(place.how)}
        views = [
            view | {"marks": [*view["marks"], mark]} if run.items() <= view.items() else view
            for view in self.explorer.payload["views"]
        ]
        self.explorer.payload = self.explorer.payload | {"views": views}
        self.explorer.cursor = {"alpha": alpha, "beta": beta}
        values = mark["values"].items()
        numbers = ((what, ("n/a" if x is None else f"{x:.4g}" for x in pair)) for what, pair in values)
        told = "; ".join(f"{what} {' ± '.join(pair)}" for what, pair in numbers)
        self.say(f"{run['task']}, {run['how']} at α = {alpha:g}, β = {beta:g}: {told}")

    def _classify(self) -> None:
        chosen = self.sentences.value
        if not chosen:
            self.answers.value = ""
            return
        alpha, beta, place = self.alpha.value, self.beta.value, self._here()
        task = self.study.task(place.task)
        rows = []
        for k, share in zip(chosen, place.classify([task.dev[k] for k in chosen], alpha, beta), strict=True):
            best = int(share.argmax())
            truth = task.labels[int(task.dev[k]["labels"])]
            rows.append((k + 1, truth, task.labels[best], f"{share[best]:.3f}"))
        head = ["sentence", "is", "taken for", "probability"]
        self.answers.value = pd.DataFrame(rows, columns=head).to_html(index=False)
        self.say(
            f"{self.study.heading(place.task)}, {how_name(place.how)}: classified at α = {alpha:g}, β = {beta:g}."
        )

    # In the thread that scans

    def _start_scan(self) -> None:
        self._stop.clear()
        self.stop.disabled, self.scan.disabled = False, True

        def job() -> None:
            try:
                self._scan_surface(*self.shown)
            finally:
                self.stop.disabled, self.scan.disabled = True, False

        self._scanning.submit(self._guarded, job)

    def _scan_surface(self, task: str, how: str) -> None:
        started = time.monotonic()

        def tell(rows: Rows) -> None:
            self.progress.value = min(len(rows), coarse.points)
            self._show_scan(task, how, coarse.take(rows))
            if self._stop.is_set():
                raise Stopped

        wanted = {name: getattr(self, name).value for name in ("precision", "span", "resolution", "examples")}
        study = self.study.under(**wanted)
        kind = SurfaceResult(task, how, study.seed)
        coarse = Coarse(study, task, study.plane(task, how))
        self.progress.max, self.progress.value = coarse.points, 0
        self.say(f"Scanning {coarse.points} points ...")
        try:
            self._show_scan(task, how, study.get(kind, lambda journal: Watched(journal, tell)))
        except Stopped:
            self.say(f"Stopped at {self.progress.value} of {coarse.points} points: Scan goes on from there.")
            return
        self.progress.value = coarse.points
        path, seconds = study.store.path(*study.key(kind)), time.monotonic() - started
        self.say(f"Scanned in {seconds:.1f} s; the result is {path.parent.name}/{path.name}")

    def _show_scan(self, task: str, how: str, found: Mapping[str, Surface] | None) -> None:
        if found:
            surfaces = {title: found[split] for title, split in SPLITS.items()}
            view = self.landscape(task, how, surfaces)
            before, live = self.explorer.scanned or {}, replace(view, how=view.how + NOW).packed()
            self.explorer.scanned = live
            facets = {name: live.get(name) for name in ("task", "how", "layers")}
            if any(before.get(name) != facet for name, facet in facets.items()):
                self.explorer.selection = facets  # a scan that has begun is what the page goes on to show
