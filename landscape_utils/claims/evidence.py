"""What measures found on a study, and how it becomes a verdict and a text: one rule for all claims."""

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scipy.special import bdtrc

from .intervals import TAIL, Evidence, Kind, number

TOLD: dict[str, Any] = tomllib.loads(Path(__file__).with_name("claims.toml").read_text(encoding="utf-8"))
RULE: str = TOLD["rule"]
NOT_JUDGED = "not judged"  # of a claim of which no task could be weighed
PRINTED = (
    "The numbers that the paper prints. It does not give the outcome of each example, so the accuracies count as "
    "independent, and the intervals are rather too wide:"
)
EVERY = "The set of tasks"  # stands for a task where a measure takes all of them together
# A number in a table, alone or with another in brackets, in bold or with a mark behind it; or what stands for none.
NUMBER = re.compile(r"\**([≤≥] )?([−+]?[\d,.]*\d(e[-+]?\d+)?|−?∞|n/a|–)?[ %°†]*(\([^a-z]*\))?[†* ]*")


@dataclass(frozen=True)
class Measured:
    """What a `Measure` found on a study, of which task it found nothing and why, and the tail of its intervals."""

    what: str
    effect: str
    sides: tuple[str, ...]
    evidence: tuple[Evidence, ...]
    left_out: dict[str, str]
    tail: float = TAIL

    @property
    def voting(self) -> int:
        """How many tasks have an interval."""
        return sum(e.kind is not Kind.NONE for e in self.evidence)

    @property
    def verdict(self) -> str:
        """ "holds", "does not hold" or "undecided", by RULE."""
        words = [e.word for e in self.evidence]
        if 2 * words.count("for") > self.voting:
            return "holds"
        return "does not hold" if 2 * words.count("against") > self.voting else "undecided"

    @property
    def outcome(self) -> str:
        """The verdict, or NOT_JUDGED where no task could be weighed."""
        return self.verdict if self.evidence else NOT_JUDGED

    @property
    def chance(self) -> float:
        """The probability of a verdict where there is no effect, of independent tasks and exact intervals.

        2 P(more than half of k tasks speak for it), each with the probability of the interval's tail: binomial.
        """
        return 2 * float(bdtrc(self.voting // 2, self.voting, self.tail)) if self.voting else 0.0

    @property
    def missing(self) -> str:
        """A sentence for each reason for which tasks are left out."""
        said = []
        for reason in dict.fromkeys(self.left_out.values()):
            tasks = [task for task, why in self.left_out.items() if why == reason]
            said.append(f"{listed(tasks)} {'is' if len(tasks) == 1 else 'are'} left out: {reason}.")
        return " ".join(said)

    def rows(self) -> str:
        """A table with a row for each task that could be weighed; "" for none."""
        interval = f"{100 * (1 - 2 * self.tail):g} % interval"
        head = ["task", *self.sides, "effect", interval, "interval over", "for or against"]
        rows = [
            [e.task, *e.told, f"{e.limit}{number(e.effect)}", e.interval, e.over, e.word]
            for e in self.evidence
        ]
        return table(head, rows) if rows else ""

    def markdown(self) -> str:
        return paragraphs(f"{self.what} Effect: {self.effect}.", self.rows(), self.missing)


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper, with its place there, and what a study says to it.

    Attributes:
        primary: what was found by the measure that decides.
        carries: by other measures, which show how far the verdict carries and decide nothing.
        printed: by the primary measure on the numbers that the paper prints, where it prints them.
    """

    name: str
    title: str
    section: str
    quotation: str
    primary: Measured
    carries: tuple[Measured, ...] = ()
    printed: Measured | None = None
    figure: str = ""
    note: str = ""

    @property
    def verdict(self) -> str:
        return self.primary.verdict

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        return self.primary.evidence

    @property
    def text(self) -> str:
        """The outcome, and how likely chance alone would bring one about."""
        if not self.evidence:
            return "The claim **could not be judged**."
        outcome = "is **undecided**" if self.verdict == "undecided" else f"**{self.verdict}**"
        if not self.primary.voting:
            return f"The claim {outcome}, because no task has an interval."
        chance = number(100 * self.primary.chance)
        by_chance = f"{chance} % of such studies would reach a verdict by chance."
        return f"The claim {outcome}. If every effect were exactly zero, {by_chance}"

    @property
    def place(self) -> str:
        """Where in the paper the sentence stands."""
        return f"section {self.section}" + (f", {self.figure}" if self.figure else "")

    def markdown(self) -> str:
        """The sentence, the outcome, the primary measure, and how far it carries."""
        parts = [f"> {' '.join(self.quotation.split())} *({self.place})*", self.text, self.note]
        parts += [self.primary.markdown()]
        if self.printed:
            parts += [PRINTED, self.printed.rows()]
        if self.carries:
            carry = "How far does the verdict carry? These measures help to judge it, and decide nothing:"
            parts += [carry if self.evidence else "Further measures, which decide nothing:"]
            parts += [measured.markdown() for measured in self.carries]
        return paragraphs(*parts)


def paragraphs(*parts: str) -> str:
    """The parts that are not empty, one below the other."""
    return "\n\n".join(part for part in parts if part)


def listed(words: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table: columns of numbers to the right, the first one and those of text to the left."""
    sides = [
        "---:" if rows and all(NUMBER.fullmatch(row[i]) for row in rows) else "---" for i in range(len(head))
    ]
    sides[0] = "---"
    lines = [[cell.replace("|", "\\|") for cell in line] for line in (head, sides, *rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
