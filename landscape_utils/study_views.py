"""What of a study the explorer shows, chapter by chapter; what the store lacks is computed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .cube import rollback_cube
from .errors import UserError
from .parameters import GROUPS
from .profiles import display_name
from .study import Study
from .style import HOW_NAMES
from .trajectory import METHODS
from .views import Cube, View

HOWS = ("pretrained", "scratch")
SPLITS = {"training": "train", "dev": "dev"}
PAPERS = ("training loss", "dev error")  # what the paper draws

Shown = tuple[list[View], list[Cube]]


def curves(study: Study, tasks: Sequence[str]) -> Shown:
    """Section 6.1: training loss and dev error along delta_1."""
    return [
        View(
            curves={name: study.curve(task, how, split) for name, split in SPLITS.items()},
            task=display_name(task),
            how=HOW_NAMES[how],
            quantities=PAPERS,
        )
        for task in tasks
        for how in HOWS
    ], []


def surfaces(study: Study, tasks: Sequence[str]) -> Shown:
    """Sections 5.1, 5.2 and 6.2: surfaces with their trajectories, and the 1D curve that crosses them."""
    return [
        View(
            {name: study.surface(task, how, split) for name, split in SPLITS.items()},
            {name: study.curve(task, how, split) for name, split in SPLITS.items()},
            [study.trajectory(task, how, method) for method in METHODS],
            display_name(task),
            HOW_NAMES[how],
            quantities=PAPERS,
        )
        for task in tasks
        for how in HOWS
    ], []


def overfitting(study: Study, tasks: Sequence[str]) -> Shown:
    """Section 5.3: dev error and the epochs beyond; of the profile's task for it, whatever `tasks` says."""
    task = study.profile.overfitting.task
    scanned = {name: study.surface(task, "pretrained", SPLITS[name]) for name in ("dev", "training")}
    trajectories = [study.overfitting(method) for method in METHODS]
    return [View(scanned, {}, trajectories, display_name(task), quantities=PAPERS)], []


def layers(study: Study, tasks: Sequence[str]) -> Shown:
    """Section 7: the surfaces of each layer group, and the three groups rolled back together."""
    return [
        View(
            {name: study.layer_surface(task, group, split) for name, split in SPLITS.items()},
            task=display_name(task),
            layers=f"{group} layers",
            quantities=PAPERS,
        )
        for task in tasks
        for group in GROUPS
    ], [rollback_cube(study, task) for task in tasks]


SHOWN: dict[str, Callable[[Study, Sequence[str]], Shown]] = {
    "surfaces": surfaces,
    "curves": curves,
    "overfitting": overfitting,
    "layers": layers,
}


def views_of(study: Study, tasks: Sequence[str], show: str) -> Shown:
    """Views and cubes of the given tasks, of all the study's where none is given. UserError for an unknown `show`."""
    if show not in SHOWN:
        raise UserError(f"unknown show={show!r}; allowed are {', '.join(SHOWN)}")
    return SHOWN[show](study, [study.keys.known(task) for task in tasks] or study.tasks)
