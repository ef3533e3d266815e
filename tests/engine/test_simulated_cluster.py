"""Scans on a simulated cluster that loses, delays and doubles: the bits of a scan without one, and no hang."""

import gc
import logging
import random
from collections import Counter
from contextlib import contextmanager, suppress
from itertools import product

import numpy as np
import pytest
import torch
from geometry import Acting, assert_same, interrupt, make_plane
from networks import make_examples, make_model
from simulated_cluster import Cluster

from landscape_utils.engine import cluster
from landscape_utils.engine.objective import Objective
from landscape_utils.engine.walker import Walk
from landscape_utils.errors import UserError
from landscape_utils.landscape.scan import scan

SEEDS = 1000  # 10,000 were run once
ALPHA, BETA = np.linspace(-2, 2, 19), np.array([0.5])


@contextmanager
def known(rows):
    """In the place of a walker: the rows that one found, until it is closed."""
    rows = dict(rows)
    yield lambda point: torch.from_numpy(rows[point])
    rows.clear()


@pytest.fixture(scope="module")
def case():
    """Objectives on a plane, the surfaces that scans of it without a cluster find, and the rows of all points."""
    model, journal = make_model(), {}
    objectives = [Objective(model, make_examples(3, seed=seed)) for seed in (0, 1)]
    where = (objectives, make_plane(model), ALPHA, BETA)
    whole = scan(*where, journal=journal)
    adaptive = scan(*where, tolerance="stderr")
    assert 10 < adaptive[0].computed.sum() < 19, "several rounds"
    points = [*product(ALPHA.tolist(), BETA.tolist()), (0.0, 0.0), (1.0, 0.0)]
    rows = {point: journal[i] for i, point in enumerate(points)}
    return where, {None: whole, "stderr": adaptive}, rows


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """No time passes but the simulated; what workers leave open is theirs."""
    monkeypatch.setattr(cluster, "POLL", 0.0)
    monkeypatch.setattr(cluster, "_opened", {})
    logging.getLogger("landscape_utils").setLevel(logging.ERROR)
    yield
    logging.getLogger("landscape_utils").setLevel(logging.NOTSET)
    # The walkers of several processes, in one thread here, are not closed in order, or only as they are collected.
    cluster._opened.clear()
    gc.collect()
    torch.set_grad_enabled(True)


def scanned(case, seed: int) -> Counter:
    """Scan on the cluster of this seed, perhaps interrupted; go on until it is whole; compare; what happened."""
    where, expected, _ = case
    client, journal = Cluster(seed), {}
    tolerance = "stderr" if seed % 2 else None
    given = {"client": client, "tolerance": tolerance}
    if random.Random(seed).random() < 0.3:
        stopped = Acting(random.Random(-seed).randint(0, 17), interrupt)
        with suppress(KeyboardInterrupt, UserError):
            scan(*where, journal=stopped, **given)
        journal = dict(stopped)
    while True:
        try:
            found = scan(*where, journal=journal, **given)
            break
        except UserError as error:  # all is lost, is said in a line: somebody looks after the cluster
            assert "what was computed is kept" in str(error)
            client.happened["given up"] += 1
            client.trouble = 0.0
    assert_same(found, expected[tolerance])
    assert len(journal) == found[0].computed.sum() + 3, "the marks and the probe, and not one more than alone"
    assert not client.tasks, "what nobody waits for is neither computed nor kept"
    assert not any(worker.opened for worker in client.workers.values()), "no walk stays open behind its scan"
    return client.happened


def test_whatever_happens_the_bits_are_the_same(case, monkeypatch):
    monkeypatch.setattr(Walk, "open", lambda walk, precision: known(case[2]))
    monkeypatch.setattr(Walk, "to", lambda walk, device: walk)
    # nothing of a walk is read here, and to send a thousand models takes most of the time
    monkeypatch.setattr(Walk, "__getstate__", lambda walk: None, raising=False)
    happened = Counter()
    for seed in range(SEEDS):
        try:
            happened += scanned(case, seed)
        except BaseException as error:
            error.add_note(f"seed {seed}")
            raise
    trouble = "killed, killed its workers, lost and computed again, late, doubled, left while asked"
    for what in f"joined, {trouble}, no worker for long, given up".split(", "):
        assert happened[what], what


@pytest.mark.parametrize("seed", range(5))
def test_walkers_of_workers_find_the_same_bits_too(case, seed):
    scanned(case, seed)
