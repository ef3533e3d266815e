"""Jobs side by side: the cores are shared, and workers end as their parent is told to, or with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from landscape_utils import Study, interrupts, jobs

SCRIPT = """
import os
import sys
import time
from pathlib import Path

from landscape_utils.interrupts import until_interrupted
from landscape_utils.jobs import Job, run_jobs


class Slow:
    client = None

    def __init__(self, folder, seconds):
        self.folder, self.seconds = Path(folder), float(seconds)

    def scan(self, name):
        (self.folder / f"{name}.pid").write_text(str(os.getpid()))
        with until_interrupted(range(10_000), "go on") as points:
            for point in points:
                self.note(name, f"begin {point}")
                time.sleep(self.seconds)
                self.note(name, f"end {point}")

    def note(self, name, text):
        with (self.folder / name).open("a") as file:
            print(text, file=file)


if __name__ == "__main__":
    try:
        run_jobs(Slow(*sys.argv[1:]), [Job("scan", (name,)) for name in "abcd"], workers=2)
    except KeyboardInterrupt:
        sys.exit(130)
"""


class Side:
    """Two workers of a process in a session of its own, as a terminal makes one; both are at work."""

    def __init__(self, folder: Path, seconds: float):
        self.notes = folder / "notes"
        self.notes.mkdir()
        script = folder / "script.py"
        script.write_text(SCRIPT, encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, str(script), str(self.notes), str(seconds)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def __enter__(self) -> Side:
        self.wait_for("begin 0")
        return self

    def __exit__(self, *_: object) -> None:
        """Whatever failed, nobody goes on working."""
        pids = [int(file.read_text()) for file in self.notes.glob("*.pid")]
        for pid in (self.process.pid, *pids):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.communicate()

    def wait_for(self, words: str) -> None:
        for _ in range(1200):
            assert self.process.poll() is None, self.end()
            if all(words in self.lines(name) for name in "ab"):
                return
            time.sleep(0.1)
        raise AssertionError(f"no {words!r} within two minutes")

    def lines(self, name: str) -> list[str]:
        file = self.notes / name
        return file.read_text().splitlines() if file.exists() else []

    def end(self) -> tuple[int, str]:
        """Exit code and what was said, once the last process that holds its output has ended, workers too."""
        _, said = self.process.communicate(timeout=60)
        return self.process.returncode, said


def to_parent(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGINT)


def to_terminal(process: subprocess.Popen) -> None:
    os.killpg(process.pid, signal.SIGINT)


@pytest.mark.slow
@pytest.mark.parametrize("interrupt", [to_parent, to_terminal])
def test_ctrl_c_ends_every_worker_after_its_point(tmp_path, interrupt: Callable):
    with Side(tmp_path, seconds=0.2) as side:
        side.wait_for("end 1")
        interrupt(side.process)
        code, said = side.end()
    assert code == 130
    assert said.count(interrupts.PASSED_ON) == 1
    assert interrupts.PATIENCE not in said
    assert "Traceback" not in said
    assert [side.lines(name)[-1].split()[0] for name in "ab"] == ["end", "end"]
    assert side.lines("c") == side.lines("d") == []


@pytest.mark.slow
@pytest.mark.parametrize("interrupt", [to_parent, to_terminal])
def test_a_second_ctrl_c_ends_them_at_once(tmp_path, interrupt: Callable):
    """Or a third: on a busy machine two that come close together may arrive as one."""
    with Side(tmp_path, seconds=600) as side:
        for _ in range(20):
            interrupt(side.process)
            with suppress(subprocess.TimeoutExpired):
                side.process.wait(3)
                break
        side.end()
    assert [side.lines(name) for name in "ab"] == [["begin 0"]] * 2


@pytest.mark.slow
def test_workers_of_a_parent_that_was_killed_do_not_outlive_it(tmp_path):
    with Side(tmp_path, seconds=600) as side:
        side.process.kill()
        assert side.end()[0] == -signal.SIGKILL


def test_a_worker_told_to_stop_between_two_pieces_of_work_begins_none(monkeypatch):
    monkeypatch.setattr(interrupts, "_told", False)
    before = signal.getsignal(signal.SIGINT)
    try:
        assert interrupts.at_work(abs, -3) == 3
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            interrupts.at_work(pytest.fail, "begun")
    finally:
        signal.signal(signal.SIGINT, before)


def test_workers_share_the_cores(tiny_profile, tmp_path, monkeypatch):
    """Two workers on two cores: a thread each, as two of them each would wait for one another."""
    study = Study(tiny_profile, results_dir=tmp_path)
    monkeypatch.setattr(jobs, "cores", lambda: 6)
    seen = []

    class Pool:
        def __init__(self, workers, context, start, arguments):
            seen.append((workers, arguments[-1].args[-1]))
            raise KeyboardInterrupt

    monkeypatch.setattr(jobs, "ProcessPoolExecutor", Pool)
    for workers in (2, 4, 8):
        with pytest.raises(KeyboardInterrupt):
            jobs.run_jobs(study, [jobs.Job("rollback", (str(n),)) for n in range(8)], workers)
    assert seen == [(2, 3), (4, 1), (8, 1)]
