"""How a sentence of the paper becomes a number with a verdict: one rule, stated here, for all claims."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from ..landscape.scan import Curve
from ..names import display_name
from ..training.finetune import Run
from ..training.history import final_loss
from . import paper

if TYPE_CHECKING:
    from ..study.study import Study

Scan = TypeVar("Scan", bound=Curve)

RULE = (
    "For each task the effect is written so that above zero is what the paper says. Its 95 % interval is taken "
    "over the training seeds (Student's t) where there are two or more; with one seed, over the examples: in a "
    "scan by the bootstrap, the middle 95 % of 100 draws of the examples, the same draws at all points and for both "
    "trainings; elsewhere 1.96 standard errors each way. A "
    "number that rests on no sample, such as an angle, is exact for its training, and another training may give "
    "another. A task speaks for the claim if its interval lies above zero, against it if below, and is open "
    "otherwise. The claim holds if more than half of the tasks speak for it, does not hold if more than half "
    "speak against it, and is undecided otherwise."
)
WAYS = ("scratch", "pretrained")
UNFITTED = (
    0.75  # of the loss of guessing, at the last epoch: always to say the larger class costs 0.9 of it on MRPC
)
Z = float(stats.norm.ppf(0.975))


@dataclass(frozen=True)
class Evidence:
    """One task's word on a claim: the values of its sides, the effect and its 95 % interval.

    `shown` are the values in words, where numbers alone would not say it.
    """

    task: str
    values: tuple[float, ...]
    effect: float
    low: float
    high: float
    shown: tuple[str, ...] = ()

    @property
    def word(self) -> str:
        return "for" if self.low > 0 else "against" if self.high < 0 else "open"

    @property
    def interval(self) -> str:
        return "exact" if self.low == self.high else f"{number(self.low)} to {number(self.high)}"


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper, how it is measured, and what the runs say.

    Attributes:
        id, section, sentence: the claim's name here, its place in the paper, the paper's words.
        measure: what is measured, and the effect, which is above zero if it is as the paper says.
        sides: names of what is compared.
        evidence: one for each task that could be weighed.
        left_out: task -> why it could not be weighed.
    """

    id: str
    section: str
    sentence: str
    measure: str
    sides: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def verdict(self) -> str:
        """ "holds", "does not hold" or "undecided", by RULE."""
        words = [e.word for e in self.evidence]
        if words.count("for") > len(words) / 2:
            return "holds"
        return "does not hold" if words.count("against") > len(words) / 2 else "undecided"

    @property
    def text(self) -> str:
        """The outcome in a sentence or two."""
        words = [e.word for e in self.evidence]
        kinds = {"for": "for it", "against": "against it", "open": "neither way"}
        counts = ", ".join(f"{words.count(word)} {kinds[word]}" for word in kinds if word in words)
        said = f"Of {len(words)} task{'' if len(words) == 1 else 's'}, {counts or 'none speaks'}"
        left_out = "".join(f" {task} is left out: {reason}." for task, reason in self.left_out.items())
        return f"{said}: the claim **{self.verdict}**.".replace("claim **und", "claim is **und") + left_out

    def markdown(self) -> str:
        """The measure, a row for each task, the outcome."""
        head = ["task", *self.sides, "effect, 95 % interval", "speaks"]
        rows = [
            [e.task, *(e.shown or map(number, e.values)), f"{number(e.effect)} ({e.interval})", e.word]
            for e in self.evidence
        ]
        return "\n\n".join([self.measure, *([table(head, rows)] if rows else []), self.text])


def report(claims: Iterable[Claim]) -> str:
    """Claims in Markdown, each sentence of the paper above the measures of it."""
    parts = []
    for (section, sentence), measures in groupby(claims, key=lambda claim: (claim.section, claim.sentence)):
        parts += [f"> {sentence} *(section {section})*", *(claim.markdown() for claim in measures)]
    return "\n\n".join(parts)


def number(value: float) -> str:
    """Three significant digits, and a plain word where there is no number."""
    if not np.isfinite(value):
        return "n/a" if np.isnan(value) else "∞" if value > 0 else "−∞"
    return f"{value:.3g}".replace("-", "−") if abs(value) < 1000 else f"{value:,.0f}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], prose: bool = False) -> str:
    """A Markdown table: the first column to the left, the others to the right, or to the left where they are prose."""
    lines = [head, ["---", *["---" if prose else "---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def exact(task: str, values: tuple[float, ...], effect: float) -> Evidence:
    """An effect that rests on no sample."""
    return Evidence(task, values, effect, effect, effect)


def over_seeds(
    task: str, first: Sequence[float], second: Sequence[float], effects: ArrayLike, half_width: float = 0.0
) -> Evidence:
    """Values and effects by seed: Student's t interval over two or more, `half_width` each way with one.

    An effect that is not finite leaves the interval without bounds.
    """
    each = np.asarray(effects, dtype=float)
    effect = float(each.mean())
    if len(each) > 1:
        half_width = (
            float(stats.t.ppf(0.975, len(each) - 1) * stats.sem(each)) if np.isfinite(effect) else np.inf
        )
    low, high = (effect - half_width, effect + half_width) if np.isfinite(effect) else (-np.inf, np.inf)
    return Evidence(task, (float(np.mean(first)), float(np.mean(second))), effect, low, high)


def over_examples(
    task: str,
    scans: Iterable[Scan],
    measure: Callable[[Scan], tuple[float, bool]],
    on: Callable[[float], float] = float,
) -> Evidence:
    """The effect on(second) - on(first) of a measure of two scans, and its interval over the scans' bootstrap draws.

    `measure` gives a value and whether it is bounded. One that is not is a lower bound, for its region leaves the
    scan: it bounds the effect on one side only.
    """
    first, second = scans
    values = measure(first)[0], measure(second)[0]
    effect = on(values[1]) - on(values[0])
    draws = [(measure(a), measure(b)) for a, b in zip(redrawn(first), redrawn(second), strict=True)]
    effects = [
        (on(b) - on(a) if bounded_a else -np.inf, on(b) - on(a) if bounded_b else np.inf)
        for (a, bounded_a), (b, bounded_b) in draws
    ]
    return Evidence(task, values, effect, *interval(*np.reshape(effects, (-1, 2)).T))


def redrawn(scan: Scan) -> Iterator[Scan]:
    """The scan on each of its bootstrap draws."""
    return (scan.redrawn(i) for i in range(len(scan.draws)))


def interval(lowest: np.ndarray, highest: np.ndarray | None = None) -> tuple[float, float]:
    """The middle 95 % of the draws' effects, of which only bounds may be known; without end if there are no draws."""
    if len(lowest) == 0:
        return -np.inf, np.inf
    low = np.quantile(lowest, 0.025, method="lower")
    return float(low), float(np.quantile(lowest if highest is None else highest, 0.975, method="higher"))


def guessing(study: Study, task: str) -> float:
    """The loss of giving all classes the same probability, in nats."""
    return float(np.log(len(study.facts(task)["labels"])))


def claim(
    name: str,
    measure: str,
    evidence: Iterable[Evidence],
    left_out: dict[str, str] | None = None,
    sides: tuple[str, ...] = WAYS,
) -> Claim:
    """A claim with its sentence of the paper, and the tasks' names as papers write them."""
    section, sentence = paper.sentence(name)
    named = tuple(replace(e, task=display_name(e.task)) for e in evidence)
    return Claim(name, section, sentence, measure, sides, named, left_out or {})


def runs(study: Study, task: str, how: str) -> list[Run]:
    """The trainings of all the study's seeds."""
    return [study.run(task, how, seed) for seed in study.seeds]


def of_learned(
    study: Study, evidence: Callable[[str], Evidence], tasks: Iterable[str] = (), ways: Iterable[str] = WAYS
) -> tuple[tuple[Evidence, ...], dict[str, str]]:
    """The evidence of the tasks that all the given ways learned; of the others, why they are left out."""
    failed = {
        task: [how for how in ways if not study.run(task, how).learned] for task in tasks or study.tasks
    }
    return _of_the_rest(evidence, failed, "ended at the majority class")


def of_fitted(
    study: Study, evidence: Callable[[str], Evidence], tasks: Iterable[str] = (), ways: Iterable[str] = WAYS
) -> tuple[tuple[Evidence, ...], dict[str, str]]:
    """The evidence of the tasks whose training set all the given ways fitted, whatever they do on the dev set; of the
    others, why they are left out: there is no optimum to measure."""
    failed = {
        task: [how for how in ways if final_loss(study.run(task, how))[0] > UNFITTED * guessing(study, task)]
        for task in tasks or study.tasks
    }
    return _of_the_rest(evidence, failed, "did not fit its training set")


def _of_the_rest(
    evidence: Callable[[str], Evidence], failed: dict[str, list[str]], reason: str
) -> tuple[tuple[Evidence, ...], dict[str, str]]:
    left_out = {display_name(task): f"{' and '.join(hows)} {reason}" for task, hows in failed.items() if hows}
    return tuple(evidence(task) for task, hows in failed.items() if not hows), left_out
