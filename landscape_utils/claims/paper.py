"""Numbers printed in the paper: Hao et al. 2019, https://aclanthology.org/D19-1424/."""

from __future__ import annotations

# Table 1: accuracy in % on the dev sets of BERT-large, fine-tuned; then with layers 0-7, 8-15, 16-23 rolled back.
TABLE_1 = {
    "mnli": {"fine-tuned": 86.54, "low": 86.73, "middle": 84.71, "high": 32.85},
    "rte": {"fine-tuned": 75.45, "low": 73.29, "middle": 70.04, "high": 47.29},
    "sst2": {"fine-tuned": 94.04, "low": 93.69, "middle": 93.12, "high": 59.29},
    "mrpc": {"fine-tuned": 90.20, "low": 87.99, "middle": 80.15, "high": 78.17},
}
# Examples of these dev sets (Wang et al. 2019); of MNLI the matched one.
DEV_EXAMPLES = {"mnli": 9815, "rte": 277, "sst2": 872, "mrpc": 408}
# The differences as Table 1 prints them below the accuracies.
TABLE_1_DIFFERENCES = {
    "mnli": {"low": 0.19, "middle": -1.83, "high": -53.88},
    "rte": {"low": -2.16, "middle": -5.41, "high": -28.16},
    "sst2": {"low": -0.35, "middle": -0.92, "high": -34.75},
    "mrpc": {"low": -2.21, "middle": -10.05, "high": -12.03},
}


def misprints() -> list[tuple[str, str, float, float]]:
    """(task, group, printed, computed) wherever a printed difference is not that of the printed accuracies."""
    found = []
    for task, differences in TABLE_1_DIFFERENCES.items():
        for group, printed in differences.items():
            computed = round(TABLE_1[task][group] - TABLE_1[task]["fine-tuned"], 2)
            if computed != printed:
                found.append((task, group, printed, computed))
    return found


# The set-up where the paper leaves open what profile `paper` had to choose, or counts in another way (sections 3 to 5).
# It follows "the settings and the hyper-parameters suggested in Devlin et al. (2018)", which leave some of it open too.
OPEN = "not said"
DEVLIN = "not said; “suggested in Devlin et al. (2018)”"
SETUP = {
    "parameters of the encoder": "345 million, by its own count",
    "tokens of an example, at most": OPEN,
    "epochs of fine-tuning": "3, 4 or 5",
    "learning rate from scratch": "“mostly” that of fine-tuning",
    "learning rate chosen": OPEN,
    "Adam's β₁, β₂ and ε": DEVLIN,
    "Adam's bias correction": OPEN,
    "weight decay": DEVLIN,
    "warm-up": DEVLIN,
    "dropout": DEVLIN,
    "largest norm of a gradient": OPEN,
    "order of the examples": OPEN,
    "the optimiser in the further epochs": OPEN,
    "precision of training": OPEN,
    "precision of landscapes": OPEN,
    "seeds": OPEN,
    "δ₂ from": "a data set chosen at random",
    "examples of a landscape": OPEN,
}
