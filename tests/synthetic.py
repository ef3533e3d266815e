"""Curves, surfaces, trajectories and runs with known properties, made of formulas: no model, no training."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from landscape_utils import Curve, Mark, Rollback, Run, Surface, Trajectory
from landscape_utils.names import GROUPS, display_name

START_END = {"start": (0.0, 0.0), "end": (1.0, 0.0)}


def curve_of(function, points: int = 41, span: float = 4.0, **changes: Any) -> Curve:
    """f(alpha) on a grid and at the marks; the error rate is 1 - exp(-loss), the standard errors are 0."""
    alpha = np.linspace(-span, span, points)
    return Curve(**scanned(function, START_END, alpha) | changes)


def surface_of(function, points: int = 81, span: float = 4.0, places=START_END, **changes: Any) -> Surface:
    """f(alpha, beta) on a grid and at the marks, as of a curve."""
    axis = np.linspace(-span, span, points)
    return Surface(**scanned(function, places, axis, axis) | {"beta": axis.copy(), "cosine": 0.0} | changes)


def scanned(function, places, *axes: np.ndarray) -> dict[str, Any]:
    loss, marks = function(*np.ix_(*axes)) + np.zeros([len(axis) for axis in axes]), {}
    for name, at in places.items():
        found = float(function(*map(np.array, at[: len(axes)])))
        marks[name] = Mark(*at, found, float(1 - np.exp(-found)), 0.0, 0.0)
    return common(loss, axes[0], marks)


def draws_of(loss: np.ndarray, marks: dict[str, Mark], added=(0.0, 0.0, 0.0)) -> np.ndarray:
    """Bootstrap draws (draws, 2, points): the loss raised everywhere by each of `added`, the error as it is."""
    losses = np.concatenate([loss.ravel(), [mark.loss for mark in marks.values()]])
    draws = [[losses + more, 1 - np.exp(-losses)] for more in added]
    return np.array(draws, dtype=np.float32)


def common(loss: np.ndarray, alpha: np.ndarray, marks: dict[str, Mark]) -> dict[str, Any]:
    """The fields that curves and surfaces have."""
    found = {"loss": loss, "error": 1 - np.exp(-loss), "draws": draws_of(loss, marks)}
    stderrs = {"loss_stderr": np.zeros_like(loss), "error_stderr": np.zeros_like(loss)}
    stated = {"examples": 128, "norm": 3.0, "precision": "float32", "precision_error": 0.0}
    return {"alpha": alpha, "marks": marks} | found | stderrs | stated


def rollback_of(correct: np.ndarray) -> Rollback:
    """Of examples that are right or not, (4, n): fine-tuned, and with the low, middle and high layers back."""
    accuracy = dict(zip(GROUPS, correct[1:].mean(axis=1), strict=True))
    layers = {"low": (0, 1), "middle": (2, 3), "high": (4, 5)}
    zeros, loss = dict.fromkeys(GROUPS, 0.0), np.where(correct, 0.1, 2.0).astype(np.float32)
    return Rollback(correct.shape[1], correct[0].mean(), 0.015, accuracy, zeros, layers, zeros, loss, correct)


def run_of(loss, epochs: int = 4, steps_each: int = 20, **changes: Any) -> Run:
    """A run whose training loss is loss(epoch)."""
    step = np.arange(1, epochs * steps_each + 1)
    epoch = step / steps_each
    named = {"task": "mrpc", "how": "pretrained", "seed": 0, "folder": Path("nowhere")}
    steps = {"step": step, "loss": np.asarray(loss(epoch), dtype=float) + 0 * epoch, "epoch_of_step": epoch}
    dev = {"dev_accuracy": np.linspace(0.5, 0.9, epochs + 1), "dev_loss": np.linspace(0.7, 0.3, epochs + 1)}
    return Run(**named | steps | dev | {"epochs": epochs, "seconds": 1.0, "majority": 0.5} | changes)


def trajectory_of(alpha, beta, **changes: Any) -> Trajectory:
    alpha, beta = np.asarray(alpha, dtype=float), np.asarray(beta, dtype=float)
    norm = np.hypot(alpha, beta)
    with np.errstate(invalid="ignore"):
        known = {"in_plane": np.ones_like(alpha), "cosine": alpha / norm, "norm": norm, "method": "plane"}
    return Trajectory(alpha=alpha, beta=beta, **known | changes)


def make_study(tasks=("mnli", "rte", "sst2", "mrpc"), **changes) -> SimpleNamespace:
    """What tables and the ladder ask a study for; from scratch it goes three times as far, slower, and not straight."""

    def run(task, how="pretrained", seed=0):
        accuracy = {"scratch": [0.5, 0.6], "pretrained": [0.5, 0.9], "continued": [0.9, 0.88]}[how]
        speed, epochs = (0.25, 8) if how == "scratch" else (1.0, 4)
        named = {"task": task, "how": how, "seed": seed, "dev_accuracy": np.array(accuracy)}
        return run_of(lambda epoch: np.log(2) * np.exp(-speed * epoch), epochs=epochs, **named)

    def surface(task, how):
        norm = {"scratch": 6.0, "pretrained": 2.0}[how]
        return surface_of(lambda x, y: (x - 1) ** 2 + y**2, norm=norm, cosine=0.05)

    def rollback(task, seed=0):
        """Of 400 examples 360 are right, and 352, 320 and 240 with low, middle and high layers back."""
        return rollback_of(np.arange(400) < np.array([[360], [352], [320], [240]]))

    def trajectory(task, how, method="plane"):
        return trajectory_of([0, 0.5, 1.0], [0, 0.5 if how == "scratch" else 0.1, 0])

    way = {"learning_rate": 1e-5, "batch_size": 32}
    both = {how: SimpleNamespace(epochs=n, **way) for how, n in (("scratch", 8), ("pretrained", 4))}
    profile = SimpleNamespace(tasks=dict.fromkeys(tasks, SimpleNamespace(source="glue", **both)))
    facts = {"train_examples": 3600, "dev_examples": 400, "labels": ["no", "yes"], "majority": 0.525}
    no, known = (lambda task: None), (lambda task: facts)
    study = {
        "tasks": tasks,
        "ways": ("scratch", "pretrained"),
        "seed": 0,
        "seeds": (0,),
        "seeds_of": lambda kind, task, how: (0,),
        "profile": profile,
        "trainings": SimpleNamespace(generated=no, similarity=no, facts=known),
        "heading": display_name,
        "partner": lambda task: "rte",
        "overfit_task": "mrpc",
        "facts": known,
        "learning_rates": lambda task: [1e-4],
        **{result.__name__: result for result in (run, surface, trajectory, rollback)},
    }
    return SimpleNamespace(**study | changes)
