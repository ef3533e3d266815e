"""What of a study the explorer shows, chapter by chapter; what the store lacks is computed."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np

from ..errors import UserError
from ..landscape.rollback import AXIS
from ..landscape.scan import Curve, Surface
from ..names import CONTINUED, GROUPS, METHODS
from ..study.study import Study
from ..training.finetune import Run
from ..training.history import loss_of_epoch
from .explorer_data import PAPERS, SPLITS, Cube, View
from .style import how_name

Shown = tuple[list[View], list[Cube]]


def both(scanned: Callable[..., Any], *of: str) -> dict[str, Any]:
    """The curves or surfaces of both splits, as readers call them."""
    return {name: scanned(*of, split) for name, split in SPLITS.items()}


def view(study: Study, task: str, how: str = "", **parts: Any) -> View:
    """A view under the names of its task and training; unless others are named, of what the paper draws."""
    return View(task=study.heading(task), how=how_name(how), **{"quantities": PAPERS} | parts)


def histories(study: Study, tasks: Sequence[str]) -> Shown:
    """Section 5.2: the training, epoch by epoch, in the form of curves along it."""
    return [history_of(study, *of) for of in product(tasks, study.ways)], []


def history_of(study: Study, task: str, how: str) -> View:
    """What was recorded, epochs for alpha, with the standard error of an epoch's training loss."""
    run, facts = study.run(task, how), study.facts(task)
    stderr = np.array([np.nan, *(loss_of_epoch(run, epoch + 1)[1] for epoch in range(run.epochs))])
    epochs, unknown = np.arange(run.epochs + 1.0), np.full(run.epochs + 1, np.nan)
    known: dict[str, Any] = {"alpha": epochs, "error_stderr": unknown, "marks": {}, "norm": np.nan}
    known |= {"precision": "", "precision_error": 0.0}
    measured = recorded(run)
    loss, dev_loss, dev_error = measured.values()
    n, dev_n = facts["train_examples"], facts["dev_examples"]
    curves = {
        "training": Curve(loss=loss, loss_stderr=stderr, error=unknown, examples=n, **known),
        "dev": Curve(loss=dev_loss, loss_stderr=unknown, error=dev_error, examples=dev_n, **known),
    }
    return view(study, task, how, curves=curves, quantities=tuple(measured), axis="epoch")


def curves(study: Study, tasks: Sequence[str]) -> Shown:
    """Section 6.1: training loss and dev error along delta_1."""
    return [view(study, *of, curves=both(study.curve, *of)) for of in product(tasks, study.ways)], []


def surfaces(study: Study, tasks: Sequence[str]) -> Shown:
    """Sections 5.1, 5.2 and 6.2: surfaces with their trajectories, and the 1D curve that crosses them."""
    return [
        replace(landscape_of(study, *of, both(study.surface, *of)), history=recorded(study.run(*of)))
        for of in product(tasks, study.ways)
    ], []


def landscape_of(study: Study, task: str, how: str, surfaces: Mapping[str, Surface]) -> View:
    """These surfaces of a training, with its curves and trajectories."""
    trajectories = [study.trajectory(task, how, method) for method in METHODS]
    curves = both(study.curve, task, how)
    return view(study, task, how, surfaces=surfaces, curves=curves, trajectories=trajectories)


def overfitting(study: Study, tasks: Sequence[str]) -> Shown:
    """Section 5.3: dev error and the epochs beyond; of the profile's task for it, whatever `tasks` says."""
    task = study.overfit_task
    scanned = both(study.surface, task, "pretrained")
    first, further = study.run(task), study.run(task, CONTINUED)
    shown = view(
        study,
        task,
        surfaces={name: scanned[name] for name in ("dev", "training")},
        trajectories=[study.overfitting(method) for method in METHODS],
        history=recorded(first, further),
        turn=first.epochs,
    )
    return [shown], []


def recorded(*runs: Run) -> dict[str, np.ndarray]:
    """Training loss, dev loss and dev error after each epoch of a run, and of the run that went on from its end.

    The training loss is the mean over an epoch's steps; there is none before the first.
    """
    rows = []
    for run in runs:
        loss = [np.nan, *(loss_of_epoch(run, epoch + 1)[0] for epoch in range(run.epochs))]
        rows.append(np.c_[loss, run.dev_loss, 1 - run.dev_accuracy])
    whole = np.concatenate([rows[0], *(more[1:] for more in rows[1:])])
    return dict(zip(("training loss", "dev loss", "dev error"), whole.T, strict=True))


def layers(study: Study, tasks: Sequence[str]) -> Shown:
    """Section 7: the surfaces of each layer group, and the three groups rolled back together."""
    return [
        view(study, task, surfaces=both(study.layer_surface, task, group), layers=f"{group} layers")
        for task, group in product(tasks, GROUPS)
    ], [rollback_cube(study, task) for task in tasks]


def rollback_cube(study: Study, task: str) -> Cube:
    """The three layer groups of a task's fine-tuned run, each rolled back by any share."""
    found = study.cube(task)
    groups = [f"{group} layers" for group in GROUPS]
    return Cube(study.heading(task), groups, AXIS, found["accuracy"], int(found["examples"]))


SHOWN: dict[str, Callable[[Study, Sequence[str]], Shown]] = {
    show.__name__: show for show in (histories, surfaces, curves, overfitting, layers)
}


def views_of(study: Study, tasks: Sequence[str], show: str) -> Shown:
    """Views and cubes of the given tasks, of all the study's where none is given. UserError for an unknown `show`."""
    if show not in SHOWN:
        raise UserError(f"unknown show={show!r}; allowed are {', '.join(SHOWN)}")
    return SHOWN[show](study, [study.trainings.known(task) for task in tasks] or study.tasks)
