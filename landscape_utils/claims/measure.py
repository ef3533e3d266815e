"""What a measure is: a number read off a study, for each task and seed, and the words that explain it.

Any object with the names of `Subject` can be weighed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, NamedTuple, Protocol

import numpy as np

from ..errors import Lacking
from ..landscape.directions import RandomDirections
from ..landscape.paths import Obstacles, TrainingPath
from ..landscape.rollback import Rollback
from ..landscape.scan import Curve, Surface
from ..names import display_name
from ..training.finetune import Run
from ..training.history import loss_of_epoch
from .evidence import EVERY, TOLD, Measured
from .intervals import ALONE, TAIL, Evidence, Kind, LeftOut, Z, bounded, drawn, minus, normal, over_trainings

WAYS = ("scratch", "pretrained")
FINE_TUNED = WAYS[1:]
SIDES = ("from scratch", "fine-tuned")
TRAININGS = {"scratch": "training from scratch", "pretrained": "fine-tuning"}
# Parts a reason: what is lacking stands before it, and of which training after it.
NOT_COMPUTED = " has been computed"
# Of the loss of guessing, at the end of a training. On MRPC, always to say the larger class costs 0.9 of it.
UNFITTED = 0.75
AGAINST = ("less", "at_most", "more_than")  # arguments of `compared`


class Subject(Protocol):
    """A study as the claims see it, and nothing else. `how` is "scratch", "pretrained" or, of a run, "continued"."""

    tasks: tuple[str, ...]

    @property
    def layer_tasks(self) -> tuple[str, ...]: ...  # of Figure 7
    @property
    def overfit_task(self) -> str: ...  # of Figure 4

    def partner(self, task: str) -> str: ...  # which lends the second direction

    def seeds_of(self, kind: str, task: str, how: str) -> tuple[int, ...]:
        """The seeds of which this study has results of a kind, or is to compute them; () for none.

        A kind is the name of a method below, or "continued": the further epochs of Figure 4.
        """

    def facts(self, task: str) -> Mapping[str, Any]:
        """ "labels", "train_examples", "dev_examples", "majority", the share of the largest class of dev, and of a loss
        of one's own "guessing", its mean where all logits are equal."""

    def schedule(self, task: str, how: str) -> np.ndarray: ...  # (S,) the learning rate of each step
    def run(self, task: str, how: str, seed: int) -> Run: ...
    def walk(self, task: str, how: str, seed: int) -> TrainingPath: ...
    def path(self, task: str, how: str, seed: int) -> Curve: ...
    def obstacles(self, task: str, how: str, seed: int) -> Obstacles: ...
    def curve(self, task: str, how: str, *, seed: int) -> Curve: ...
    def surface(self, task: str, how: str, split: str = "train", *, seed: int) -> Surface: ...
    def random_directions(self, task: str, how: str, seed: int) -> RandomDirections: ...
    def layer_surface(self, task: str, group: str, *, seed: int) -> Surface: ...
    def rollback(self, task: str, *, seed: int) -> Rollback: ...
    def barrier(self, task: str, *, seed: int) -> Curve: ...


def guessing(study: Subject, task: str) -> float:
    """The loss of giving all classes the same probability: of cross-entropy, in nats, or of a loss of one's own."""
    facts = study.facts(task)
    return float(facts.get("guessing", np.log(len(facts["labels"]))))


class Reader(NamedTuple):
    """A function that reads a measure, and what it takes; made by `reads`.

    Attributes:
        function: of (study, task, seed, **arguments); raises LeftOut where it does not apply.
        kinds: of the results that it takes; see `Subject.seeds_of`.
        ways: the trainings of which it takes them. An argument `how` names the only one.
        fitted: it only applies to trainings that fitted their training set: others have no optimum.
        each: the function is of (study, task, how, seed, **arguments), and gives a number of one training: what
            `bounded` takes, or the number, its standard error and, if few, the degrees of freedom. See `compared`.
        over: what that standard error is taken over.
        tasks: of a study.
    """

    function: Callable[..., Any]
    kinds: tuple[str, ...]
    ways: tuple[str, ...] = WAYS
    fitted: bool = False
    each: bool = False
    over: Kind = Kind.EXAMPLES
    tasks: Callable[[Subject], Sequence[str]] = lambda study: study.tasks


def reads(*kinds: str, **takes: Any) -> Callable[[Callable[..., Any]], Reader]:
    """Make a Reader of a function; `takes` are those of its attributes that are not as usual."""
    return lambda function: Reader(function, kinds, **takes)


def compared(
    found: list[Any], over: Kind, less: bool = False, at_most: Any = None, more_than: float = 0.0
) -> Evidence:
    """Of the numbers of two trainings the effect is what the second has more, or with `less` what it has less.

    Of a single one it is the number less `more_than`, or what it lacks to `at_most`.
    """
    whole = [(*n, np.inf)[:3] if isinstance(n, tuple) else (n, np.nan, np.inf) for n in found]
    numbers, stderrs, dfs = zip(*whole, strict=True)
    if len(numbers) == 2:
        effect = minus(*numbers) if less else minus(*numbers[::-1])
    else:
        effect = minus(numbers[0], more_than) if at_most is None else minus(at_most, numbers[0])
    values, stderr = [bounded(n)[0, 0] for n in numbers], float(np.linalg.norm(stderrs))
    if np.isnan(stderr):
        return drawn(values, effect)
    with np.errstate(divide="ignore", invalid="ignore"):  # (Welch 1947)
        df = stderr**4 / np.sum(np.array(stderrs) ** 4 / dfs)
    return normal(values, float(effect[0, 0]), stderr, over, min(dfs) if np.isnan(df) else float(df))


def overfitted(study: Subject) -> Sequence[str]:
    """The task whose fine-tuning goes on for further epochs, for `reads`."""
    return (study.overfit_task,)


@dataclass(frozen=True)
class Measure:
    """How a study is measured: what is read and what the effect is, in words, and what reads it."""

    what: str
    effect: str
    reader: Reader
    sides: tuple[str, ...] = SIDES  # names of the values
    only: Sequence[str] = ()  # tasks; all of the reader's by default
    arguments: Mapping[str, Any] = field(default_factory=dict)  # of the reader

    def __call__(self, study: Subject) -> Measured:
        """The evidence of each task; of those, or of their trainings, that cannot be weighed, the reason."""
        readings: dict[str, list[Evidence]] = {}
        left_out = {}
        for task in self.reader.tasks(study):
            if task in (self.only or (task,)):
                name = display_name(task)
                found, reasons = self.readings(study, task)
                if not found:
                    left_out[name] = reasons[0]
                    continue
                readings[name] = found
                for reason in dict.fromkeys(reasons):
                    of_all = f"{reasons.count(reason)} of {len(found) + len(reasons)} trainings"
                    left_out[f"{name} ({of_all})"] = reason

        def weighed(tail: float) -> tuple[Evidence, ...]:
            return tuple(over_trainings(task, found, tail) for task, found in readings.items())

        measured = Measured(self.what, self.effect, self.sides, weighed(TAIL), left_out)
        return replace(measured, evidence=weighed(ALONE), tail=ALONE) if measured.voting == 1 else measured

    def readings(self, study: Subject, task: str) -> tuple[list[Evidence], list[str]]:
        """The readings of one task, of all seeds that have what is needed and can be read, and why others cannot."""
        ways = (self.arguments["how"],) if "how" in self.arguments else self.reader.ways
        readings, reasons = [], []
        try:
            seeds = self.seeds(study, task, ways)
        except LeftOut as reason:
            return [], [str(reason)]
        for seed in seeds:
            try:
                for how in ways if self.reader.fitted else ():
                    require_fitted(study, task, how, seed)
                readings.append(self.read(study, task, seed, ways))
            except LeftOut as reason:
                reasons.append(str(reason))
            except Lacking:  # of results that are read alone there may be a part
                reasons.append(f"not all that it needs{NOT_COMPUTED}")
        return readings, reasons

    def read(self, study: Subject, task: str, seed: int, ways: Sequence[str]) -> Evidence:
        function, arguments = self.reader.function, dict(self.arguments)
        if not self.reader.each:
            return function(study, task, seed, **arguments)
        against = {name: arguments.pop(name) for name in AGAINST if name in arguments}
        arguments.pop("how", None)
        found = [function(study, task, how, seed, **arguments) for how in ways]
        return compared(found, self.reader.over, **against)

    def seeds(self, study: Subject, task: str, ways: Sequence[str]) -> list[int]:
        """The seeds that have all results; LeftOut where there are none."""
        common: set[int] | None = None
        kinds = (*self.reader.kinds, "run") if self.reader.fitted else self.reader.kinds
        for kind, how, name in product(kinds, ways, study.tasks if task == EVERY else (task,)):
            found = set(study.seeds_of(kind, name, how))
            common = found if common is None else common & found
            if not common:
                raise LeftOut(f"no {TOLD['results'][kind]}{NOT_COMPUTED} for {TRAININGS[how]}")
        return sorted(common or ())


def require_learned(study: Subject, task: str, how: str, accuracy: float) -> None:
    """Refuse a training whose dev accuracy chance alone could lift above that of always naming the largest class."""
    facts = study.facts(task)
    if accuracy - facts["majority"] < Z * np.sqrt(accuracy * (1 - accuracy) / facts["dev_examples"]):
        raise LeftOut(
            f"{TRAININGS[how]} is hardly better on the dev set than always naming the largest class"
        )


def require_fitted(study: Subject, task: str, how: str, seed: int) -> None:
    run = study.run(task, how, seed)
    share = loss_of_epoch(run, run.epochs)[0] / guessing(study, task)
    if share > UNFITTED:
        raise LeftOut(
            f"{TRAININGS[how]} ends at {share:.0%} of the loss of guessing, so it has no optimum to measure"
        )
