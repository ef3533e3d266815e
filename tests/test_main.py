"""The command line: what it calls, what it prints, and one line with an exit code for every way to fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from landscape_utils import __main__ as cli
from landscape_utils.book import build as book
from landscape_utils.store.store import Store
from landscape_utils.study.run_result import RunResult
from landscape_utils.study.study import Study

RECIPE = {"grid": 3, "sample": 7}


@pytest.fixture
def result(tmp_path) -> Path:
    """A result in the store of a profile "mine"."""
    alpha, loss = np.linspace(-1, 1, 3), np.array([0.5, 0.25, 2.0])
    store = Store(tmp_path / "mine")
    return store.compute("curves", "mrpc", RECIPE, lambda _: {"alpha": alpha, "loss": loss}).path


def test_help_and_mistakes_are_answered_without_what_takes_seconds_to_import():
    """torch alone takes two seconds, on an idle machine."""
    command = (
        "import sys; from landscape_utils.__main__ import main\n"
        "try: code = main(sys.argv[1:])\n"
        "except SystemExit as stop: code = stop.code\n"
        "sys.exit(code + 10 * any(name in sys.modules for name in ('torch', 'transformers', 'scipy')))"
    )
    for arguments, code in ((["--help"], 0), (["run", "--help"], 0), (["run", "--profile", "dmo"], 2)):
        assert subprocess.run([sys.executable, "-c", command, *arguments]).returncode == code


def test_a_mistake_shows_no_traceback_in_a_shell():
    command = [sys.executable, "-m", "landscape_utils", "run", "--profile", "dmo"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("unknown profile 'dmo'")
    assert done.stderr.count("\n") == 1


def test_run_computes_what_it_is_told(monkeypatch, tmp_path, capsys):
    calls = []
    monkeypatch.setattr(Study, "compute", lambda study, *what, workers: calls.append((study, what, workers)))
    options = ["--tasks", "mrpc,rte", "--seed", "2", "--resolution", "7", "--results-dir", str(tmp_path)]
    assert cli.main(["run", *options, "--what", "runs", "surfaces", "--workers", "3"]) == 0
    [(study, what, workers)] = calls
    assert (study.tasks, study.seed, study.profile.grid.resolution) == (("mrpc", "rte"), 2, 7)
    assert (what, workers) == (("runs", "surfaces"), 3)
    assert str(tmp_path / "demo") in capsys.readouterr().out


def test_a_worker_that_waits_for_another_process_says_so_in_the_terminal(tiny_profile, tmp_path):
    """The training is locked here: two workers, of which one comes upon it."""
    study = Study(tiny_profile, results_dir=tmp_path)
    options = (
        f"--profile {tiny_profile} --results-dir {tmp_path} --tasks mrpc --what runs --workers 2".split()
    )
    path = study.store.path(*study.key(RunResult("mrpc", "scratch", 0)))
    with study.store.lock(path):
        command = [sys.executable, "-m", "landscape_utils", "run", *options]
        quiet = os.environ | {"LANDSCAPE_PROGRESS": "off"}
        run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=quiet)
        lines = iter(run.stderr.readline, "")
        waiting = next((line for line in lines if line.startswith("waiting for another process")), "")
    assert waiting == f"waiting for another process that works on {path}\n"
    run.communicate()
    assert run.returncode == 0, "it goes on as soon as the other is done"


def test_book_gets_the_parameters_that_were_given_and_no_others(monkeypatch, capsys):
    calls = []
    monkeypatch.setattr(book, "build", lambda profile, **rest: calls.append((profile, rest)) or "index.html")
    assert cli.main(["book", "--profile", "minilm", "--data-dir", "glue", "--span", "2"]) == 0
    assert calls == [("minilm", {"data_dir": "glue", "span": 2.0})]
    assert capsys.readouterr().out == "index.html\n"


def test_ctrl_c_says_how_to_go_on(monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(Study, "compute", interrupted)
    assert cli.main(["run"]) == 130
    assert capsys.readouterr().err == cli.INTERRUPTED + "\n"


def test_results_are_listed_and_explained(result, tmp_path, capsys):
    assert cli.main(["results", "list", "--results-dir", str(tmp_path)]) == 0
    assert str(result) in capsys.readouterr().out
    assert cli.main(["results", "explain", str(result)]) == 0
    explained = capsys.readouterr().out
    assert all(part in explained for part in ("mrpc", "curves", "sample: 7"))


def test_verify_tells_damage_by_its_exit_code(result, tmp_path, capsys):
    command = ["results", "verify", "--results-dir", str(tmp_path), "--profile", "mine"]
    assert cli.main(command) == 0
    assert "0 sound results and 1 by an earlier version" in capsys.readouterr().out
    data = bytearray(result.read_bytes())
    data[len(data) // 2] ^= 1
    result.write_bytes(data)
    assert cli.main(command) == 1
    out = capsys.readouterr().out
    assert f"{result}: damaged" in out
    assert "0 sound results and 0 by an earlier version" in out


def test_export_writes_what_other_programs_read(result, tmp_path, capsys):
    out = tmp_path / "curve.csv"
    assert cli.main(["results", "export", str(result), str(out)]) == 0
    assert out.read_text().splitlines() == ["alpha,loss", "-1.0,0.5", "0.0,0.25", "1.0,2.0"]
