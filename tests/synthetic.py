"""Curves, surfaces, trajectories and runs with known properties, made of formulas: no model, no training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from landscape_utils.finetune import Run
from landscape_utils.landscape import Curve, Mark, Surface
from landscape_utils.rollback import LAYER_MARKS
from landscape_utils.trajectory import Trajectory

START_END = {"start": (0.0, 0.0), "end": (1.0, 0.0)}


def curve_of(function, points: int = 41, span: float = 4.0, **changes: Any) -> Curve:
    """f(alpha) on a grid and at the marks; the error rate is 1 - exp(-loss), the standard errors are 0."""
    alpha = np.linspace(-span, span, points)
    loss = np.asarray(function(alpha), dtype=float) + 0 * alpha
    marks = {name: mark_of(function(np.array(at[0])), at) for name, at in START_END.items()}
    return Curve(alpha=alpha, marks=marks, **common(loss) | changes)


def surface_of(function, points: int = 81, span: float = 4.0, places=START_END, **changes: Any) -> Surface:
    """f(alpha, beta) on a grid and at the marks; the error rate is 1 - exp(-loss), the standard errors are 0."""
    axis = np.linspace(-span, span, points)
    loss = np.asarray(function(axis[:, None], axis[None, :]), dtype=float) + 0 * axis[:, None] * axis
    marks = {name: mark_of(function(*map(np.array, at)), at) for name, at in places.items()}
    return Surface(alpha=axis, beta=axis.copy(), marks=marks, **{"cosine": 0.0} | common(loss) | changes)


def layer_surface_of(function, **changes: Any) -> Surface:
    return surface_of(function, places=LAYER_MARKS, **changes)


def mark_of(loss: Any, at: tuple[float, float]) -> Mark:
    return Mark(*at, float(loss), float(1 - np.exp(-loss)), 0.0, 0.0)


def common(loss: np.ndarray) -> dict[str, Any]:
    return {
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
