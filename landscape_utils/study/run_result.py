"""A training as a result of a study, and what all results share that are computed from one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any, ClassVar, Self

import transformers as hf

from ..engine.space import layer_ranges
from ..errors import UserError
from ..landscape.scan import Curve
from ..names import CONTINUED, SPLITS
from ..store.code import code_of
from ..store.result_file import part_of
from ..training.finetune import Run
from ..training.models import on_device
from ..training.tasks import SAMPLE_SEED
from .kind import Arrays, Cost, Journal, Kind, Recipe, Scale, Subject

DRAWS = 100  # of the bootstrap: its 95 % interval then has two or three draws outside on each side
ROW_BYTES = 32 + 8 * DRAWS  # of one split at one point


@dataclass(frozen=True)
class RunResult(Kind):
    """A training: its history. The snapshots lie beside it, and are made again if they are gone and needed.

    `how` is "pretrained" (fine-tuned), "scratch", "continued" (Figure 4's further epochs) or the user's own name;
    `learning_rate` another one than the profile chose.
    """

    folder = "runs"
    version: ClassVar[int] = 1
    task: str
    how: str
    seed: int
    learning_rate: float | None = None

    def __post_init__(self) -> None:
        seed, rate = self.seed, self.learning_rate
        if isinstance(seed, bool) or not isinstance(seed, Integral) or not 0 <= seed < 2**32:
            raise UserError(f"a seed is a whole number from 0 to 2**32 - 1; got {seed!r}")
        if rate is not None and not (isinstance(rate, Real) and 0 < rate < math.inf):
            raise UserError(f"a learning rate is a number greater than 0; got {rate!r}")

    @classmethod
    def code(cls, recipe: Recipe) -> str:
        # Trainings take hours, so a change of code does not discard them. A change that alters what is trained raises
        # the version, which stands in the recipe; a test holds the code's fingerprint and asks for a decision.
        # The history of somebody's checkpoints is no training: it is measured here, by the engine.
        return code_of("engine") if "checkpoints" in recipe else ""

    @classmethod
    def all(cls, study: Subject) -> Iterable[Kind]:
        # First one that pre-trains the demo's encoder: the others train from scratch meanwhile, and none waits for it.
        pairs = pairs_of(study)
        yield cls(*pairs[-1], study.seed)
        yield from (cls(task, how, seed) for task, how in pairs for seed in study.seeds)
        for task in study.tasks:
            tried = study.trainings.tried(task)
            yield from (cls(task, study.trainings.main, study.seed, rate) for rate in tried)

    @property
    def name(self) -> str:
        return f"{self.task}-{self.how}-{self.seed}"

    @property
    def further(self) -> Self:
        """The epochs that follow it (Figure 4)."""
        return type(self)(self.task, CONTINUED, self.seed)

    def recipe(self, study: Subject) -> Recipe:
        later = {"version": self.version} if self.version > 1 else {}
        return study.trainings.recipe(self) | later

    def needs(self, study: Subject) -> tuple[Kind, ...]:
        return study.trainings.needs(self)

    def compute(self, study: Subject, journal: Journal) -> Arrays:
        return study.trainings.history(self)

    def cost(self, study: Subject, scale: Scale) -> Cost:
        settings = study.trainings.settings(self)
        (train, dev), (train_length, dev_length) = scale.examples[self.task], scale.tokens[self.task]
        # Looking at the dev split after each epoch is a pass forward: half of a step's time, as was measured.
        looks = (settings.epochs + 1) * dev * dev_length / 2
        return Cost(
            steps=settings.epochs * math.ceil(train / settings.batch_size),
            step_tokens=settings.epochs * train * train_length + looks,
            disk=4.0 * scale.parameters * (settings.epochs + 2),
        )

    def read(self, study: Subject, arrays: Arrays) -> Run:
        return study.trainings.run(self, arrays)


def pairs_of(study: Subject) -> list[tuple[str, str]]:
    """(task, way) of all trainings that are compared; those from scratch take longest and come first."""
    return [(task, how) for how in study.trainings.ways for task in study.tasks]


def sampling(study: Subject) -> Recipe:
    """The part of a recipe that says which examples a landscape is computed on."""
    return study.profile.sample.model_dump() | {"seed": SAMPLE_SEED}


@dataclass(frozen=True)
class OfOneRun(Kind):
    """What is computed from one training, by one worker and in float32 unless its points are shared out.

    Attributes:
        in_plane: whether the second direction of the training's plane is needed too.
        splits: that are looked at.
        whole: whether at all their examples; if not, at the study's sample.
        visits: how many points are visited, where that is always the same.
    """

    in_plane: ClassVar[bool] = False
    splits: ClassVar[tuple[str, ...]] = SPLITS
    whole: ClassVar[bool] = False
    visits: ClassVar[float] = 0.0
    task: str
    how: str
    seed: int

    @classmethod
    def all(cls, study: Subject) -> Iterable[Kind]:
        return [cls(task, how, seed) for task, how in pairs_of(study) for seed in study.seeds]

    @property
    def run(self) -> RunResult:
        return RunResult(self.task, self.how, self.seed)

    @property
    def name(self) -> str:
        return self.run.name

    def recipe(self, study: Subject) -> Recipe:
        other = {"other": study.trainings.second(self.run).recipe()} if self.in_plane else {}
        return {"run": self.run.recipe(study), **other}

    def needs(self, study: Subject) -> tuple[Kind, ...]:
        return self.run, *(study.trainings.second(self.run).needs if self.in_plane else ())

    def model(self, study: Subject) -> hf.PreTrainedModel:
        """The trained network, on the study's device."""
        return on_device(study.trained(self.run).model(), study.device)

    def points(self, study: Subject, scale: Scale) -> float:
        """How many points are visited; where lower layers are replayed, by the share of the layers that is left."""
        return self.visits

    def cost(self, study: Subject, scale: Scale) -> Cost:
        points, asked = self.points(study, scale), {} if self.whole else study.profile.sample.model_dump()
        sizes = zip(SPLITS, scale.examples[self.task], scale.tokens[self.task], strict=True)
        tokens = sum(min(asked.get(s) or n, n) * length for s, n, length in sizes if s in self.splits)
        return Cost(
            visits=points,
            visit_tokens=points * tokens,
            exact=not self.by_points,
            disk=len(self.splits) * ROW_BYTES * points,
        )


def arrays_of(scans: Mapping[str, Curve]) -> Arrays:
    """The arrays of several scans, by split or part, as one file holds them."""
    return {f"{part}.{name}": a for part, scanned in scans.items() for name, a in scanned.arrays().items()}


def scans_of(arrays: Arrays, form: type[Curve], parts: Iterable[str] = SPLITS) -> dict[str, Any]:
    """The inverse of `arrays_of`, of scans of class `form`."""
    return {part: form.from_arrays(part_of(arrays, part)) for part in parts}


def share_from(scale: Scale, group: str) -> float:
    """The share of a visit that is left where the layers below a group are replayed."""
    return 1 - layer_ranges(scale.layers)[group][0] / scale.layers
