"""Numbers printed in the paper: Hao et al. 2019, https://aclanthology.org/D19-1424/."""

from __future__ import annotations

from collections.abc import Iterable

# Table 1: accuracy in % on the dev sets of BERT-large, fine-tuned; then with layers 0-7, 8-15, 16-23 rolled back.
TABLE_1 = {
    "mnli": {"fine-tuned": 86.54, "low": 86.73, "middle": 84.71, "high": 32.85},
    "rte": {"fine-tuned": 75.45, "low": 73.29, "middle": 70.04, "high": 47.29},
    "sst2": {"fine-tuned": 94.04, "low": 93.69, "middle": 93.12, "high": 59.29},
    "mrpc": {"fine-tuned": 90.20, "low": 87.99, "middle": 80.15, "high": 78.17},
}
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


FLATTER = (
    "6.1",
    "Figure 5 shows that the optima of fine-tuning BERT are more flat, while training from scratch obtains "
    "more sharp optima.",
)

# Claim -> section and sentence; [...] marks what is left out. Variants of a claim share its sentence.
SENTENCES = {
    "better-accuracy": (
        "5",
        "Fine-tuning BERT [...] usually performs significantly better than training the same network with random "
        "initialization, especially when the data size is small.",
    ),
    "faster-convergence": (
        "5.2",
        "We find that training from scratch requires more iterations to converge on the datasets, while "
        "pre-training-then-fine-tuning converges faster in terms of training loss.",
    ),
    "lower-final-loss": (
        "5.2",
        "We also notice that the final loss of training from scratch tends to be higher than fine-tuning BERT, "
        "even if it undergoes more epochs.",
    ),
    "smooth-path": (
        "5.1",
        "As shown in Figure 1, the fine-tuning path from the start point to the end point on the loss landscape "
        "is more smooth than training from scratch.",
    ),
    "flatter-curve": FLATTER,
    "wider-optimum": (
        "5.1",
        "We observe that the optima obtained by fine-tuning BERT are much wider than training from scratch.",
    ),
    "surfaces-agree": (
        "6.2",
        "The results show that the generalization error surfaces are consistent with the corresponding training "
        "loss surfaces on the datasets, i.e., smaller training loss tends to decrease the error on the "
        "development set.",
    ),
    "orthogonal-directions": (
        "3.2",
        "Even though the other dataset is randomly chosen, experimental results confirm that the optimization "
        "directions δ₁, δ₂ are divergent and orthogonal to each other because of the high-dimensional parameter "
        "space.",
    ),
    "straighter-path": (
        "5.2",
        "As shown in Figure 3, for training from scratch, the optimization directions of the first few epochs are "
        "divergent from the final optimization direction. [...] Compared with training from scratch, fine-tuning "
        "BERT finds the optimization direction in a more straightforward way.",
    ),
    "robust-to-overfitting": (
        "5.3",
        "However, experimental results show fine-tuning BERT is robust to over-fitting, i.e., the generalization "
        "error (namely, the classification error rate on the development set) does not dramatically increase for "
        "more training epochs, despite the huge number of model parameters.",
    ),
    "stays-near": (
        "5.3",
        "Figure 4 shows that even though we fine-tune the BERT model for twenty more epochs, the final estimation "
        "is not far away from its original optimum.",
    ),
    "low-layers-transfer": (
        "7",
        "Similar to Figure 7, the generalization capability does not dramatically decrease after rollbacking low "
        "layers or middle layers. [...] By contrast, rollbacking high layers hurts the model performance.",
    ),
    "low-layers-wider": (
        "7",
        "Figure 7 shows that the loss surface with respect to lower layers has the wider local optimum along the "
        "optimization direction.",
    ),
}


# What the sentences speak of; the others stand in the text alone.
FIGURES = {
    "Figure 1": ("wider-optimum", "smooth-path"),
    "Figure 2": ("faster-convergence", "lower-final-loss"),
    "Figure 3": ("straighter-path",),
    "Figure 4": ("robust-to-overfitting", "stays-near"),
    "Figure 5": ("flatter-curve",),
    "Figure 6": ("surfaces-agree",),
    "Figure 7": ("low-layers-wider",),
    "Table 1": ("low-layers-transfer",),
}
# The set-up where the paper leaves open what profile `paper` had to choose, or counts in another way; sections 3 to 5.
OPEN = "not said"
SETUP = {
    "parameters of the encoder": "345 million, by its own count",
    "tokens of an example, at most": OPEN,
    "epochs of fine-tuning": "3, 4 or 5",
    "precision of training": OPEN,
    "precision of landscapes": OPEN,
    "seeds": OPEN,
    "δ₂ from": "a data set chosen at random",
    "examples of a landscape": OPEN,
}


def sentence(claim: str) -> tuple[str, str]:
    """Section and sentence of a claim, or of the claim that it is a variant of: "wider-optimum-distance"."""
    return SENTENCES[_stem(claim)]


def messages(claims: Iterable[str]) -> list[tuple[str, tuple[str, str], list[str]]]:
    """(figure, (section, sentence), the claims that measure it), in the order of the figures."""
    found: dict[tuple[str, str], list[str]] = {}
    for claim in claims:
        found.setdefault(SENTENCES[_stem(claim)], []).append(claim)
    figure = {stem: figure for figure, stems in FIGURES.items() for stem in stems}
    places = [*FIGURES, "the text"]
    rows = [(figure.get(_stem(names[0]), "the text"), sentence, names) for sentence, names in found.items()]
    return sorted(rows, key=lambda row: places.index(row[0]))


def _stem(claim: str) -> str:
    return next(name for name in SENTENCES if claim.startswith(name))
