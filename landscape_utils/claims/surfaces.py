"""Measures of the surroundings of an end: how wide and flat they are, and whether training loss and dev error agree."""

import numpy as np
from scipy import linalg

from .evidence import EVERY
from .flatness import HIGH, versions
from .intervals import Evidence, LeftOut, drawn
from .measure import TRAININGS, WAYS, Subject, guessing, reads, require_learned
from .regions import along_directions, in_plane, on_line, ratio_of_regions

FEWEST = 20  # points of a correlation: a cubic alone fits four of them
LARGE, SMALL = ("mnli", "sst2"), ("rte", "mrpc")  # data sets, as the paper calls them


@reads("surface", fitted=True)
def area(study: Subject, task: str, seed: int, distances: bool = False) -> Evidence:
    scans = [study.surface(task, how, seed=seed) for how in WAYS]
    units = [scan.norm**2 * np.sqrt(1 - scan.cosine**2) if distances else 1 for scan in scans]
    return ratio_of_regions([in_plane(scan) for scan in scans], guessing(study, task), units)


@reads("curve", fitted=True)
def width(study: Subject, task: str, seed: int, distances: bool = False) -> Evidence:
    scans = [study.curve(task, how, seed=seed) for how in WAYS]
    units = [scan.norm if distances else 1 for scan in scans]
    return ratio_of_regions([on_line(scan) for scan in scans], guessing(study, task), units)


@reads("random_directions", fitted=True)
def radius(study: Subject, task: str, seed: int) -> Evidence:
    regions = [along_directions(study.random_directions(task, how, seed)) for how in WAYS]
    return ratio_of_regions(regions, guessing(study, task))


@reads("surface", "run")
def area_of_error(study: Subject, task: str, seed: int) -> Evidence:
    for how in WAYS:
        require_learned(study, task, how, float(study.run(task, how, seed).dev_accuracy[-1]))
    regions = [in_plane(study.surface(task, how, "dev", seed=seed), "error") for how in WAYS]
    return ratio_of_regions(regions, 1 - study.facts(task)["majority"])


def partial_rank_correlation(first: np.ndarray, second: np.ndarray, given: np.ndarray) -> np.ndarray:
    """Spearman's rank correlation, (V,), of two surfaces' values, (V, N) each, given a third, (N,).

    What a cubic of its ranks leaves of theirs is correlated (a line would leave a bend); NaN where nothing is left.
    """
    from scipy.stats import rankdata  # takes half a second

    x, y, z = (rankdata(values, axis=-1) for values in (first, second, given))
    basis = linalg.orth(np.vander((z - z.mean()) / max(np.ptp(z), 1.0), 4))  # (N, 4), fewer if z is constant
    x, y = (ranks - (ranks @ basis) @ basis.T for ranks in (x, y))
    norm = np.sqrt((x**2).sum(-1) * (y**2).sum(-1))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(norm > 1e-6 * len(given), (x * y).sum(-1) / norm, np.nan)


def correlation(
    study: Subject, task: str, how: str, seed: int, within: float, given_distance: bool = True
) -> np.ndarray:
    """(V,): rank correlation of training loss and dev error near the end, the distance from it held fixed if asked.

    The draws' losses carry random errors of the size of rounding and interpolation.
    """
    train, dev = (study.surface(task, how, split, seed=seed) for split in ("train", "dev"))
    end = train.marks["end"]
    # (A, B), in alpha; what is equally far away is so, whatever the rounding
    distance = np.hypot(train.alpha[:, None] - end.alpha, train.beta - end.beta).round(9)
    where = distance <= within
    if np.count_nonzero(where) < FEWEST:
        raise LeftOut(f"the surface has only {np.count_nonzero(where)} points near the end")
    loss, error = versions(train).grid[:, where], versions(dev, "error").grid[:, where]
    off = train.precision_error + np.broadcast_to(getattr(train, "loss_bound", 0.0), where.shape)[where]
    loss[1:] += off * np.random.default_rng(0).uniform(-1, 1, loss[1:].shape)
    loss, error = np.where(np.isfinite(loss), loss, HIGH), np.where(np.isfinite(error), error, 1.0)
    found = partial_rank_correlation(loss, error, distance[where] * given_distance)
    if np.isnan(found[0]):
        raise LeftOut(
            f"training loss or dev error of {TRAININGS[how]} does not vary at equal distances from the end"
        )
    return np.where(np.isnan(found), 0.0, found)


agreement_of_both = reads("surface", each=True)(correlation)


@reads("surface")
def agreement(
    study: Subject, task: str, seed: int, how: str, within: float, given_distance: bool = True
) -> Evidence:
    """The effect is Fisher's z = artanh r of the correlation r: no interval of it passes a correlation of 1."""
    found = correlation(study, task, how, seed, within, given_distance)
    with np.errstate(divide="ignore"):
        return drawn([found[0]], np.arctanh(np.clip(found, -1.0, 1.0)))


@reads(
    "surface",
    ways=("scratch",),
    tasks=lambda study: (EVERY,) if {*LARGE, *SMALL} <= set(study.tasks) else (),
)
def agree_on_large(study: Subject, task: str, seed: int, within: float) -> Evidence:
    large, small = (
        np.mean([correlation(study, t, "scratch", seed, within) for t in tasks], axis=0)
        for tasks in (LARGE, SMALL)
    )
    return drawn([large[0], small[0]], large - small)
