"""Study: a profile bound to a results store. A notebook asks it for a result; it is loaded, or else computed and kept.

profile -> task, model -> run -> directions -> plane -> scan -> surface
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, Self

from ..engine.cluster import Client, apart, device_names, join
from ..environment import (
    NOTHING,
    PARAMETERS,
    check_device,
    check_names,
    data_folder,
    device_name,
    one_thread,
    project_folder,
)
from ..errors import Lacking
from ..names import one_of
from ..profiles import Profile, load_profile
from ..store.store import Store
from .kind import Arrays, Journal, Key, Kind, Trainings
from .order import compute_all, missing_of
from .queries import Queries
from .results import KINDS
from .trainings import ProfileTrainings


class Study(Queries):
    """A profile bound to its results in `results_dir/<profile>`: runs, landscapes, trajectories, rollbacks, claims.

    Args:
        profile: the name of a built-in profile, the path of a TOML file, or a Profile.
        tasks: "all", or names separated by commas.
        seed: of the runs whose landscapes are looked at; None: the profile's first. Means are over `seeds`, the
            profile's, or over this one alone if it is none of them.
        resolution, span, examples: of the grid and the sample; 0: as the profile says.
        data_dir: a folder in the GLUE layout; empty: the hub.
        results_dir: absolute, or in the project.
        device: "auto", "cpu", "cuda" or one of several, "cuda:1"; with a client, of its workers. "none": results are
            read, and nothing is computed, fetched or written; what is not there is `Lacking`.
        client: of `dask.distributed`: its workers train, each a run, and visit the points of the scans. They and this
            side must share `results_dir`; this side alone writes results.
        trainings: (profile, store, device) -> who supplies the trainings; default: the profile, which trains them.

    Raises:
        UserError: before any work, for any value that is not allowed.
    """

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
        self.device = check_device(device) if client is None else join(client, device, self.store.folder)
        supply = trainings or ProfileTrainings
        self.trainings: Trainings = supply(self.profile, self.store, self.device)
        self.tasks, self.seeds = self.trainings.tasks, self.trainings.seeds
        self.seed = self.seeds[0] if seed is None else seed

    @classmethod
    def from_parameters(cls, namespace: Mapping[str, Any]) -> Self:
        """The study that a notebook's parameters ask for; `namespace` is its globals().

        Raises:
            UserError: a parameter that no notebook has, which papermill only warns of; a value that is not allowed.
        """
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

    # Computing and keeping

    def key(self, kind: Kind) -> Key:
        """By which the store finds a result."""
        return kind.folder, kind.name, kind.recipe(self)

    def has(self, kind: Kind) -> bool:
        """Whether the store has a result that the present code has computed."""
        return self.store.load(*self.key(kind), code=kind.code()) is not None

    def get(self, kind: Kind, watch: Callable[[Journal], Journal] = lambda journal: journal) -> Any:
        """A result, read from the store, or else computed after all that it needs, and kept.

        `watch`: what the computation is given for its journal.
        """
        if (found := self.store.load(*self.key(kind), code=kind.code())) is not None:
            return kind.read(self, found.arrays)
        if not self.store.read_only:
            for need in kind.needs(self):
                self.get(need)
        return self.keep(kind, lambda journal: self.computed(kind, watch(journal)))

    def computed(self, kind: Kind, journal: Journal) -> Arrays:
        """A result's arrays, computed here or, where its points are not shared out, by one of the client's workers."""
        if self.client is None or kind.by_points:
            return kind.compute(self, journal)
        ((_, arrays),) = apart(self.client, self, [(kind, "computed", (kind, {}))], self.store.folder)
        return arrays

    def keep(self, kind: Kind, compute: Callable[[Journal], Arrays]) -> Any:
        """A result, read from the store, or else made by `compute` and kept."""
        with self._threads():
            device = device_names(self.client, self.device) if self.client else device_name(self.device)
            result = self.store.compute(*self.key(kind), compute, code=kind.code(), device=device)
        return kind.read(self, result.arrays)

    def compute(self, *what: str, workers: int | None = None) -> None:
        """Compute what the store lacks of `what` (default: everything), side by side where the profile says so.

        Args:
            what: any of "runs", "curves", "surfaces", "trajectories", "layers", "rollbacks", "cubes", "unseen_words".
            workers: processes; default: one for each core if the profile is `side_by_side`, else 1. Those of the
                client, if there is one.

        Raises:
            Lacking: something is to be computed, on device "none".
        """
        for folder in what:
            one_of("kind of result", folder, tuple(KINDS))
        missing = missing_of(self, what or tuple(KINDS))
        if missing and self.store.read_only:
            raise Lacking(
                f"{self.store.folder} lacks {len(missing)} results: {missing[0].label} is the first"
            )
        compute_all(self, missing, workers)

    def _threads(self) -> AbstractContextManager[None]:
        return one_thread() if self.profile.side_by_side else nullcontext()
