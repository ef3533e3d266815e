"""Loss landscapes of transformers: Hao et al. (EMNLP 2019) reproduced, and a tool for anybody's own model."""

from importlib import import_module
from typing import Any

# Where each public name lives. It is imported when it is first asked for: torch alone takes seconds.
HOMES = {
    "Checkpoints": "study.checkpoints",
    "Curve": "landscape.scan",
    "Line": "landscape.scan",
    "Mark": "landscape.scan",
    "Measurement": "engine.objective",
    "Objective": "engine.objective",
    "ParameterSpace": "engine.space",
    "Plane": "landscape.scan",
    "Profile": "profiles.profile",
    "Rollback": "landscape.rollback",
    "Run": "training.finetune",
    "Study": "study.study",
    "Surface": "landscape.scan",
    "Task": "training.tasks",
    "Trajectory": "landscape.trajectory",
    "UserError": "errors",
    "check_names": "environment",
    "fine_tune": "training.finetune",
    "in_order": "training.checkpoints",
    "layer_groups": "engine.space",
    "load_profile": "profiles",
    "project": "landscape.trajectory",
    "read_task": "training.checkpoints",
    "roll_back": "landscape.rollback",
    "scan": "landscape.scan",
}
__all__ = sorted(HOMES)


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f".{HOMES[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *HOMES})
