"""Numbers printed in the paper, and its set-up: Hao et al. 2019, https://aclanthology.org/D19-1424/."""

import tomllib
from pathlib import Path
from typing import Any

PRINTED: dict[str, Any] = tomllib.loads(Path(__file__).with_name("paper.toml").read_text(encoding="utf-8"))
TABLE_1: dict[str, dict[str, float]] = PRINTED["table_1"]
DEV_EXAMPLES: dict[str, int] = PRINTED["dev_examples"]
SETUP: dict[str, str] = PRINTED["setup"]


def misprints() -> list[tuple[str, str, float, float]]:
    """(task, group, printed, computed) wherever a printed difference is not that of the printed accuracies."""
    found = []
    for task, differences in PRINTED["table_1_differences"].items():
        for group, printed in differences.items():
            computed = round(TABLE_1[task][group] - TABLE_1[task]["fine-tuned"], 2)
            if computed != printed:
                found.append((task, group, printed, computed))
    return found
