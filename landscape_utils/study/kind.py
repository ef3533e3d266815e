"""What a kind of result is: one class that says its recipe, what it needs, how it is computed, what it costs and how it
is read back. The kinds themselves are in `run_result`, `scan_results` and `results`, where a new one begins.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from torch import Tensor

from ..engine.cluster import Client
from ..engine.losses import Loss
from ..landscape.scan import Plane
from ..profiles.profile import Profile, Training
from ..store.code import code_of
from ..store.result_file import plain_values
from ..store.store import Store
from ..training.finetune import Run
from ..training.tasks import Example, Task

Recipe = dict[str, Any]
Arrays = Mapping[str, np.ndarray]
Journal = MutableMapping[int, np.ndarray]


class Scale(NamedTuple):
    """What costs depend on: the network's layers and the encoder's parameters; of each task (train, dev) how many
    examples there are, and how many tokens an example has on average."""

    layers: int
    parameters: int
    examples: Mapping[str, tuple[int, int]]
    tokens: Mapping[str, tuple[float, float]]


class Cost(NamedTuple):
    """What a result costs: steps of a training, visits of points, the tokens of all of either, bytes on the disk."""

    steps: int = 0
    step_tokens: float = 0.0
    visits: float = 0.0
    visit_tokens: float = 0.0
    exact: bool = False  # visits in float32, whatever the precision of the study
    disk: float = 0.0


class Second(NamedTuple):
    """The second direction of a plane: its recipe, for which data or a model may have to be read, what has to be there
    before it, and how it comes from the origin, (P,) -> (P,)."""

    recipe: Callable[[], Recipe]
    needs: tuple[Kind, ...]
    vector: Callable[[Tensor], Tensor]


class Trainings(Protocol):
    """Who supplies a study with its tasks and trainings: a profile, by training, or somebody's checkpoints.

    A training is named by its task, way of training, seed and perhaps a learning rate: a `run_result.RunResult`.

    Attributes:
        tasks, seeds: that there are.
        extra_seeds: of trainings that are shown where their results are kept.
        ways: of training, as they stand in figures from the left; `main` is the one whose layers are looked at.
        layered: whether the encoder has layer groups.
        overfitted: the task that is trained on further (Figure 4), or "".
        claims: names of the claims that can be answered for; None for all.
        loss: another one than the model's own, as `Objective` takes it.
    """

    tasks: tuple[str, ...]
    seeds: tuple[int, ...]
    extra_seeds: tuple[int, ...] = ()
    ways: tuple[str, ...]
    main: str
    layered: bool = True
    overfitted: str = ""
    claims: tuple[str, ...] | None = None
    loss: Loss | None = None

    def known(self, task: str) -> str: ...
    def task(self, name: str) -> Task: ...
    def facts(self, name: str) -> dict[str, Any]: ...
    def partner(self, task: str) -> str: ...
    def settings(self, run: Any) -> Training: ...
    def schedule(self, run: Any) -> np.ndarray: ...
    def recipe(self, run: Any) -> Recipe: ...
    def history(self, run: Any) -> Arrays: ...
    def run(self, run: Any, history: Arrays) -> Run: ...
    def second(self, run: Any) -> Second: ...

    @property
    def encoder(self) -> Recipe:
        """What tells the pre-trained encoder, and how it reads sentences, from another."""
        return {}

    def needs(self, run: Any) -> tuple[Kind, ...]:
        return ()

    def ready(self, run: Any) -> Run | None:
        """See to it that the snapshots are at hand."""
        return None

    def tried(self, task: str) -> list[float]:
        """Other learning rates of fine-tuning than the one that the dev set chose."""
        return []

    def similarity(self, task: str) -> Callable[[], float] | None:
        """Measures the dev accuracy of how close the pre-trained encoder finds two sentences; None for a task that is
        not of pairs in two classes."""
        return None

    def generated(self, task: str) -> bool:
        """Whether a task is in the embedded language, which tells which words a training has not seen."""
        return False


class Subject(Protocol):
    """What a kind, and the order of work, ask of the study that results are of: see `study.Study`."""

    profile: Profile
    store: Store
    trainings: Trainings
    tasks: tuple[str, ...]
    seed: int
    seeds: tuple[int, ...]
    surface_seeds: tuple[int, ...]
    layer_tasks: tuple[str, ...]
    device: str
    client: Client | None

    def has(self, kind: Kind) -> bool: ...
    def get(self, kind: Kind) -> Any: ...
    def keep(self, kind: Kind, compute: Callable[[Journal], Arrays]) -> Any: ...
    def sample(self, name: str, split: str) -> list[Example]: ...
    def trained(self, run: Any) -> Run: ...
    def plane(self, task: str, how: str, seed: int | None = None) -> Plane: ...


class Kind(ABC):
    """One result of a study: a frozen dataclass whose fields name it.

    Attributes:
        folder: of the store, and the word for it on the command line.
        by_points: whether a cluster's workers share its points; if not, one of them computes all of it.
        form: makes the object that its stored arrays stand for.
    """

    folder: ClassVar[str]
    form: ClassVar[Any]
    by_points: ClassVar[bool] = False

    @classmethod
    def code(cls, recipe: Recipe) -> str:
        """The fingerprint of the code that computes it, "" where any will do: a result of other code is made anew."""
        # Where every point is computed, nothing chooses points.
        unused = () if "tolerance" in recipe else ("landscape.adaptive",)
        return code_of("engine", "landscape", cls.__module__.partition(".")[2], without=unused)

    @classmethod
    @abstractmethod
    def all(cls, study: Subject) -> Iterable[Kind]:
        """Those of this kind that a whole study has."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What the result's file is called, before the hash of its recipe."""

    @abstractmethod
    def recipe(self, study: Subject) -> Recipe:
        """What changes its numbers and nothing else: data and model by their checksums, seeds, grid, sample, ..."""

    def needs(self, study: Subject) -> tuple[Kind, ...]:
        """The results that have to be there before it is computed."""
        return ()

    @abstractmethod
    def compute(self, study: Subject, journal: Journal) -> Arrays:
        """Its arrays; what is put into `journal` is there again after a kill."""

    @abstractmethod
    def cost(self, study: Subject, scale: Scale) -> Cost:
        """What computing it takes."""

    def read(self, study: Subject, arrays: Arrays) -> Any:
        """The object that the stored arrays stand for."""
        return type(self).form(arrays)

    @property
    def label(self) -> str:
        """What it is, in words."""
        seed, rate = getattr(self, "seed", 0), getattr(self, "learning_rate", None)
        told = not seed or self.name.endswith(f"{getattr(self, 'how', '')}-{seed}")
        further = ("" if told else f", seed {seed}") + ("" if rate is None else f", learning rate {rate:g}")
        return f"{self.folder} {self.name}{further}"


def fields_of(form: Callable[..., Any]) -> Callable[[Arrays], Any]:
    """Makes a dataclass of its fields, as `as_arrays` gave them."""
    return lambda arrays: form(**plain_values(arrays))
