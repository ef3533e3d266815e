"""The store under SIGKILL, full disks, locked folders and rivals: real processes, and the same bits in the end."""

import contextlib
import os
import signal
from itertools import count

import numpy as np
import pytest
from scan_process import KIND, NAME, RECIPE, Worker, row

from landscape_utils.store.store import Store


@pytest.fixture(scope="module")
def workers():
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(Worker()) for _ in range(3)]


def result_path(folder):
    return Store(folder).path(KIND, NAME, RECIPE)


def undisturbed(worker, folder, **job):
    """The bytes of the result of a scan that nothing disturbs."""
    assert worker.do(folder=folder, **job) == 0
    return result_path(folder).read_bytes()


def check_is_complete(folder, expected, points, width=3):
    path = result_path(folder)
    assert path.read_bytes() == expected
    left = {p.name for p in path.parent.iterdir()}
    assert left == {path.name, f"{path.name}.lock", path.with_suffix(".json").name}
    loss = Store(folder).load(KIND, NAME, RECIPE).arrays["loss"]
    assert loss.tobytes() == np.stack([row(i, width) for i in range(points)]).tobytes()


def points_of(said, what):
    return [int(line.split()[1]) for line in said if line.startswith(what)]


def check_nothing_done_is_done_again(*starts):
    """What each start of a job said: a point that was done is not begun by a later one."""
    done = set()
    for said in starts:
        assert not done & set(points_of(said, "begin"))
        done |= set(points_of(said, "done"))


@pytest.mark.parametrize("half", [False, True], ids=["before the call", "half of a write done"])
def test_killed_at_every_call_that_reaches_the_disk(memory, workers, half):
    worker, points = workers[0], 3
    expected = undisturbed(worker, memory / "reference", points=points)
    for number in count(1):
        job = {"folder": memory / f"{number}", "points": points}
        path = result_path(job["folder"])
        code, first = worker.do(**job, die=number, half=half), worker.said
        assert not path.exists() or path.read_bytes() == expected
        if code == 0:
            break
        assert code == -signal.SIGKILL
        if path.exists():  # killed while it cleaned up: the journal is not read any more
            path.with_suffix(".journal").unlink(missing_ok=True)
        assert worker.do(**job) == 0
        check_nothing_done_is_done_again(first, worker.said)
        check_is_complete(**job, expected=expected)
    # 2 folders made and synced, a probe, a journal of 3 rows, two files written, renamed and synced
    assert number > 25


def test_of_several_that_want_it_one_computes_and_the_others_read(memory, workers):
    job = {"folder": memory / "x", "points": 20}
    for worker in workers:
        worker.begin(**job)
    assert [worker.end() for worker in workers] == [0] * len(workers)
    assert sorted(point for worker in workers for point in points_of(worker.said, "begin")) == list(range(20))
    assert all("finished" in worker.said for worker in workers)
    check_is_complete(**job, expected=undisturbed(workers[0], memory / "reference", points=20))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -signal.SIGKILL), (signal.SIGINT, 0)])
def test_when_the_one_that_computes_is_killed_or_stopped_the_one_that_waits_goes_on(
    memory, workers, number, code
):
    """After Ctrl-C too what is done is kept and the lock is free."""
    first, second, job = *workers[:2], {"folder": memory / "x", "points": 10}
    pid = first.begin(**job, pause_at=5)
    first.wait_for("paused")
    second.begin(**job)
    second.wait_for(f"waiting for another process that works on {result_path(job['folder'])}")
    os.kill(pid, number)
    assert first.end() == code
    assert ("KeyboardInterrupt:" in first.said) == (code == 0)
    assert second.end() == 0
    assert points_of(second.said, "begin") == list(range(5, 10))
    check_is_complete(**job, expected=undisturbed(first, memory / "reference", points=10))


MEGABYTE = 2**20  # what the check before the work tries to write
LARGE = {"points": 500, "width": 300}  # 1.2 MB of rows: more than that


@pytest.mark.parametrize("largest_file", [0, 1000, MEGABYTE - 1, MEGABYTE + 999])
def test_a_limit_on_what_can_be_written_stops_in_one_line_and_loses_no_point(memory, workers, largest_file):
    worker, job = workers[0], {"folder": memory / "x", **LARGE}
    assert worker.do(**job, largest_file=largest_file) == 0
    first = worker.said
    assert first[-2].startswith("UserError: cannot write")
    assert "File too large" in first[-2]
    before_the_work = largest_file < MEGABYTE
    assert (points_of(first, "begin") == []) == before_the_work
    left = [p.suffix for p in (memory / "x" / KIND).iterdir() if p.suffix != ".lock"]
    assert left == ([] if before_the_work else [".journal"])
    assert worker.do(**job) == 0
    check_nothing_done_is_done_again(first, worker.said)
    check_is_complete(**job, expected=undisturbed(worker, memory / "reference", **LARGE))


def test_a_folder_of_another_user_serves_what_it_has_and_refuses_the_rest_at_once(memory, workers):
    worker, job = workers[0], {"folder": memory / "x", "points": 3}
    undisturbed(worker, **job)
    memory.chmod(0o755)
    (memory / "x" / KIND).chmod(0o555)
    other = {"user": 65534} if os.geteuid() == 0 else {}  # to root nothing is read-only
    said = []
    for name, damage in ((NAME, False), ("rte", False), (NAME, True)):
        if damage:
            result_path(memory / "x").write_bytes(b"")
        assert worker.do(**job, **other, name=name) == 0
        said += worker.said[:-1]
    loaded, refused, damaged = said
    assert loaded == "finished"
    assert refused.startswith("UserError: cannot lock")
    assert "Permission denied" in refused
    assert damaged.startswith(f"UserError: {result_path(memory / 'x')} is damaged (it is empty)")
    (memory / "x" / KIND).chmod(0o755)
