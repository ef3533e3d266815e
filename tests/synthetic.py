"""Curves, surfaces, trajectories and runs with known properties, made of formulas: no model, no training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from landscape_utils.landscape.directions import RandomDirections
from landscape_utils.landscape.paths import Obstacles
from landscape_utils.landscape.rollback import LAYER_MARKS, Rollback
from landscape_utils.landscape.scan import Curve, Mark, Surface
from landscape_utils.landscape.trajectory import Trajectory
from landscape_utils.landscape.walk import Walk
from landscape_utils.names import display_name
from landscape_utils.training.finetune import Run

START_END = {"start": (0.0, 0.0), "end": (1.0, 0.0)}


def curve_of(function, points: int = 41, span: float = 4.0, **changes: Any) -> Curve:
    """f(alpha) on a grid and at the marks; the error rate is 1 - exp(-loss), the standard errors are 0."""
    alpha = np.linspace(-span, span, points)
    loss = np.asarray(function(alpha), dtype=float) + 0 * alpha
    marks = {name: mark_of(function(np.array(at[0])), at) for name, at in START_END.items()}
    return Curve(alpha=alpha, marks=marks, **common(loss, marks) | changes)


def surface_of(function, points: int = 81, span: float = 4.0, places=START_END, **changes: Any) -> Surface:
    """f(alpha, beta) on a grid and at the marks; the error rate is 1 - exp(-loss), the standard errors are 0."""
    axis = np.linspace(-span, span, points)
    loss = np.asarray(function(axis[:, None], axis[None, :]), dtype=float) + 0 * axis[:, None] * axis
    marks = {name: mark_of(function(*map(np.array, at)), at) for name, at in places.items()}
    return Surface(
        alpha=axis, beta=axis.copy(), marks=marks, **{"cosine": 0.0} | common(loss, marks) | changes
    )


def layer_surface_of(function, **changes: Any) -> Surface:
    return surface_of(function, places=LAYER_MARKS, **changes)


def mark_of(loss: Any, at: tuple[float, float]) -> Mark:
    return Mark(*at, float(loss), float(1 - np.exp(-loss)), 0.0, 0.0)


def draws_of(loss: np.ndarray, marks: dict[str, Mark], added=(0.0, 0.0, 0.0)) -> np.ndarray:
    """Bootstrap draws (draws, 2, points): the loss raised everywhere by each of `added`, the error as it is."""
    losses = np.concatenate([loss.ravel(), [mark.loss for mark in marks.values()]])
    draws = [[losses + more, 1 - np.exp(-losses)] for more in added]
    return np.array(draws, dtype=np.float32)


def common(loss: np.ndarray, marks: dict[str, Mark]) -> dict[str, Any]:
    return {
        "draws": draws_of(loss, marks),
        "loss": loss,
        "error": 1 - np.exp(-loss),
        "loss_stderr": np.zeros_like(loss),
        "error_stderr": np.zeros_like(loss),
        "examples": 128,
        "norm": 3.0,
        "precision": "float32",
        "precision_error": 0.0,
    }


def run_of(loss, epochs: int = 4, steps_each: int = 20, **changes: Any) -> Run:
    """A run whose training loss is loss(epoch)."""
    epoch = np.arange(1, epochs * steps_each + 1) / steps_each
    return Run(
        **{
            "task": "mrpc",
            "how": "pretrained",
            "seed": 0,
            "folder": Path("nowhere"),
            "epochs": epochs,
            "step": np.arange(1, epochs * steps_each + 1),
            "loss": np.asarray(loss(epoch), dtype=float) + 0 * epoch,
            "epoch_of_step": epoch,
            "dev_accuracy": np.linspace(0.5, 0.9, epochs + 1),
            "dev_loss": np.linspace(0.7, 0.3, epochs + 1),
            "seconds": 1.0,
            "majority": 0.5,
        }
        | changes
    )


def trajectory_of(alpha, beta, **changes: Any) -> Trajectory:
    alpha, beta = np.asarray(alpha, dtype=float), np.asarray(beta, dtype=float)
    norm = np.hypot(alpha, beta)
    with np.errstate(invalid="ignore"):
        cosine = alpha / norm
    known = {"in_plane": np.ones_like(alpha), "cosine": cosine, "norm": norm, "method": "plane"}
    return Trajectory(alpha=alpha, beta=beta, **known | changes)


STEEP = {"scratch": 4.0, "pretrained": 1.0}  # curvature at the end
NORM = {"scratch": 6.0, "pretrained": 2.0}  # |delta_1|


def bowl(how):
    return lambda x, y=0.0: 0.1 + STEEP[how] * ((x - 1) ** 2 + y**2) / 2


def make_study(tasks=("mnli", "rte", "sst2", "mrpc"), **changes) -> SimpleNamespace:
    """From scratch: four times as steep, three times as far, slower, a wall on the way, a crooked path."""

    def run(task, how="pretrained", seed=0):
        ends = {"scratch": [0.5, 0.6], "pretrained": [0.5, 0.9], "continued": [0.9, 0.88]}[how]
        speed = {"scratch": 0.25, "pretrained": 1.0, "continued": 1.0}[how]
        return run_of(
            lambda epoch: np.log(2) * np.exp(-speed * epoch),
            task=task,
            how=how,
            seed=seed,
            epochs=8 if how == "scratch" else 4,
            dev_accuracy=np.array(ends),
        )

    def curve(task, how="pretrained", split="train", seed=0):
        wall = 0.3 if how == "scratch" else 0.0
        return curve_of(lambda x: bowl(how)(x) + wall * np.sin(10 * x) ** 2, 401, norm=NORM[how])

    def straight(how="pretrained", marks=("start", "end")):
        """From ln 2 down to 0.1, from scratch over a wall of 0.3 half-way; alpha in [0, 1]."""
        found = curve_of(
            lambda x: 0.1 + 0.593 * (1 - x) + (0.3 if how == "scratch" else 0) * (abs(x - 0.5) < 0.1), 41, 1.0
        )
        inside = found.alpha >= 0
        draws = np.concatenate([found.draws[:, :, :41][:, :, inside], found.draws[:, :, 41:]], axis=2)
        cut = {
            name: getattr(found, name)[inside]
            for name in ("alpha", "loss", "error", "loss_stderr", "error_stderr")
        }
        return replace(
            found,
            **cut,
            draws=draws,
            marks=dict(zip(marks, found.marks.values(), strict=True)),
            norm=NORM[how],
        )

    def walk(task, how="pretrained", seed=0):
        cosine = {"scratch": 0.7, "pretrained": 0.9}[how]
        return Walk(
            norm=np.array([0, 0.6, 1.0]), cosine=np.array([np.nan, cosine, 1.0]), leg=np.array([0.6, 0.5]),
            quarter=np.array([0.5, cosine]), size=np.array([10.0, 11.0]), dimension=10_000, angle=0.02,
            moved=np.array([1.0, 2.0, 3.0]), group_size=np.array([10.0, 10.0, 10.0]),
        )  # fmt: skip

    def directions(task, how="pretrained", seed=0):
        radius = np.linspace(0.1, 1, 10)
        loss = np.tile(0.1 + STEEP[how] * radius**2, (20, 1))
        draws = np.tile(np.append(0.1, loss.ravel()).astype(np.float32), (3, 1))
        return RandomDirections(radius, 0.1, loss, draws, 128, 0.0)

    def rollback(task, learning_rate=None, seed=0):
        """Of 400 examples 360 are right, and 352, 320 and 240 with low, middle and high layers back."""
        correct = np.arange(400) < np.array([[360], [352], [320], [240]])
        stderr = {"low": 0.016, "middle": 0.02, "high": 0.024}
        layers, moved = (
            {"low": (0, 1), "middle": (2, 3), "high": (4, 5)},
            {"low": 1.0, "middle": 2.0, "high": 3.0},
        )
        groups = {"low": 0.88, "middle": 0.8, "high": 0.6}
        loss = np.where(correct, 0.1, 2.0).astype(np.float32)
        return Rollback(400, 0.9, 0.015, groups, stderr, layers, moved, loss, correct)

    def trajectory(task, how="pretrained", method="plane", seed=0):
        return trajectory_of([0, 0.5, 1.0], [0, 0.5 if how == "scratch" else 0.1, 0])

    way = SimpleNamespace(epochs=4, learning_rate=1e-5, batch_size=32)
    task_spec = SimpleNamespace(
        source="glue", other="rte", pretrained=way, scratch=SimpleNamespace(**vars(way) | {"epochs": 8})
    )
    study = {
        "tasks": tasks,
        "ways": ("scratch", "pretrained"),
        "heading": display_name,
        "trainings": SimpleNamespace(generated=lambda task: False),
        "partner": lambda task: "rte",
        "layer_tasks": tasks[:1],
        "seeds": (0,),
        "profile": SimpleNamespace(
            overfitting=SimpleNamespace(task="mrpc"), tasks=dict.fromkeys(tasks, task_spec)
        ),
        "facts": lambda task: {
            "train_examples": 3600,
            "dev_examples": 400,
            "labels": ["no", "yes"],
            "majority": 0.525,
        },
        "run": run,
        "curve": curve,
        "surface": lambda task, how="pretrained", split="train", seed=0: surface_of(
            bowl(how), norm=NORM[how], cosine=0.05
        ),
        "trajectory": trajectory,
        "overfitting": lambda method="plane": trajectory_of([0, 0.5, 1.0, 1.3], [0, 0.1, 0, 0.4]),
        "layer_surface": lambda task, group, split="train", seed=0: layer_surface_of(
            lambda x, y: {"low": 1.0, "middle": 4.0, "high": 16.0}[group] * (x**2 + y**2) / 2,
            points=401,
        ),
        "learning_rates": lambda task: [1e-4],
        "rollback": rollback,
        "overfit_task": "mrpc",
        "seeds_of": lambda kind, task, how: changes.get("seeds", (0,)),
        "schedule": lambda task, how: np.linspace(1, 0, 40),
        "walk": walk,
        "path": lambda task, how="pretrained", seed=0: straight(how),
        "obstacles": lambda task, how="pretrained", seed=0: Obstacles(
            straight(how), straight(how, ("start", "first epoch"))
        ),
        "random_directions": directions,
        "barrier": lambda task, split="train", seed=0: straight(),
    }
    return SimpleNamespace(**study | changes)
