"""How a measure of a study becomes a verdict: one rule for all claims."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ..names import display_name
from .intervals import ALONE, TAIL, Evidence, Kind, LeftOut, Reading, number, over_trainings
from .subject import SIDES, TRAININGS, WAYS, Subject

EVERY = "The set of tasks"  # stands for a task where a measure takes all of them together
# A number in a table, alone or with another in brackets, in bold or with a mark behind it; or what stands for none.
NUMBER = re.compile(r"\**([−+]?[\d,.]*\d(e[-+]?\d+)?|−?∞|n/a|–)?[ %°†]*(\([^a-z]*\))?[†* ]*")
SPOKEN = {  # of one task, and of several
    "for": ("speaks for it", "speak for it"),
    "against": ("speaks against it", "speak against it"),
    "open": ("is open", "are open"),
    "does not count": ("does not count", "do not count"),
}
Read = Callable[[Subject, str, int], Reading]

RULE = (
    "For each task the effect is written so that a positive number agrees with the paper. A task speaks for the claim "
    "if the 95 % interval of its effect lies above zero. It speaks against the claim if the interval lies below zero, "
    "and is open otherwise. The claim holds if more than half of the tasks that have an interval speak for it, and "
    "does not hold if more than half of them speak against it. Otherwise it is undecided. Only the primary measure of "
    "a claim decides. Where there are several trainings, which differ by their seed, the interval is over trainings "
    "(Student's t), and the uncertainty that comes from the sample of examples is added to it. Where there is one "
    "training, the interval is over the examples on which it was measured, and another training may give another "
    "answer. A number of one training that rests on no sample has no interval, and does not count. Rounding and "
    "interpolation errors widen every interval. Where a claim rests on one number alone, its interval is a 98 % one, "
    "so that chance gives it a verdict in 2 of 100 studies and not in 5."
)


@dataclass(frozen=True)
class Measure:
    """How a study is measured.

    Attributes:
        what, effect: in words, what is measured and what the effect is.
        read: (study, task, seed) -> Reading; raises LeftOut.
        needs: (kind, how) of the results that it takes; see `Subject.seeds_of`.
        sides: names of the values.
        tasks: of a study; default all.
    """

    what: str
    effect: str
    read: Read
    needs: tuple[tuple[str, str], ...]
    sides: tuple[str, ...] = SIDES
    tasks: Callable[[Subject], Sequence[str]] = lambda study: study.tasks

    def __call__(self, study: Subject) -> Measured:
        """The evidence of each task; of those that cannot be weighed, the reason."""
        readings: dict[str, list[Reading]] = {}
        left_out = {}
        for task in self.tasks(study):
            try:
                readings[display_name(task)] = self.readings(study, task)
            except LeftOut as reason:
                left_out[display_name(task)] = str(reason)

        def measured(tail: float) -> Measured:
            evidence = tuple(over_trainings(task, found, tail) for task, found in readings.items())
            return Measured(self.what, self.effect, self.sides, evidence, left_out, tail)

        usual = measured(TAIL)
        return measured(ALONE) if usual.voting == 1 else usual

    def readings(self, study: Subject, task: str) -> list[Reading]:
        """The readings of one task, of all seeds that have what is needed."""
        common: set[int] | None = None
        for kind, how in self.needs:
            for name in study.tasks if task == EVERY else (task,):
                seeds = set(study.seeds_of(kind, name, how))
                common = seeds if common is None else common & seeds
                if not common:
                    kinds = kind.replace("_", " ")
                    raise LeftOut(f"there is no result of the kind “{kinds}” of {TRAININGS[how]}")
        readings, reasons = [], []
        for seed in sorted(common or ()):
            try:
                readings.append(self.read(study, task, seed))
            except LeftOut as reason:
                reasons.append(reason)
        if not readings:
            raise reasons[0]
        return readings


def both(kind: str) -> tuple[tuple[str, str], ...]:
    """What a measure needs that takes a kind of result of both trainings."""
    return tuple((kind, how) for how in WAYS)


def measures(what: str, effect: str, *needs: tuple[str, str], **rest: Any) -> Callable[[Read], Measure]:
    """Make a Measure of a function that reads it."""
    return lambda read: Measure(what, effect, read, needs, **rest)


@dataclass(frozen=True)
class Measured:
    """What a measure found on a study: see `Measure`; `left_out` is task -> why it could not be weighed.

    `tail` is what the intervals leave out on each side.
    """

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
    def chance(self) -> float:
        """The probability of a verdict where there is no effect, of independent tasks and exact intervals.

        2 P(more than half of k tasks speak for it), each with the probability of the interval's tail: binomial.
        """
        from scipy import stats

        return 2 * float(stats.binom.sf(self.voting // 2, self.voting, self.tail)) if self.voting else 0.0

    def markdown(self) -> str:
        """What is measured, and a row for each task."""
        head = [
            "task",
            *self.sides,
            "effect",
            f"{100 * (1 - 2 * self.tail):g} % interval",
            "taken over",
            "speaks",
        ]
        rows = [
            [e.task, *map(number, e.values), number(e.effect), e.interval, e.over, e.word]
            for e in self.evidence
        ]
        parts = [f"{self.what} Effect: {self.effect}.", table(head, rows) if rows else "", self.missing]
        return "\n\n".join(part for part in parts if part)

    @property
    def missing(self) -> str:
        """A sentence for each reason for which tasks are left out."""
        tasks: dict[str, list[str]] = {}
        for task, reason in self.left_out.items():
            tasks.setdefault(reason, []).append(task)
        return " ".join(
            f"{listed(names)} {'is' if len(names) == 1 else 'are'} left out: {reason}."
            for reason, names in tasks.items()
        )


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper, and what a study says to it.

    Attributes:
        name, title: its name in code, and in words.
        section, figure, quotation: its place in the paper, the figure or table that it speaks of ("" for none), the
            paper's words.
        primary: the measure that decides.
        carries: other measures, which show how far the verdict carries and decide nothing.
        printed: the primary measure of the numbers that the paper prints, where it prints them.
        note: what a reader should know beside.
    """

    name: str
    title: str
    section: str
    figure: str
    quotation: str
    primary: Measured
    carries: tuple[Measured, ...] = ()
    printed: Measured | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        return self.primary.verdict

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        return self.primary.evidence

    @property
    def text(self) -> str:
        """The outcome in a few sentences."""
        words = [e.word for e in self.evidence]
        if not words:
            return "No task could be weighed: the claim is **undecided**."
        counts = [(words.count(word), *said) for word, said in SPOKEN.items() if word in words]
        found = f"Of {len(words)} tasks, " + listed(
            [f"{n} {one if n == 1 else many}" for n, one, many in counts]
        )
        if len(words) == 1:
            found = f"{self.evidence[0].task} {counts[0][1]}"
        outcome = "is **undecided**" if self.verdict == "undecided" else f"**{self.verdict}**"
        odds = f" If there were no effect, {number(100 * self.primary.chance)} % of such studies would have a verdict."
        return f"The claim {outcome}. {found}.{odds if self.primary.voting else ''}"

    def markdown(self) -> str:
        """The sentence, the outcome, the primary measure, and how far it carries."""
        place = f"section {self.section}" + (f", {self.figure}" if self.figure else "")
        parts = [f"> {self.quotation} *({place})*", self.text, self.note, self.primary.markdown()]
        if self.printed:
            parts += ["The numbers that the paper prints, measured in the same way:", self.printed.markdown()]
        if self.carries:
            parts += ["Does it carry? The measures below decide nothing."]
            parts += [measured.markdown() for measured in self.carries]
        return "\n\n".join(part for part in parts if part)

    def rows(self) -> list[dict[str, Any]]:
        """A row for each task and measure, for a file: its numbers, and what its interval is taken over."""
        measured = [("primary", self.primary), *(("carries", m) for m in self.carries)]
        measured += [("printed", self.printed)] if self.printed else []
        return [
            {"claim": self.name, "role": role, "measure": m.what, "verdict": m.verdict, "word": e.word}
            | asdict(e)
            for role, m in measured
            for e in m.evidence
        ]


def listed(words: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join(part for part in (", ".join(words[:-1]), words[-1]) if part)


def report(claims: Iterable[Claim]) -> str:
    """Claims in Markdown, each under its title."""
    return "\n\n".join(f"#### {claim.title}\n\n{claim.markdown()}" for claim in claims)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table: columns of numbers to the right, the first one and those of text to the left."""
    sides = [
        "---:" if rows and all(NUMBER.fullmatch(row[i]) for row in rows) else "---" for i in range(len(head))
    ]
    sides[0] = "---"
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, sides, *rows))
