"""What of a study the explorer shows, chapter by chapter; what the store lacks is computed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import UserError
from ..landscape.rollback import AXIS
from ..landscape.scan import Curve
from ..names import CONTINUED, GROUPS, METHODS
from ..study.study import Study
from ..training.finetune import Run
from .explorer_data import Cube, View
from .style import how_name

SPLITS = {"training": "train", "dev": "dev"}
PAPERS = ("training loss", "dev error")  # what the paper draws

Shown = tuple[list[View], list[Cube]]


def histories(study: Study, tasks: Sequence[str]) -> Shown:
    """Section 5.2: the training, epoch by epoch, in the form of curves along it."""
    return [
        View(
            curves=history(study.run(task, how), study.facts(task)),
            task=study.heading(task),
            how=how_name(how),
            quantities=("training loss", "dev loss", "dev error"),
            axis="epoch",
        )
        for task in tasks
        for how in study.ways
    ], []


def history(run: Run, facts: Mapping[str, Any]) -> dict[str, Curve]:
    """Training loss: the mean over an epoch's steps, with its standard error; there is none before the first."""
    parts = np.array_split(run.loss, run.epochs)
    loss = np.array([np.nan, *(part.mean() for part in parts)])
    stderr = np.array([np.nan, *(part.std(ddof=min(1, len(part) - 1)) / len(part) ** 0.5 for part in parts)])
    unknown = np.full(run.epochs + 1, np.nan)
    return {
        "training": along_epochs(loss, stderr, unknown, facts["train_examples"]),
        "dev": along_epochs(run.dev_loss, unknown, 1 - run.dev_accuracy, facts["dev_examples"]),
    }


def along_epochs(loss: np.ndarray, stderr: np.ndarray, error: np.ndarray, examples: int) -> Curve:
    """A history in the form of a curve: epochs for alpha, no marks, no distance."""
    return Curve(
        alpha=np.arange(float(len(loss))),
        loss=loss,
        error=error,
        loss_stderr=stderr,
        error_stderr=np.full(len(loss), np.nan),
        marks={},
        examples=examples,
        norm=np.nan,
        precision="",
        precision_error=0.0,
    )


def curves(study: Study, tasks: Sequence[str]) -> Shown:
    """Section 6.1: training loss and dev error along delta_1."""
    return [
        View(
            curves={name: study.curve(task, how, split) for name, split in SPLITS.items()},
            task=study.heading(task),
            how=how_name(how),
            quantities=PAPERS,
        )
        for task in tasks
        for how in study.ways
    ], []


def surfaces(study: Study, tasks: Sequence[str]) -> Shown:
    """Sections 5.1, 5.2 and 6.2: surfaces with their trajectories, and the 1D curve that crosses them."""
    return [
        View(
            {name: study.surface(task, how, split) for name, split in SPLITS.items()},
            {name: study.curve(task, how, split) for name, split in SPLITS.items()},
            [study.trajectory(task, how, method) for method in METHODS],
            study.heading(task),
            how_name(how),
            history=recorded(study.run(task, how)),
            quantities=PAPERS,
        )
        for task in tasks
        for how in study.ways
    ], []


def overfitting(study: Study, tasks: Sequence[str]) -> Shown:
    """Section 5.3: dev error and the epochs beyond; of the profile's task for it, whatever `tasks` says."""
    task = study.profile.overfitting.task
    scanned = {name: study.surface(task, "pretrained", SPLITS[name]) for name in ("dev", "training")}
    trajectories = [study.overfitting(method) for method in METHODS]
    first, further = study.run(task), study.run(task, CONTINUED)
    history = recorded(first, further)
    return [
        View(
            scanned,
            {},
            trajectories,
            study.heading(task),
            history=history,
            turn=first.epochs,
            quantities=PAPERS,
        )
    ], []


def recorded(*runs: Run) -> dict[str, np.ndarray]:
    """Training loss, dev loss and dev error after each epoch of a run, and of the run that went on from its end."""
    parts: list[np.ndarray] = []
    for run in runs:
        steps = np.array([part.mean() for part in np.array_split(run.loss, run.epochs)])
        start = np.nan if run is runs[0] else parts[-1][-1, 0]
        parts.append(np.c_[[start, *steps], run.dev_loss, 1 - run.dev_accuracy])
    whole = np.concatenate([parts[0], *(part[1:] for part in parts[1:])])
    return dict(zip(("training loss", "dev loss", "dev error"), whole.T, strict=True))


def layers(study: Study, tasks: Sequence[str]) -> Shown:
    """Section 7: the surfaces of each layer group, and the three groups rolled back together."""
    return [
        View(
            {name: study.layer_surface(task, group, split) for name, split in SPLITS.items()},
            task=study.heading(task),
            layers=f"{group} layers",
            quantities=PAPERS,
        )
        for task in tasks
        for group in GROUPS
    ], [rollback_cube(study, task) for task in tasks]


def rollback_cube(study: Study, task: str) -> Cube:
    """The three layer groups of a task's fine-tuned run, each rolled back by any share."""
    found = study.cube(task)
    groups = [f"{group} layers" for group in GROUPS]
    return Cube(study.heading(task), groups, AXIS, found["accuracy"], int(found["examples"]))


SHOWN: dict[str, Callable[[Study, Sequence[str]], Shown]] = {
    "histories": histories,
    "surfaces": surfaces,
    "curves": curves,
    "overfitting": overfitting,
    "layers": layers,
}


def views_of(study: Study, tasks: Sequence[str], show: str) -> Shown:
    """Views and cubes of the given tasks, of all the study's where none is given. UserError for an unknown `show`."""
    if show not in SHOWN:
        raise UserError(f"unknown show={show!r}; allowed are {', '.join(SHOWN)}")
    return SHOWN[show](study, [study.trainings.known(task) for task in tasks] or study.tasks)
