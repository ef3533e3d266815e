"""What a user's own Trainer measured of a checkpoint, and whether we measure the same."""

import json
import math
import re
from collections.abc import Mapping
from pathlib import Path

# Of what a Trainer measures, after "eval_".
NAMES = {"loss": "loss", "accuracy": "accuracy", "acc": "accuracy"}
# A Trainer in float32 comes to the same six digits; in bfloat16, which keeps 8 bits, to about three.
AGREE = 2e-3


def evaluations(folder: Path) -> Mapping[str, float]:
    """ "loss" and "accuracy" at the checkpoint's own step, as far as `trainer_state.json` in its folder has them."""
    try:
        state = json.loads((folder / "trainer_state.json").read_text("utf-8"))
        records = [record for record in state["log_history"] if record["step"] == state["global_step"]]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    if state.get("best_model_checkpoint") and not re.search(r"\d+$", folder.name):
        return {}  # a training's own folder may hold its best checkpoint, not that of its last step
    measured = {}
    for name, value in (pair for record in records for pair in record.items()):
        what = NAMES.get(re.sub("^eval[_/]", "", name.lower()))
        if what and name.lower().startswith("eval") and isinstance(value, int | float):
            measured[what] = value / 100 if what == "accuracy" and value > 1 else float(value)
    return measured


def differing(checkpoint: str, theirs: Mapping[str, float], found: Mapping[str, float]) -> str:
    """One line with both numbers where the user's Trainer measured `theirs` on dev and `found` is another; else ""."""
    apart = [
        f"{name} {value:.6g}, here {found[name]:.6g}"
        for name, value in theirs.items()
        if not (math.isnan(found[name]) or abs(value - found[name]) <= AGREE * max(1.0, abs(value)))
    ]
    if not apart:
        return ""
    return (
        f"{checkpoint}: its Trainer measured on dev {'; '.join(apart)}: are these its dev examples, its columns and "
        "its max_length?"
    )
