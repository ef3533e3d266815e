"""The sentences of the paper, and the measure that decides each: `weigh` puts them to a study.

One claim for each sentence. Beside the measure that decides stand others, which say how far a verdict carries: another
unit, another loss, what chance alone would give. Thresholds (5 points for "dramatic", 5 % of the descent for an
obstacle, half of what was learned for the rim of an optimum) are the same for all tasks and profiles. They were set
after the first results of the profiles demo and minilm had been seen, and before those of mpnet.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import landscapes as land
from . import layers
from . import trainings as train
from .evidence import Claim, Measure, Measured
from .subject import Subject


@dataclass(frozen=True)
class Sentence:
    """A sentence of the paper and how it is measured; see `Claim`."""

    title: str
    section: str
    figure: str
    quotation: str
    primary: Measure
    carries: tuple[Measure, ...] = ()
    printed: Measured | None = None
    note: str = ""


CLAIMS: dict[str, Sentence] = {
    "accuracy": Sentence(
        "Fine-tuning reaches a higher accuracy",
        "5", "",
        "Fine-tuning BERT [...] usually performs significantly better than training the same network with random "
        "initialization",
        train.accuracy,
        (train.best_accuracy,),
    ),
    "small-data": Sentence(
        "The gain is larger on small data sets",
        "5", "",
        "especially when the data size is small.",
        train.gain_by_size,
    ),
    "speed": Sentence(
        "Fine-tuning converges in fewer epochs",
        "5.2", "Figure 2",
        "We find that training from scratch requires more iterations to converge on the datasets, while "
        "pre-training-then-fine-tuning converges faster in terms of training loss.",
        train.epochs_to_half,
        (train.first_epoch_loss,),
    ),
    "final-loss": Sentence(
        "From scratch, the final training loss is higher",
        "5.2", "Figure 2",
        "We also notice that the final loss of training from scratch tends to be higher than fine-tuning BERT, even if "
        "it undergoes more epochs.",
        train.last_epoch_loss,
        note="Section 6 of the paper says otherwise: “training from scratch can achieve comparable training losses as "
        "fine-tuning BERT”. Both sentences cannot be borne out by one measure.",
    ),
    "slow-start": Sentence(
        "From scratch, RTE is hardly learned in the first epochs",
        "5.2", "Figure 2",
        "On the RTE dataset, training the model from scratch has a hard time decreasing the loss in the first few epochs.",
        train.slow_start,
        (train.slower_than_others,),
    ),
    "smooth-fine-tuning": Sentence(
        "The straight way of fine-tuning only descends",
        "5.1", "Figure 1",
        "In other words, the training loss of fine-tuning BERT tends to monotonously decrease along the optimization "
        "direction, which eases optimization and accelerates training convergence.",
        land.smooth_fine_tuning,
        (land.unimpeded,),
    ),
    "rough-scratch": Sentence(
        "The straight way from scratch is rough",
        "5.1", "Figure 1",
        "In contrast, the path from random initial point to the end point is more rough, which requires a more carefully "
        "tweaked optimizer to obtain reasonable performance.",
        land.rough_scratch,
        (land.rougher,),
    ),
    "straight": Sentence(
        "Fine-tuning goes straighter to its end",
        "5.2", "Figure 3",
        "As shown in Figure 3, for training from scratch, the optimization directions of the first few epochs are "
        "divergent from the final optimization direction. [...] Compared with training from scratch, fine-tuning BERT "
        "finds the optimization direction in a more straightforward way.",
        train.straightness,
        (*train.straighter_than_chance, train.first_epoch_cosine),
    ),
    "first-direction": Sentence(
        "The first epoch's direction leads fine-tuning to its optimum",
        "5.2", "Figure 3",
        "In addition, because of the wider optima near the initial point, fine-tuning BERT tends to reach the expected "
        "optimal region even if it optimizes along the direction of the first epoch.",
        land.first_direction,
        (land.beyond_first_epoch,),
    ),
    "obstacle": Sentence(
        "From scratch, MRPC crosses an obstacle",
        "5.2", "Figure 3",
        "Moreover, the loss landscape from the initial point to the end point is more rough than fine-tuning BERT, we can "
        "see that the trajectory of training from scratch on the MRPC dataset crosses an obstacle to reach the end point.",
        land.crosses,
        (land.crosses_elsewhere,),
    ),
    "wider": Sentence(
        "Fine-tuned optima are wider",
        "5.1", "Figure 1",
        "We observe that the optima obtained by fine-tuning BERT are much wider than training from scratch.",
        land.wider_area,
        (land.wider_area_distance,),
    ),
    "flatter": Sentence(
        "Fine-tuned optima are flatter",
        "6.1", "Figure 5",
        "Figure 5 shows that the optima of fine-tuning BERT are more flat, while training from scratch obtains more sharp "
        "optima.",
        land.flatter,
        (land.wider_line, land.wider_line_distance),
        note="The paper normalises the scale of the axes. Random directions that are normalised row by row are the form of "
        "it whose result a rescaling of the weights cannot change.",
    ),
    "error-surface": Sentence(
        "Fine-tuned ends lie in wider regions of low error",
        "6.2", "Figure 6",
        "As shown in Figure 6, we find the end points of fine-tuning BERT fall into the wide areas with smaller "
        "generalization error. [...] In contrast, training from scratch obtains thinner optimum areas and poorer "
        "generalization than fine-tuning BERT",
        land.wider_error,
    ),
    "surfaces-agree": Sentence(
        "Where the training loss is lower, so is the dev error",
        "6.2", "Figure 6",
        "The results show that the generalization error surfaces are consistent with the corresponding training loss "
        "surfaces on the datasets, i.e., smaller training loss tends to decrease the error on the development set.",
        land.agree,
        (land.agree_plainly, land.agree_more),
    ),
    "agree-on-large": Sentence(
        "From scratch, the surfaces agree better on large data sets",
        "6.2", "Figure 6",
        "For training from scratch, it is not surprising that on larger datasets (such as MNLI, and SST-2) the "
        "generalization error surfaces are more consistent with the training loss surfaces.",
        land.agree_on_large,
    ),
    "orthogonal": Sentence(
        "Two tasks' directions are at right angles, as chance would have it",
        "3.2", "",
        "Even though the other dataset is randomly chosen, experimental results confirm that the optimization directions "
        "δ₁, δ₂ are divergent and orthogonal to each other because of the high-dimensional parameter space.",
        train.angle_by_chance,
        (train.angle_small, train.angle_scratch),
    ),
    "overfitting": Sentence(
        "More epochs do not raise the error much",
        "5.3", "Figure 4",
        "However, experimental results show fine-tuning BERT is robust to over-fitting, i.e., the generalization error "
        "(namely, the classification error rate on the development set) does not dramatically increase for more training "
        "epochs, despite the huge number of model parameters.",
        train.overfitting,
        (train.dev_loss,),
    ),
    "same-basin": Sentence(
        "More epochs stay in the same basin",
        "5.3", "Figure 4",
        "Figure 4 shows that even though we fine-tune the BERT model for twenty more epochs, the final estimation is not "
        "far away from its original optimum. Moreover, the optimum area is wide enough to avoid the model from jumping out "
        "the region with good generalization capability",
        land.basin,
        (land.distance_gone,),
    ),
    "low-layers": Sentence(
        "Rolling back the low layers costs little",
        "7", "Figure 7",
        "The results demonstrate that rollbacking parameters of lower layers to their original values (the star-shaped "
        "points in Figure 7) does not dramatically hurt the model performance.",
        layers.low_cheap,
        (layers.low_cheap_loss, layers.low_below_random),
        layers.printed(layers.low_cheap, *layers.TOLERABLE),
    ),
    "middle-layers": Sentence(
        "Rolling back the middle layers costs little",
        "7", "Table 1",
        "Similar to Figure 7, the generalization capability does not dramatically decrease after rollbacking low layers or "
        "middle layers.",
        layers.middle_cheap,
        (layers.middle_cheap_loss, layers.middle_below_random),
        layers.printed(layers.middle_cheap, *layers.TOLERABLE_MIDDLE),
    ),
    "high-layers": Sentence(
        "Rolling back the high layers hurts",
        "7", "Table 1",
        "By contrast, rollbacking high layers hurts the model performance.",
        layers.high_dear,
        (layers.high_dear_loss, layers.high_above_random),
        layers.printed(layers.high_dear, *layers.HIGH),
    ),
    "high-above-low": Sentence(
        "The high layers matter more than the low ones",
        "7", "Figure 7",
        "This phenomenon indicates that the optimization of high layers is critical to fine-tuning whereas lower layers "
        "are more invariant and transferable across tasks.",
        layers.high_above_low,
        (layers.gap_loss, layers.high_above_middle),
        layers.printed(layers.high_above_low, *layers.GAP),
    ),
    "low-wider": Sentence(
        "The optimum is widest along the low layers",
        "7", "Figure 7",
        "Figure 7 shows that the loss surface with respect to lower layers has the wider local optimum along the "
        "optimization direction.",
        layers.low_wider,
    ),
    "low-moves-less": Sentence(
        "Fine-tuning moves the low layers least",
        "7", "",
        "Evaluation results suggest that low layers that are close to input learn more transferable representations of "
        "language, which makes them more invariant across tasks.",
        layers.low_moves_less,
    ),
}  # fmt: skip


def weigh(study: Subject, *names: str) -> list[Claim]:
    """The claims of the given names, all by default, weighed on a study; what it lacks is computed first."""
    return [claim(study, name) for name in names or CLAIMS]


def claim(study: Subject, name: str) -> Claim:
    """One claim, weighed on a study."""
    said = CLAIMS[name]
    carries = tuple(measure(study) for measure in said.carries)
    words = (said.title, said.section, said.figure, said.quotation)
    return Claim(name, *words, said.primary(study), carries, said.printed, said.note)


def expected_by_chance(claims: list[Claim]) -> float:
    """How many verdicts so many claims would have if there were no effect anywhere."""
    return sum(claim.primary.chance for claim in claims)
