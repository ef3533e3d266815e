"""Planted worlds: synthetic studies in which each claim is true, false, or without an effect, and all is noisy.

Trainings differ by seed; scans have one training, everything else has three. A scan, an accuracy and a rollback are
measured on a sample of examples, each with a smooth field of its own over the plane, and the bootstrap draws are of
those very examples. What is true holds for the population; a claim sees the sample.
"""

from functools import partial
from typing import Any

import numpy as np
from synthetic import START_END, common, rollback_of, run_of

from landscape_utils.engine.objective import bootstrap_draws
from landscape_utils.landscape.directions import RADII, RandomDirections
from landscape_utils.landscape.paths import Obstacles, TrainingPath, random_walk_cosine
from landscape_utils.landscape.rollback import LAYER_MARKS
from landscape_utils.landscape.scan import Curve, Mark, Surface

WORLDS = {"true": 1, "absent": 0, "false": -1}
DEV = 2000
TASKS = ("mnli", "rte", "sst2", "mrpc")
SIZES = {"mnli": 100_000, "rte": 2_500, "sst2": 20_000, "mrpc": 3_700}
EXAMPLES, WAVES = 256, 5
DRAWS = 40  # the fewest that give an interval of 95 % are 39, see `intervals.drawn`
GUESS = float(np.log(2))
SHARES = bootstrap_draws(EXAMPLES, DRAWS).numpy().T.astype(float)  # (draws, examples)
AXIS, UNIT = np.linspace(-4, 4, 15), np.linspace(0, 1, 41)


def measured(value: np.ndarray, places: np.ndarray, spread: float, rng: np.random.Generator) -> np.ndarray:
    """(1 + draws, points): a population's value on a sample of examples, and on bootstrap draws of that sample.

    Each example adds waves of its own over the places, (points, dimensions), of standard deviation `spread`.
    """
    direction, phase = rng.normal(0, 1.0, (places.shape[1], WAVES)), rng.uniform(0, 2 * np.pi, WAVES)
    waves = np.cos(places @ direction + phase)  # (points, WAVES)
    own = rng.normal(0, spread, (EXAMPLES, WAVES))
    means = np.concatenate([own.mean(axis=0)[None], SHARES @ own])
    return value + means @ waves.T


class Planted:
    """A study of one world. `claim` matters where one study cannot be without effect for two claims."""

    tasks, layer_tasks, overfit_task = TASKS, ("mnli", "mrpc"), "mrpc"

    def __init__(self, world: str, draw: int, claim: str = "", seeds: tuple[int, ...] = (0, 1, 2)):
        self.sign, self.draw, self.claim, self.seeds = WORLDS[world], draw, claim, seeds

    def rng(self, *of: object) -> np.random.Generator:
        """The same for the same result, whenever it is asked for."""
        return np.random.default_rng([self.draw, *map(ord, "/".join(map(str, of)))])

    def pick(self, true: Any, absent: Any, false: Any) -> Any:
        return (absent, true, false)[self.sign]

    def seeds_of(self, kind: str, task: str, how: str = "pretrained") -> tuple[int, ...]:
        return self.seeds if kind in ("run", "continued", "walk", "rollback") else (0,)

    def partner(self, task: str) -> str:
        return {"mnli": "rte", "sst2": "rte", "rte": "mrpc", "mrpc": "mnli"}[task]

    def facts(self, task) -> dict[str, Any]:
        return {"labels": ["no", "yes"], "majority": 0.5, "dev_examples": DEV, "train_examples": SIZES[task]}

    def schedule(self, task, how="pretrained") -> np.ndarray:
        return np.linspace(1, 0, 160 if how == "scratch" else 40)

    # Trainings

    def run(self, task, how="pretrained", seed=None):
        rng, scratch = self.rng("run", task, how, seed), how == "scratch"
        rate = (self.pick(0.5, 1.0, 2.0) if scratch else 1.0) * np.exp(rng.normal(0, 0.05))
        floor = (self.pick(0.3, 0.15, 0.05) if scratch else 0.15) + rng.normal(0, 0.005)

        def loss(epoch: np.ndarray) -> np.ndarray:
            falling = floor + (GUESS - floor) * np.exp(-rate * epoch)
            if task == "rte" and scratch and self.claim == "slow-start":
                # the first four epochs; what follows is as elsewhere
                start = GUESS * (self.pick(0.99, 0.9, 0.5) + rng.normal(0, 0.005))
                falling = np.where(epoch <= 4, start, np.minimum(falling, start))
            return falling + rng.normal(0, 0.03, epoch.shape)

        share = np.clip(self.accuracies(task, how) + rng.normal(0, 0.004), 0, 1)
        dev = {"dev_accuracy": np.array([0.5, rng.binomial(DEV, share) / DEV])}
        return run_of(loss, task=task, how=how, seed=seed or 0, epochs=16 if scratch else 8, **dev)

    def accuracies(self, task, how):
        """Of the population: the gain falls with the size of the training set, or rises, or is the same everywhere."""
        size = np.log10(SIZES[task] / SIZES["mnli"])
        gain = self.pick(0.1 - 0.15 * size, 0.0, -0.1 + 0.15 * size)
        further = {"continued": self.pick(0.05, -0.05, -0.2)}.get(how, 0.0)
        return {"scratch": 0.7 - gain / 2}.get(how, 0.7 + gain / 2) + further

    def walk(self, task, how="pretrained", seed=None):
        rng, dimension = self.rng("walk", task, how, seed), 1_000_000
        straighter = {"pretrained": 0.15 + 0.15 * self.sign}.get(how, 0.15) + rng.normal(0, 0.02)
        chance = 5 / np.sqrt(dimension)
        angle = self.pick(rng.normal(0, chance / 5), rng.normal(chance, chance / 20), rng.normal(0.05, 0.005))
        moved = np.array([1.0, 1.5, 2.0 ** (self.sign + rng.normal(0, 0.1))])
        cosine = random_walk_cosine(self.schedule(task, how)) + straighter
        return TrainingPath(
            norm=np.array([0, 1.0]), cosine=np.array([np.nan, 1.0]), leg=np.array([1.0]),
            quarter=np.array([0.5, cosine]), size=np.array([10.0, 11.0]), dimension=dimension, angle=angle,
            moved=moved, group_size=np.ones(3),
        )  # fmt: skip

    # Scans

    def scanned(self, marks, loss, error, rng, axes=(AXIS, AXIS), spread=0.3) -> Any:
        """A curve or a surface of population values loss(places) and error(places), places (points, dimensions)."""
        grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(axes))
        places = np.concatenate([grid, [at[: len(axes)] for at in marks.values()]])
        both = np.stack([measured(f(places), places, spread, rng) for f in (loss, error)], axis=1)
        losses, errors = both[0, :, : len(grid)].reshape(2, *map(len, axes))
        placed = zip(marks.items(), both[0, :, len(grid) :].T, strict=True)
        seen = {name: Mark(*at, *of, 0.0, 0.0) for (name, at), of in placed}
        own = {"error": errors, "examples": EXAMPLES, "draws": both[1:].astype(np.float32)}
        known = common(losses, axes[0], seen) | own
        return Curve(**known) if len(axes) == 1 else Surface(beta=axes[1], cosine=0.0, **known)

    def steepness(self, how: str) -> float:
        return {"scratch": 4.0**self.sign}.get(how, 1.0)

    def bowl(self, steepness: float, end: float, top: float, centre: float = 1.0):
        """From `end` at the centre to `top` far away."""

        def value(at: np.ndarray) -> np.ndarray:
            away = at - np.eye(at.shape[1])[0] * centre
            return end + (top - end) * (1 - np.exp(-steepness * (away**2).sum(1) / 2))

        return value

    def surface(self, task, how="pretrained", split="train", seed=None):
        """What training loss and dev error share beside the distance from the end is a wave."""
        from_scratch = (1, 0.5, 0) if task in ("mnli", "sst2") else (0, 0.5, 1)
        shared = self.sign if how == "pretrained" else self.pick(*from_scratch)
        height = 0.12 * {"train": 1.0, "dev": float(shared)}[split]

        def wavy(end: float, top: float, at: np.ndarray) -> np.ndarray:
            """The wave goes by the direction from the end alone: the distance tells nothing about it."""
            x, y = (at - [1.0, 0.0]).T
            wave = height * np.minimum(1, np.hypot(x, y)) * np.cos(3 * np.arctan2(y, x) + 1)
            return self.bowl(self.steepness(how), end, top)(at) + wave

        loss, error = partial(wavy, 0.1, 2.0), partial(wavy, 0.2, 0.7)
        return self.scanned(START_END, loss, error, self.rng("surface", task, how, split, seed))

    def curve(self, task, how="pretrained", split="train", seed=None):
        bowl = self.bowl(self.steepness(how), 0.1, 2.0)
        axis = np.linspace(-4, 4, 41)
        return self.scanned(START_END, bowl, bowl, self.rng("curve", task, how, split, seed), (axis,))

    def way(self, rise, rng, marks=START_END, axis=UNIT, low=0.1) -> Curve:
        """Down from 0.7 to `low`, with one rise in between, as a share of the descent."""
        end, depth = marks.get("end", (1.0, 0.0))[0], 0.7 - low

        def loss(at: np.ndarray) -> np.ndarray:
            return 0.7 - depth * np.interp(at[:, 0] / end, [0, 0.375, 0.625, 1], [0, 0.6, 0.6 - rise, 1])

        return self.scanned(marks, loss, loss, rng, (axis,), spread=0.15)

    def rise(self, how: str) -> float:
        return self.pick(0.25, 0.05, -0.1) if how == "scratch" else self.pick(-0.1, 0.05, 0.25)

    def path(self, task, how="pretrained", seed=None):
        return self.way(self.rise(how), self.rng("path", task, how, seed))

    def obstacles(self, task, how="pretrained", seed=None):
        rng = self.rng("obstacles", task, how, seed)
        path = self.way(self.rise(how), rng, {"start": (0.0, 0.0), "end": (4.0, 0.0)}, np.linspace(0, 4, 17))
        marks = {"start": (0.0, 0.0), "first epoch": (0.4, 0.0)}
        lowest = 0.7 - 0.6 * self.pick(0.9, 0.5, 0.1)
        return Obstacles(path, self.way(0.0, rng, marks, np.linspace(0, 1.0, 21), lowest))

    def barrier(self, task, split="train", seed=None):
        height = (GUESS - 0.1) * self.pick(0.0, 0.05, 0.3)

        def loss(at: np.ndarray) -> np.ndarray:
            return 0.1 + height * np.clip(1 - np.abs(2 * at[:, 0] - 1), 0, 1)

        rng = self.rng("barrier", task, split, seed)
        return self.scanned(START_END, loss, loss, rng, (np.linspace(0, 1, 21),), spread=0.1)

    def random_directions(self, task, how="pretrained", seed=None):
        rng, radius = self.rng("directions", task, how, seed), np.array(RADII)
        own = {"scratch": 2.0**-self.sign}.get(how, 1.0) * 0.4 * np.exp(rng.normal(0, 0.1, 20))  # (D,)
        loss = 0.1 + 1.4 * (1 - np.exp(-((radius / own[:, None]) ** 2)))
        places = np.array([[0.0, 0.0]] + [[r, d] for d in range(20) for r in radius])
        found = measured(np.append(0.1, loss), places, 0.3, rng)
        losses, draws = found[0, 1:].reshape(20, -1), found[1:].astype(np.float32)
        return RandomDirections(radius, float(found[0, 0]), losses, draws, EXAMPLES, 0.0)

    # Layers

    def layer_surface(self, task, group, split="train", seed=None):
        bowl = self.bowl({"low": 0.3 * 4.0**-self.sign}.get(group, 0.3), 0.1, 2.0, centre=0.0)
        return self.scanned(LAYER_MARKS, bowl, bowl, self.rng("layers", task, group, split, seed))

    def rollback(self, task, learning_rate=None, seed=None):
        """Each group's rollback breaks some and mends a few."""
        rng = self.rng("rollback", task, seed)
        little = self.pick(0.01, 0.05, 0.2)
        right = rng.random(DEV) < 0.8
        correct = [right]
        for cost in (little, little, self.pick(0.2, 0.0 if self.claim == "high-layers" else 0.05, -0.1)):
            broken, mended = max(cost, 0) + 0.02, max(-cost, 0) + 0.02
            flip = np.where(right, rng.random(DEV) < broken / 0.8, rng.random(DEV) < mended / 0.2)
            correct.append(right ^ flip)
        return rollback_of(np.array(correct))
