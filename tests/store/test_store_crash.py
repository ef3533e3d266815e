"""The store under SIGKILL, full disks, locked folders and rivals: real processes, and the same bits in the end."""

import os
import re
import signal

import numpy as np
import pytest
from scan_process import KIND, NAME, RECIPE, Process, Scan, row

from landscape_utils.store.store import Store


def result_path(folder):
    return Store(folder).path(KIND, NAME, RECIPE)


def check_is_complete(folder, points, width=3):
    path, undisturbed = result_path(folder), folder.with_name("undisturbed")
    expected = Store(undisturbed).compute(KIND, NAME, RECIPE, Scan(points, width), device="cpu")
    assert path.read_bytes() == expected.path.read_bytes()
    left = {p.name for p in path.parent.iterdir()}
    assert left == {path.name, f"{path.name}.lock"}
    assert expected.arrays["loss"].tobytes() == np.stack([row(i, width) for i in range(points)]).tobytes()


@pytest.mark.parametrize(
    ("number", "code", "done"),
    [(signal.SIGUSR1, 0, 10), (signal.SIGKILL, -signal.SIGKILL, 5), (signal.SIGINT, 0, 5)],
    ids=["goes on", "is killed", "is stopped"],
)
def test_while_one_computes_others_wait_and_compute_what_it_leaves(memory, number, code, done):
    job = {"folder": memory / "x", "points": 10}
    first = Process(**job, pause_at=5)
    first.wait_for("paused")
    others = [Process(**job), Process(**job)]
    for other in others:
        other.wait_for(f"waiting for another process that works on {result_path(job['folder'])}")
    os.kill(first.fork.pid, number)
    assert first.end().fork.exitcode == code
    assert ("KeyboardInterrupt:" in first.said) == (number == signal.SIGINT)
    computed = [other.end().points("begin") for other in others]
    assert sorted(computed) == [[], list(range(done, 10))]
    check_is_complete(**job)


MEGABYTE = 2**20  # what the check before the work tries to write


@pytest.mark.parametrize("largest_file", [0, 1000, MEGABYTE - 1, MEGABYTE + 999])
def test_a_limit_on_what_can_be_written_stops_in_one_line_and_loses_no_point(memory, largest_file):
    job = {"folder": memory / "x", "points": 500, "width": 300}  # 1.2 MB of rows: more than the check
    first = Process(**job, largest_file=largest_file).end()
    assert first.said[-1].startswith("UserError: cannot write")
    assert "File too large" in first.said[-1]
    before_the_work = largest_file < MEGABYTE
    assert (first.points("begin") == []) == before_the_work
    left = [p.suffix for p in (memory / "x" / KIND).iterdir() if p.suffix != ".lock"]
    assert left == ([] if before_the_work else [".journal"])
    assert not {*first.points("done")} & {*Process(**job).end().points("begin")}
    check_is_complete(**job)


def test_a_folder_of_another_user_serves_what_it_has_and_refuses_the_rest_at_once(memory):
    job, path = {"folder": memory / "x", "points": 3}, result_path(memory / "x")
    Process(**job).end()
    memory.chmod(0o755)
    path.parent.chmod(0o555)
    other = {"user": 65534} if os.geteuid() == 0 else {}  # to root nothing is read-only
    assert Process(**job, **other).end().said == ["finished"]
    (refused,) = Process(**job, **other, name="rte").end().said
    assert re.match("UserError: cannot lock .*Permission denied", refused)
    path.write_bytes(b"")
    (damaged,) = Process(**job, **other).end().said
    assert damaged.startswith(f"UserError: cannot lock {path}: Permission denied")
    path.parent.chmod(0o755)
