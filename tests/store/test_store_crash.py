"""The store under SIGKILL, full disks, locked folders and rivals: real processes, and the same bits in the end."""

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from scan_process import KIND, NAME, RECIPE, row

from landscape_utils.store.store import Store

SERVER = Path(__file__).with_name("scan_process.py")


class Worker:
    """A process that does jobs (see scan_process), one at a time, each in a fork."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, str(SERVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def begin(self, **job):
        """Start a job; its process id."""
        print(
            json.dumps({key: str(v) if isinstance(v, Path) else v for key, v in job.items()}),
            file=self.process.stdin,
        )
        return int(self.process.stdout.readline())

    def end(self):
        """Wait for the job; its exit code, or minus the signal that killed it."""
        return int(self.process.stdout.readline())

    def do(self, **job):
        self.begin(**job)
        return self.end()

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=60)
        self.process.stdout.close()


@pytest.fixture(scope="module")
def workers():
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(contextlib.closing(Worker())) for _ in range(4)]


@pytest.fixture
def tmp_path(tmp_path):
    """In memory where there is such a disk: kills do not ask for durability, and a loaded disk takes minutes."""
    if not os.access("/dev/shm", os.W_OK):
        yield tmp_path
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        yield Path(folder)


def result_path(folder):
    return Store(folder).path(KIND, NAME, RECIPE)


def undisturbed(worker, folder, points, **options):
    """The bytes of the result of a scan that nothing disturbs."""
    assert worker.do(folder=folder, log=folder.with_suffix(".log"), points=points, **options) == 0
    return result_path(folder).read_bytes()


def check_is_complete(folder, expected, points, width=3):
    path = result_path(folder)
    assert path.read_bytes() == expected
    left = sorted(p.name for p in path.parent.iterdir())
    assert left == sorted([path.name, f"{path.name}.lock", path.with_suffix(".json").name])
    loss = Store(folder).load(KIND, NAME, RECIPE).arrays["loss"]
    assert loss.tobytes() == np.stack([row(i, width) for i in range(points)]).tobytes()


def check_nothing_done_is_done_again(log):
    done = set()
    for line in log.read_text().splitlines():
        what, _, point = line.partition(" ")
        if what == "begin":
            assert point not in done
        elif what == "end":
            done.add(point)


def wait_for(condition):
    for _ in range(2000):
        if condition():
            return
        time.sleep(0.01)
    raise TimeoutError("nothing happened in 20 s")


@pytest.mark.parametrize("half", [False, True], ids=["before the call", "half of a write done"])
def test_killed_at_every_call_that_reaches_the_disk(tmp_path, workers, half):
    points = 3
    expected = undisturbed(workers[0], tmp_path / "reference", points)
    for number in count(1):
        folder, log = tmp_path / f"{number}", tmp_path / f"{number}.log"
        job = {"folder": folder, "log": log, "points": points}
        code = workers[0].do(**job, die_at=number, half=half)
        path = result_path(folder)
        assert not path.exists() or path.read_bytes() == expected
        if code == 0:
            break
        assert code == -signal.SIGKILL
        finished = path.exists()
        assert workers[0].do(**job) == 0
        if finished:  # killed while it cleaned up: what is left is known as litter
            Store(folder).prune(dry_run=False)
        check_is_complete(folder, expected, points)
        check_nothing_done_is_done_again(log)
    # 2 folders made and synced, a probe, a journal of 3 rows, two files written, renamed and synced
    assert number > 25


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path, workers):
    points, generator, killed, torn = 12, random.Random(0), 0, 0
    started = time.monotonic()
    expected = undisturbed(workers[0], tmp_path / "reference", points, slow=0)
    whole_scan = (
        time.monotonic() - started
    )  # with this machine's disk and load: kills fall before, in and after it
    for number in count():
        folder, log = tmp_path / f"{number}", tmp_path / f"{number}.log"
        for attempt in range(9):
            pid = workers[0].begin(folder=folder, log=log, points=points, slow=1000 * number + attempt)
            if attempt < 8:
                time.sleep(generator.random() * 1.2 * whole_scan)
                with contextlib.suppress(ProcessLookupError):  # it was done before
                    os.kill(pid, signal.SIGKILL)
            code = workers[0].end()
            path = result_path(folder)
            assert not path.exists() or path.read_bytes() == expected
            if code == 0:
                break
            assert code == -signal.SIGKILL
            killed += 1
            torn += any(path.parent.glob("*.tmp"))
        Store(folder).prune(dry_run=False)
        check_is_complete(folder, expected, points)
        check_nothing_done_is_done_again(log)
        assert (
            log.read_text().count("begin") <= points + attempt
        )  # a kill costs the point in flight and no other
        if killed >= 60:
            break
    print(
        f"{killed} kills in {number + 1} scans of {whole_scan:.2f} s, {torn} of them within a file's writing"
    )


def test_of_several_that_want_it_one_computes_and_the_others_read(tmp_path, workers):
    expected = undisturbed(workers[0], tmp_path / "reference", 20)
    log = tmp_path / "x.log"
    for worker in workers:
        worker.begin(folder=tmp_path / "x", log=log, points=20, pause=5e-3)
    assert [worker.end() for worker in workers] == [0] * len(workers)
    lines = log.read_text().splitlines()
    assert sorted(line for line in lines if line.startswith("begin")) == sorted(
        f"begin {i}" for i in range(20)
    )
    assert lines.count("finished") == len(workers)
    check_is_complete(tmp_path / "x", expected, 20)


def test_when_the_one_that_computes_is_killed_the_one_that_waits_goes_on(tmp_path, workers):
    points = 20
    expected = undisturbed(workers[0], tmp_path / "reference", points)
    folder, logs = tmp_path / "x", [tmp_path / "first.log", tmp_path / "second.log"]
    first = workers[0].begin(folder=folder, log=logs[0], points=points, pause=0.05)
    wait_for(lambda: logs[0].exists() and "end 4" in logs[0].read_text())
    workers[1].begin(folder=folder, log=logs[1], points=points)
    wait_for(logs[1].exists)
    time.sleep(0.3)
    assert logs[1].read_text() == ""  # it waits
    os.kill(first, signal.SIGKILL)
    assert workers[0].end() == -signal.SIGKILL
    assert workers[1].end() == 0
    done = logs[0].read_text().count("end")
    assert logs[1].read_text().count("begin") == points - done
    check_is_complete(folder, expected, points)


def test_ctrl_c_keeps_what_is_done_and_frees_the_lock(tmp_path, workers):
    expected = undisturbed(workers[0], tmp_path / "reference", 10)
    job = {"folder": tmp_path / "x", "log": tmp_path / "x.log", "points": 10}
    pid = workers[0].begin(**job, pause=0.05)
    wait_for(lambda: job["log"].exists() and "end 3" in job["log"].read_text())
    os.kill(pid, signal.SIGINT)
    assert workers[0].end() == 0
    assert "KeyboardInterrupt" in job["log"].read_text()
    assert workers[1].do(**job) == 0
    check_nothing_done_is_done_again(job["log"])
    check_is_complete(tmp_path / "x", expected, 10)


MEGABYTE = 2**20  # what the check before the work tries to write
LARGE = {"points": 500, "width": 300}  # 1.2 MB of rows: more than that


@pytest.mark.parametrize("largest_file", [0, 1000, MEGABYTE - 1, MEGABYTE + 999])
def test_a_limit_on_what_can_be_written_stops_in_one_line_and_loses_no_point(tmp_path, workers, largest_file):
    job = {"folder": tmp_path / "x", "log": tmp_path / "x.log", **LARGE}
    assert workers[0].do(**job, largest_file=largest_file) == 0
    lines = job["log"].read_text().splitlines()
    assert lines[-1].startswith("UserError: cannot write")
    assert "File too large" in lines[-1]
    before_the_work = largest_file < MEGABYTE
    assert (len(lines) == 1) == before_the_work
    left = [p.suffix for p in (tmp_path / "x" / KIND).iterdir() if p.suffix != ".lock"]
    assert left == ([] if before_the_work else [".journal"])
    assert workers[0].do(**job) == 0
    check_nothing_done_is_done_again(job["log"])
    check_is_complete(tmp_path / "x", undisturbed(workers[0], tmp_path / "reference", **LARGE), **LARGE)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk takes root")
def test_a_full_disk_stops_in_one_line_and_loses_no_point(tmp_path, workers):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1100k", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("this machine mounts nothing")
    try:
        job = {"folder": disk / "x", "log": tmp_path / "x.log", **LARGE}
        assert workers[0].do(**job) == 0
        lines = job["log"].read_text().splitlines()
        assert lines[-1].startswith("UserError: cannot write")
        assert "No space left on device" in lines[-1]
        assert [p.suffix for p in (disk / "x" / KIND).iterdir() if p.suffix != ".lock"] == [".journal"]
        subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
        assert workers[0].do(**job) == 0
        check_nothing_done_is_done_again(job["log"])
        check_is_complete(disk / "x", undisturbed(workers[0], tmp_path / "reference", **LARGE), **LARGE)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        assert workers[0].do(**job) == 0
        assert workers[0].do(**job, name="rte") == 0
        loaded, refused = job["log"].read_text().splitlines()[-2:]
        assert loaded == "finished"
        assert refused.startswith("UserError: cannot lock")
        assert "Read-only file system" in refused
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_folder_of_another_user_serves_what_it_has_and_refuses_the_rest_at_once(tmp_path, workers):
    folder, log = tmp_path / "x", tmp_path / "other.log"
    undisturbed(workers[0], folder, 3)
    for parent in (tmp_path, *tmp_path.parents):
        if parent.stat().st_mode & 0o777 == 0o700 and parent.stat().st_uid == os.geteuid():
            parent.chmod(0o755)  # pytest's own: the other user may look in
    log.touch(0o666)
    log.chmod(0o666)
    (folder / KIND).chmod(0o555)
    other = {"user": 65534} if os.geteuid() == 0 else {}  # to root nothing is read-only
    try:
        job = {"folder": folder, "log": log, "points": 3} | other
        assert workers[0].do(**job) == 0
        assert workers[0].do(**job, name="rte") == 0
        result_path(folder).write_bytes(b"")
        assert workers[0].do(**job) == 0
        loaded, refused, damaged = log.read_text().splitlines()
        assert loaded == "finished"
        assert refused.startswith("UserError: cannot lock")
        assert "Permission denied" in refused
        assert damaged.startswith(f"UserError: {result_path(folder)} is damaged (it is empty)")
    finally:
        (folder / KIND).chmod(0o755)
