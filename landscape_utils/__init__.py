"""Loss landscapes of transformers: Hao et al. (EMNLP 2019) reproduced, and a tool for anybody's own model."""

from .checkpoints import in_order, read_task
from .errors import UserError
from .finetune import Run, fine_tune
from .landscape import Curve, Line, Mark, Plane, Surface, scan
from .objective import Measurement, Objective
from .own_study import Checkpoints
from .parameters import ParameterSpace, layer_groups
from .places import check_names
from .profiles import Profile, load_profile
from .rollback import Rollback, roll_back
from .study import Study
from .tasks import Task
from .trajectory import Trajectory, project

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
