"""Study: a profile bound to a results store. A notebook asks it for a result; it is loaded, or else computed and kept.

profile -> task, model -> run -> directions -> plane -> scan -> surface
"""

from typing import Any

import numpy as np

from ..claims.claims import weigh
from ..claims.evidence import Claim
from ..errors import UserError, one_of
from ..landscape.directions import RandomDirections
from ..landscape.paths import Obstacles, TrainingPath
from ..landscape.rollback import Rollback
from ..landscape.scan import Curve, Surface
from ..landscape.trajectory import Trajectory
from ..names import CONTINUED, HOWS, SPLITS, display_name
from ..training.finetune import Run
from ..training.tasks import Task
from . import results
from .computing import Computing
from .kind import Arrays, Kind
from .run_result import RunResult
from .scan_results import CurveResult, LayerResult, SurfaceResult

OF_A_RUN: dict[str, type[Any]] = {  # what claims ask for by name, of one training
    "run": RunResult,
    "walk": results.WalkResult,
    "path": results.PathResult,
    "obstacles": results.ObstaclesResult,
    "curve": CurveResult,
    "surface": SurfaceResult,
    "layer_surface": LayerResult,
    "random_directions": results.RandomDirectionsResult,
    "rollback": results.RollbackResult,
    "barrier": results.BarrierResult,
}


class Study(Computing):
    """A profile bound to its results in `results_dir/<profile>`: runs, landscapes, trajectories, rollbacks, claims.

    Args:
        profile: the name of a built-in profile, the path of a TOML file, or a Profile.
        tasks: "all", or names separated by commas.
        seed: of the runs whose landscapes are looked at; None: the profile's first. Means are over `seeds`, the
            profile's, or over this one alone if it is none of them.
        resolution, span: points on each axis of a surface, which reaches from -span to span; 0: as the profile says.
        examples: of each split for a landscape; 0: as the profile says.
        data_dir: a folder in the GLUE layout; empty: the hub.
        results_dir: absolute, or in the project.
        device: "auto", "cpu", "cuda" or one of several, "cuda:1"; with a client, of its workers. "none": results are
            read, and nothing is computed, fetched or written; what is not there is `Lacking`.
        client: of `dask.distributed`: its workers train, each a run, and visit the points of the scans. They and this
            side must share `results_dir`; this side alone writes results.
        trainings: (profile, store, device) -> who supplies the trainings; default: the profile, which trains them.

    Attributes:
        tasks: that there are.
        ways: of training, as they stand in figures from the left.
        seeds: that there are; `seed` is of the runs whose landscapes are looked at.
        surface_seeds: of the trainings whose surfaces are scanned.
        layer_tasks: Figure 7's tasks among the chosen ones; all the chosen ones if none of them is.
        overfit_task: the task that is trained on further (Figure 4), or "".

    Raises:
        UserError: before any work, for any value that is not allowed.

    >>> study = lu.Study("minilm", device="none")  # the reference run, of which results are read alone
    >>> study.surface("mrpc", "scratch", "dev").error.shape
    (21, 21)
    """

    # Tasks

    def task(self, name: str) -> Task:
        """The tokenised task. Raises UserError for data that are not at hand."""
        return self.trainings.task(name)

    def facts(self, name: str) -> dict[str, Any]:
        """What is known of a task without its data: labels, how many examples and tokens, majority share."""
        return self.trainings.facts(name)

    def heading(self, name: str) -> str:
        """A task as readers know it: "MNLI", or "MNLI-like (generated)" in the embedded language."""
        generated = self.trainings.generated(self.trainings.known(name))
        return f"{display_name(name)}-like (generated)" if generated else display_name(name)

    def partner(self, task: str) -> str:
        """The task that lends the second direction."""
        return self.trainings.partner(task)

    # Results

    def run(
        self, task: str, how: str = HOWS[0], seed: int | None = None, learning_rate: float | None = None
    ) -> Run:
        """The training of a task: "pretrained" (fine-tuned), "scratch", or "continued" (Figure 4's further epochs).

        `learning_rate`: another one than the profile chose; see `learning_rates`.
        """
        return self.get(RunResult(*self.which(task, how, seed), learning_rate))

    def learning_rates(self, task: str) -> list[float]:
        """All that the profile names for fine-tuning on a task, the lowest first."""
        chosen = self.trainings.settings(self._main(RunResult, task)).learning_rate
        return sorted({chosen, *self.trainings.tried(task)})

    def schedule(self, task: str, how: str = HOWS[0]) -> np.ndarray:
        """(S,): the learning rate of each step of a training."""
        return self.trainings.schedule(RunResult(*self.which(task, how, None)))

    def curve(self, task: str, how: str = HOWS[0], split: str = SPLITS[0], seed: int | None = None) -> Curve:
        """Eq. 1: loss and error along the line from theta_0 through theta_1; `split` "train" or "dev"."""
        return self._split(CurveResult(*self.which(task, how, seed)), split)

    def surface(
        self, task: str, how: str = HOWS[0], split: str = SPLITS[0], seed: int | None = None
    ) -> Surface:
        """Eq. 2: loss and error over the task's plane; `split` "train" or "dev" (both are computed at once)."""
        return self._split(SurfaceResult(*self.which(task, how, seed)), split)

    def layer_surface(
        self, task: str, group: str, split: str = SPLITS[0], seed: int | None = None
    ) -> Surface:
        """Section 7: f(alpha, beta) around theta_1 where the layers of one group alone move.

        Its marks are "fine-tuned", (0, 0), and "rolled back", (-1, 0).
        """
        return self._split(self._main(LayerResult, task, seed, group), split)

    def trajectory(
        self, task: str, how: str = HOWS[0], method: str = "plane", seed: int | None = None
    ) -> Trajectory:
        """Eq. 3-5: epochs 0 to the last in the coordinates of the task's plane."""
        return self.get(results.TrajectoryResult(*self.which(task, how, seed), method))

    def overfitting(self, method: str = "plane") -> Trajectory:
        """Figure 4: the epochs of fine-tuning and then the further ones, in the coordinates of the task's plane."""
        if not self.overfit_task:
            raise UserError("no training was continued here; Figure 4 needs a profile with further epochs")
        task = self.overfit_task
        return self.get(results.TrajectoryResult(task, HOWS[0], self.seed, method, continued=True))

    def rollback(self, task: str, learning_rate: float | None = None, seed: int | None = None) -> Rollback:
        """Table 1: accuracy on the whole dev split with one layer group set back to theta_0."""
        return self.get(self._main(results.RollbackResult, task, seed, learning_rate))

    def cube(self, task: str) -> Arrays:
        """Dev "accuracy" with each layer group rolled back by the shares of `rollback.AXIS`; on how many "examples"."""
        return self.get(self._main(results.CubeResult, task))

    def walk(self, task: str, how: str = HOWS[0], seed: int | None = None) -> TrainingPath:
        """Lengths and angles of a training's way, without any loss."""
        return self.get(results.WalkResult(*self.which(task, how, seed)))

    def path(self, task: str, how: str = HOWS[0], seed: int | None = None) -> Curve:
        """The training loss on the straight line from start to end, at 41 points in float32."""
        return self.get(results.PathResult(*self.which(task, how, seed)))

    def obstacles(self, task: str, how: str = HOWS[0], seed: int | None = None) -> Obstacles:
        """The training loss from epoch to epoch, and along the first epoch's direction."""
        return self.get(results.ObstaclesResult(*self.which(task, how, seed)))

    def random_directions(self, task: str, how: str = HOWS[0], seed: int | None = None) -> RandomDirections:
        """The training loss around the end along random directions, normalised row by row."""
        return self.get(results.RandomDirectionsResult(*self.which(task, how, seed)))

    def barrier(self, task: str, split: str = SPLITS[0], seed: int | None = None) -> Curve:
        """Figure 4: loss and error between the ends of the fine-tuning and of its further epochs."""
        return self._split(self._main(results.BarrierResult, task, seed), split)

    def unseen_words(self, task: str, how: str, seed: int | None = None) -> np.ndarray:
        """(3,): accuracy on dev examples with known words, with unseen ones, and on test, in the generated language."""
        return self.get(results.UnseenWordsResult(*self.which(task, how, seed)))

    def similarity(self, task: str) -> float:
        """Dev accuracy of the cosine of two sentences' vectors, before any training on the task. Raises UserError for a
        task that is not of pairs in two classes."""
        return float(self.get(results.SimilarityResult(self.trainings.known(task))))

    def claims(self) -> list[Claim]:
        """The paper's claims, weighed on this study's results; what is lacking is computed first."""
        names = self.trainings.claims
        return [] if names == () else weigh(self, *names or ())

    def seeds_of(self, kind: str, task: str, how: str) -> tuple[int, ...]:
        """The seeds of which there are results of a kind, or which are to be computed; () for none. Those that the
        profile names as extra are not computed for it.

        `kind`: the name of a method that takes a seed, or "continued".
        """
        one_of("kind of result", kind, ("continued", *OF_A_RUN))
        # The further epochs may be of a task beside those of the study.
        further = kind == "continued" or task not in self.tasks
        those = OF_A_RUN["barrier" if further else kind].all(self)
        named = {one.seed for one in those if (one.task, one.how) == (task, how)}
        kind, how = ("run", CONTINUED) if kind == "continued" else (kind, how)

        def there(seed: int) -> bool:
            return self.there(OF_A_RUN[kind](task, how, seed))

        computes = not self.store.read_only
        seeds = [seed for seed in self.seeds if seed in named and (computes or there(seed))]
        extra = [seed for seed in self.trainings.extra_seeds if named and there(seed)]
        return (*seeds, *extra)

    def _main(self, kind: type[Any], task: str, seed: int | None = None, *rest: Any) -> Any:
        """A result of the training whose layers are looked at."""
        return kind(*self.which(task, self.trainings.main, seed), *rest)

    def _split(self, kind: Kind, split: str) -> Any:
        one_of("split", split, SPLITS)  # before any work
        return self.get(kind)[split]
