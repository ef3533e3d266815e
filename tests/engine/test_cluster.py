"""A cluster of two local worker processes: the same bits as here, whoever joins, leaves or dies.

Every comparison is exact: a worker computes with as many threads as this side, on a copy of the same numbers.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager

import cloudpickle
import distributed
import numpy as np
import pytest
import torch
from geometry import Acting, assert_same, interrupt, make_plane
from networks import make_examples, make_model

from landscape_utils import Line, Objective, Study, UserError, scan
from landscape_utils import __main__ as cli
from landscape_utils.engine import cluster
from landscape_utils.environment import ROOT
from landscape_utils.store.result_file import read_result
from landscape_utils.study import workers
from landscape_utils.study.run_result import RunResult

cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers need not import the tests

ALPHA, BETA = np.linspace(-1, 1, 6), np.linspace(-2, 2, 5)


@contextmanager
def dask(*arguments: str):
    """A process of dask's own command line, as users start it."""
    command = [sys.executable, "-m", "dask", *arguments, "--no-dashboard"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


@pytest.fixture(scope="module")
def connected(tmp_path_factory):
    """A client of a scheduler and two workers of one thread each; one that dies is started anew."""
    file = tmp_path_factory.mktemp("cluster") / "scheduler.json"
    with dask("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file)) as process:
        while not file.exists():  # a client would not say that the scheduler has ended
            assert process.poll() is None, "the scheduler did not start"
            time.sleep(0.1)
        with (
            dask("worker", "--scheduler-file", str(file), "--nworkers", "2", "--nthreads", "1"),
            distributed.Client(scheduler_file=str(file), timeout=120) as client,
        ):
            yield client


@pytest.fixture
def client(connected):
    """A client of two workers, each of which has imported what it needs."""
    connected.wait_for_workers(2, timeout=120)
    connected.run(cluster.close, on_error="ignore")
    return connected


@pytest.fixture(scope="module")
def landscape():
    """Two objectives on one model, a plane, and the surfaces that a scan without a cluster finds."""
    model = make_model()
    objectives = [Objective(model, make_examples(seed=seed)) for seed in (0, 1)]
    plane = make_plane(model)
    return objectives, plane, scan(objectives, plane, ALPHA, BETA)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_surface_is_the_local_one_and_the_model_stays(client, landscape, precision):
    objectives, plane, _ = landscape
    model, journal = objectives[0].model, {}
    before = {name: value.clone() for name, value in model.state_dict().items()}
    expected = scan(objectives, plane, ALPHA, BETA, precision=precision)
    found = scan(objectives, plane, ALPHA, BETA, precision=precision, client=client, journal=journal)
    assert_same(found, expected)
    assert (found[0].precision_error > 0) is (precision == "bfloat16")
    assert len(journal) == len(ALPHA) * len(BETA) + 2 + 1, "two marks, and the probe"
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_workers_use_as_many_threads_as_this_side(client, landscape):
    objectives, plane, _ = landscape
    for threads in (2, 1):
        torch.set_num_threads(threads)
        try:
            scan(objectives, Line(plane.origin, plane.x), [0.0, 1.0, 2.0], client=client)
        finally:
            torch.set_num_threads(1)
        used = client.run(lambda: cluster._computing.submit(torch.get_num_threads).result())
        assert list(used.values()) == [threads, threads]


@pytest.mark.slow
@pytest.mark.parametrize("killed", [1, 2])
def test_ctrl_c_and_workers_that_die_in_mid_scan_change_nothing(client, landscape, killed):
    """If both die, it is two that join who go on."""
    objectives, plane, expected = landscape
    journal = Acting(8, interrupt)
    with pytest.raises(KeyboardInterrupt):
        scan(objectives, plane, ALPHA, BETA, client=client, journal=journal)
    assert len(journal) == 8
    victims = [list(client.run(os.getpid).values())[:killed]]
    rest = Acting(16, lambda: [os.kill(pid, signal.SIGKILL) for pids in victims[:1] for pid in victims.pop()])
    rest.update(journal)
    assert_same(scan(objectives, plane, ALPHA, BETA, client=client, journal=rest), expected)
    assert not victims


def test_a_mistake_arrives_as_its_line(client, landscape):
    objectives, plane, _ = landscape
    with pytest.raises(UserError, match="'tf32' needs an NVIDIA GPU"):
        scan(objectives, plane, ALPHA, BETA, client=client, precision="tf32")


@pytest.mark.slow
def test_study_on_a_cluster_has_the_results_of_one_without(client, tiny_profile, tmp_path):
    what, folders = ("rollbacks", "curves", "cubes"), [tmp_path / "here", tmp_path / "there"]
    here, there = (Study(tiny_profile, results_dir=f, tasks="mrpc", resolution=3) for f in folders)
    here.compute(*what, workers=1)
    run = ["run", "--profile", str(tiny_profile), "--tasks", "mrpc", "--resolution", "3", "--what", *what]
    place = ["--results-dir", str(folders[1]), "--cluster", client.scheduler_info()["address"]]
    assert cli.main([*run, *place]) == 0
    expected, found = {}, {}
    for study, results in ((here, expected), (there, found)):
        for path in (entry.path for entry in study.store.entries()):
            result = read_result(path)
            result.arrays.pop("seconds", None)
            results[path.relative_to(study.store.folder)] = result.recipe, result.arrays
    np.testing.assert_equal(found, expected)


def test_workers_write_no_results(client, tiny_profile, tmp_path):
    study = Study(tiny_profile, tasks="mrpc", results_dir=tmp_path, client=client)
    kind = RunResult("mrpc", "pretrained", study.seed)
    ((found, arrays),) = workers.apart(client, study, [kind])
    assert found == kind
    assert study.has(kind) is False
    run = study.keep(kind, lambda journal: arrays)
    assert run.theta().isfinite().all()
    elsewhere = Study(tiny_profile, tasks="mrpc", results_dir=tmp_path / "elsewhere")
    message = "a worker does not see .*elsewhere.*, which all machines must share"
    with pytest.raises(UserError, match=message):
        list(workers.apart(client, elsewhere, [kind]))


@pytest.mark.slow
def test_a_task_that_no_worker_outlives_is_given_up(client):
    with pytest.raises(UserError, match="all workers that tried a task were lost"):
        list(cluster.call(client, lambda _: os.kill(os.getpid(), signal.SIGKILL), None, [[("one", ())]]))


def test_no_scheduler_is_one_line(monkeypatch, capsys):
    monkeypatch.setattr(workers, "ANSWER", 0.5)
    for address in ("tcp://127.0.0.1:9", "nonsense://x"):
        with pytest.raises(UserError, match="no dask scheduler answers"):
            workers.connect(address)
    assert cli.main(["run", "--cluster", "nowhere"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


WITHOUT_DASK = """
import sys
sys.modules["dask"] = sys.modules["distributed"] = None  # any import of them fails
sys.path.insert(0, "tests")
from networks import make_examples, make_model
from geometry import make_plane
from landscape_utils import Objective, scan
from landscape_utils.study.workers import connect
model = make_model()
scan(Objective(model, make_examples()), make_plane(model), [0.0], [0.0])
connect("tcp://127.0.0.1:9")
"""


def test_without_dask_only_a_cluster_is_lacking():
    done = subprocess.run([sys.executable, "-c", WITHOUT_DASK], cwd=ROOT, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1].endswith("pip install 'landscape_utils[cluster]'"), done.stderr
