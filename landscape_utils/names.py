"""The words that several parts share: tasks, ways of training, layer groups, splits, methods of projection."""

from typing import Any

TASK_NAMES = {"mnli": "MNLI", "rte": "RTE", "sst2": "SST-2", "mrpc": "MRPC"}
HOWS = ("pretrained", "scratch")  # ways of training: fine-tuned, and from random weights
CONTINUED = "continued"  # the further epochs of Figure 4, after a fine-tuning
GROUPS = ("low", "middle", "high")  # thirds of the encoder's layers
SPLITS = ("train", "dev")
METHODS = ("plane", "paper")  # of projection onto a plane
KINDS = (  # of results, by their folders in the store, in the order in which a study computes them
    "runs",
    "surfaces",
    "layers",
    "curves",
    "trajectories",
    "walks",
    "paths",
    "obstacles",
    "random_directions",
    "barriers",
    "rollbacks",
    "cubes",
    "unseen_words",
    "similarities",
)


def display_name(task: str) -> str:
    """The name of a task as papers write it: "sst2" -> "SST-2"; a user's task keeps its own name."""
    return TASK_NAMES.get(task, task)


def task_key(name: Any) -> Any:
    """The key of a task: "SST-2" and "sst-2" -> "sst2"; a user's task keeps its own name."""
    plain = name.strip().lower().replace("-", "") if isinstance(name, str) else name
    return plain if plain in tuple(TASK_NAMES) else name
