"""How a study's results are computed and kept: read from the store, or else made after all that they need, here, by
processes side by side, or by a cluster.

A network of half a million weights is slower on two threads than on one. So where a profile says `side_by_side`, each
core works on a result of its own, on one thread. A process that is killed loses no more than the point in flight of a
scan, the epoch of a training, or one result that takes less time.
"""

import copy
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any, Self

import torch
from joblib import Parallel, cpu_count, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError

from ..engine.cluster import Client
from ..environment import NOTHING, PARAMETERS, check_names, data_folder, one_thread, project_folder
from ..errors import Lacking, UserError, one_of
from ..landscape.scan import Plane
from ..names import CONTINUED, HOWS, SPLITS
from ..profiles import load_profile
from ..profiles.profile import Profile
from ..progress import SWITCH, bar
from ..store.files import logger
from ..store.result_file import Result
from ..store.store import Store
from ..training.finetune import Run
from ..training.tasks import Example, sample_of
from . import results
from .kind import Arrays, Journal, Kind, Recipe, Subject, Trainings
from .run_result import RunResult
from .scan_results import CurveResult, LayerResult, MapResult, SurfaceResult
from .trainings import ProfileTrainings
from .workers import apart, device_names, join

KINDS: dict[str, type[Kind]] = {
    kind.folder: kind
    for kind in (
        RunResult,
        SurfaceResult,
        LayerResult,
        CurveResult,
        results.TrajectoryResult,
        results.WalkResult,
        results.PathResult,
        results.ObstaclesResult,
        results.RandomDirectionsResult,
        results.BarrierResult,
        results.RollbackResult,
        results.CubeResult,
        results.UnseenWordsResult,
        results.SimilarityResult,
    )
}


def current_code(result: Result) -> str:
    """The fingerprint of the code that would compute a stored result now; "" where any will do."""
    folder = result.meta["kind"]
    kind = MapResult if folder == MapResult.folder else KINDS.get(folder)
    return kind.code(result.recipe) if kind else ""


class Computing:
    """What `Study` asks its questions of; its arguments are explained there."""

    def __init__(
        self,
        profile: str | Path | Profile = "demo",
        *,
        tasks: str | Sequence[str] = "all",
        seed: int | None = None,
        resolution: int = 0,
        span: float = 0.0,
        examples: int = 0,
        data_dir: str | Path = "",
        results_dir: str | Path = "results",
        device: str = "auto",
        client: Client | None = None,
        trainings: Callable[[Profile, Store, str], Trainings] | None = None,
    ):
        base = load_profile(profile)
        self.profile = load_profile(
            base,
            tasks=tasks,
            seed=None if type(seed) is int and seed in base.seeds else seed,
            resolution=resolution,
            span=span,
            examples=examples,
            data_dir=data_folder(data_dir or base.data_dir),
        )
        self.store = Store(project_folder(results_dir) / self.profile.name, read_only=device == NOTHING)
        self.client = client
        self.device = join(client, device, self.store.folder)
        self.trainings = (trainings or ProfileTrainings)(self.profile, self.store, self.device)
        self.tasks, self.ways, self.seeds = self.trainings.tasks, self.trainings.ways, self.trainings.seeds
        self.seed = self.seeds[0] if seed is None else seed
        self.overfit_task = self.trainings.overfitted
        scanned = tuple(seed for seed in self.profile.surface_seeds if seed in self.seeds)
        self.surface_seeds = tuple(dict.fromkeys((*scanned, self.seed))) if scanned else self.seeds
        layered = tuple(task for task in self.tasks if task in self.profile.layers.tasks) or self.tasks
        self.layer_tasks = layered if self.trainings.layered else ()

    @classmethod
    def from_parameters(cls, namespace: Mapping[str, Any]) -> Self:
        """The study that a notebook's parameters ask for; `namespace` is its globals(). A UserError for a parameter
        that no notebook has, which papermill only warns of, and for a value that is not allowed."""
        check_names(namespace)
        return cls(**{name: namespace[name] for name in PARAMETERS})

    def __getstate__(self) -> dict[str, Any]:
        """What goes to another process, which computes by itself."""
        return self.__dict__ | {"client": None}

    def under(self, precision: str, **changes: Any) -> Self:
        """This study with another precision and other `resolution`, `span` or `examples`; the same trainings."""
        again = copy.copy(self)
        again.profile = load_profile(self.profile.model_copy(update={"precision": precision}), **changes)
        return again

    def compute(self, *what: str, workers: int | None = None) -> None:
        """Compute what the store lacks of `what` (default: everything), side by side where the profile says so.

        Args:
            what: any of `names.KINDS`: "runs", "curves", "surfaces", ...
            workers: processes; default: one for each core if the profile is `side_by_side`, else 1. Those of the
                client, if there is one.

        Raises:
            Lacking: something is to be computed, on device "none".
        """
        for folder in what:
            one_of("kind of result", folder, tuple(KINDS))
        if workers is not None and (type(workers) is not int or workers < 1):
            raise UserError(f"workers = {workers!r}: a whole number is needed, at least 1")
        missing = with_needs(self, what or tuple(KINDS), self.has)
        if missing and self.store.read_only:
            raise Lacking(f"{self.store.folder} lacks {len(missing)} results, {missing[0].label} for one")
        workers = workers or (cpu_count() if self.profile.side_by_side else 1)
        waiting = TopologicalSorter({kind: {*kind.needs(self)} & {*missing} for kind in missing})
        waiting.prepare()
        with bar(total=len(missing), what="study", unit="result") as progress:
            while ready := waiting.get_ready():  # what needs only what is there
                for _ in computed_of(self, ready, workers):
                    progress.update()
                waiting.done(*ready)

    # A result

    def key(self, kind: Kind) -> tuple[str, str, Recipe]:
        """Folder, name and recipe, by which the store finds a result."""
        return kind.folder, kind.name, kind.recipe(self)

    def found(self, kind: Kind) -> Result | None:
        """The stored result that the present code has computed, if there is one."""
        key = self.key(kind)
        return self.store.load(*key, code=kind.code(key[2]))

    def has(self, kind: Kind) -> bool:
        """Whether the store has a result that the present code has computed."""
        return self.found(kind) is not None

    def there(self, kind: Kind) -> bool:
        """As `has`; what cannot be told without a model, or without data or their facts, is not there."""
        try:
            return self.has(kind)
        except UserError:
            return False

    def get(self, kind: Kind, watch: Callable[[Journal], Journal] = lambda journal: journal) -> Any:
        """A result, read from the store, or else computed after all that it needs, and kept.

        `watch`: what the computation is given for its journal.
        """
        if found := self.found(kind):
            return kind.read(self, found.arrays)
        if not self.store.read_only:
            for need in kind.needs(self):
                self.get(need)
        return self.keep(kind, lambda journal: self.computed(kind, watch(journal)))

    def computed(self, kind: Kind, journal: Journal) -> Arrays:
        """A result's arrays, computed here or, where its points are not shared out, by one of the client's workers."""
        if self.client is None or kind.by_points:
            return kind.compute(self, journal)
        ((_, arrays),) = apart(self.client, self, [kind])
        return arrays

    def keep(self, kind: Kind, compute: Callable[[Journal], Arrays]) -> Any:
        """A result, read from the store, or else made by `compute` and kept."""
        threads: AbstractContextManager[None] = one_thread() if self.profile.side_by_side else nullcontext()
        with threads:
            device, key = device_names(self.client, self.device), self.key(kind)
            result = self.store.compute(*key, compute, code=kind.code(key[2]), device=device)
        return kind.read(self, result.arrays)

    # What a result is computed from

    def sample(self, name: str, split: str) -> list[Example]:
        """The examples of a split that a landscape is computed on: the same ones, in the same order, every time."""
        one_of("split", split, SPLITS)
        return sample_of(getattr(self.trainings.task(name), split), getattr(self.profile.sample, split))

    def trained(self, run: RunResult) -> Run:
        """A training with its snapshots at hand: trained again if they are gone."""
        found = self.get(run)
        self.trainings.ready(run)
        return found

    def plane(self, task: str, how: str = HOWS[0], seed: int | None = None) -> Plane:
        """Through theta_0 along delta_1 of the task and delta_2 of its partner in the profile (section 3.2)."""
        named = RunResult(*self.which(task, how, seed))
        run = self.trained(named)
        origin = run.theta(0)
        return Plane(origin, run.theta() - origin, self.trainings.second(named).vector(origin))

    def which(self, task: str, how: str, seed: int | None) -> tuple[str, str, int]:
        """Task, way of training and seed in full; refused if they are not known."""
        one_of("way to train", how, (*self.ways, *((CONTINUED,) if self.overfit_task else ())))
        return self.trainings.known(task), how, self.seed if seed is None else seed


def with_needs(
    study: Subject, what: Sequence[str], there: Callable[[Kind], bool] = lambda kind: False
) -> list[Kind]:
    """The kinds in the given folders, and what they need, which comes before them; not what is `there`."""
    found: dict[Kind, None] = {}

    def add(kind: Kind) -> None:
        if kind not in found and not there(kind):
            for need in kind.needs(study):
                add(need)
            found[kind] = None

    for folder, kinds in KINDS.items():
        for kind in kinds.all(study) if folder in what else ():
            add(kind)
    return list(found)


def computed_of(study: Subject, kinds: Sequence[Kind], workers: int) -> Iterable[Any]:
    """Compute results of which none needs another, by so many processes or the study's client; an item for each."""
    if study.client is not None:
        return on_cluster(study, kinds)
    return side_by_side(study, kinds, workers) if min(workers, len(kinds)) > 1 else map(study.get, kinds)


def side_by_side(study: Subject, kinds: Sequence[Kind], workers: int) -> Iterator[None]:
    """Compute results in processes of their own; an item for each as it is done."""
    threads = max(cpu_count() // workers, 1)  # more of them than cores would wait for one another
    call = delayed(compute_one)
    try:
        yield from Parallel(min(workers, len(kinds)), batch_size=1, return_as="generator_unordered")(
            call(study, kind, threads, logger.getEffectiveLevel()) for kind in kinds
        )
    except TerminatedWorkerError:
        raise UserError(
            "a worker was ended from outside (too little memory?): fewer --workers need less; what was computed is kept"
        ) from None


def compute_one(study: Subject, kind: Kind, threads: int, level: int) -> None:
    """Compute one result in a worker process; one bar is shown, the parent's."""
    logging.basicConfig(format="%(message)s")
    logger.setLevel(level)
    os.environ[SWITCH] = "off"
    torch.set_num_threads(threads)
    study.get(kind)


def on_cluster(study: Subject, kinds: Sequence[Kind]) -> Iterator[None]:
    """Compute results by a client's workers: first those that one worker computes, then one by one the scans."""
    for kind, arrays in apart(study.client, study, [kind for kind in kinds if not kind.by_points]):
        yield study.keep(kind, partial(lambda found, journal: found, arrays))
    for kind in kinds:
        if kind.by_points:
            yield study.get(kind)
