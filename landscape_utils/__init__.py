"""Loss landscapes of transformers: Hao et al. (EMNLP 2019) reproduced, and a tool for anybody's own model."""

from .errors import UserError
from .landscape import Curve, Line, Mark, Plane, Surface, scan
from .objective import Measurement, Objective
from .parameters import ParameterSpace, layer_groups
from .trajectory import Trajectory, project

__all__ = [
    "Curve",
    "Line",
    "Mark",
    "Measurement",
    "Objective",
    "ParameterSpace",
    "Plane",
    "Surface",
    "Trajectory",
    "UserError",
    "layer_groups",
    "project",
    "scan",
]
