"""Loss landscapes of transformers: Hao et al. (EMNLP 2019) reproduced, and a tool for anybody's own model."""

from .engine.objective import Measurement, Objective
from .engine.space import ParameterSpace, layer_groups
from .environment import check_names
from .errors import UserError
from .landscape.rollback import Rollback, roll_back
from .landscape.scan import Curve, Line, Mark, Plane, Surface, scan
from .landscape.trajectory import Trajectory, project
from .profiles import Profile, load_profile
from .study.checkpoints import Checkpoints
from .study.study import Study
from .training.checkpoints import in_order, read_task
from .training.finetune import Run, fine_tune
from .training.tasks import Task

__all__ = [
    "Checkpoints",
    "Curve",
    "Line",
    "Mark",
    "Measurement",
    "Objective",
    "ParameterSpace",
    "Plane",
    "Profile",
    "Rollback",
    "Run",
    "Study",
    "Surface",
    "Task",
    "Trajectory",
    "UserError",
    "check_names",
    "fine_tune",
    "in_order",
    "layer_groups",
    "load_profile",
    "project",
    "read_task",
    "roll_back",
    "scan",
]
