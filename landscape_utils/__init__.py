"""Loss landscapes of transformers: Hao et al. (EMNLP 2019) reproduced, and a tool for anybody's own model."""

from .errors import UserError
from .finetune import Run, fine_tune
from .landscape import Curve, Line, Mark, Plane, Surface, scan
from .objective import Measurement, Objective
from .parameters import ParameterSpace, layer_groups
from .places import check_names
from .profiles import Profile, load_profile
from .rollback import Rollback, roll_back
from .study import Study
from .tasks import Task
from .trajectory import Trajectory, project

__all__ = [
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
    "layer_groups",
    "load_profile",
    "project",
    "roll_back",
    "scan",
]
