"""The command line: what it calls, what it prints, and one line with an exit code for every way to fail."""

import subprocess
import sys
import time
from unittest.mock import Mock

import numpy as np
import pytest
import yaml

from landscape_utils import __main__ as cli
from landscape_utils.book import build as book
from landscape_utils.store.files import CHECKSUMS
from landscape_utils.store.store import Store
from landscape_utils.study.run_result import RunResult
from landscape_utils.study.study import Study

MODULE = ["-m", "landscape_utils"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [("--help", ""), ("run --help", ""), ("run --profile dmo", "unknown profile 'dmo'")],
)
def test_help_and_mistakes_are_answered_without_what_takes_seconds_to_import(arguments, said):
    command = [sys.executable, "-X", "importtime", *MODULE, *arguments.split()]
    done = subprocess.run(command, capture_output=True, text=True)
    lines = done.stderr.splitlines()
    others = [line for line in lines if not line.startswith("import time:")]
    assert (done.returncode, [line[: len(said)] for line in others]) == ((2, [said]) if said else (0, []))
    assert not {"torch", "transformers", "scipy"} & {line.split()[-1] for line in lines}


def test_run_computes_what_it_is_told(monkeypatch, tmp_path, capsys):
    def called(study, *what, workers):
        assert (study.tasks, study.seed, study.profile.grid.resolution) == (("mrpc", "rte"), 2, 7)
        assert (what, workers) == (("runs", "surfaces"), 3)

    monkeypatch.setattr(Study, "compute", called)
    options = ["--tasks", "mrpc,rte", "--seed", "2", "--resolution", "7", "--results-dir", str(tmp_path)]
    assert cli.main(["run", *options, "--what", "runs", "surfaces", "--workers", "3"]) == 0
    assert str(tmp_path / "demo") in capsys.readouterr().out


def test_a_worker_that_waits_for_another_process_says_so_in_the_terminal(tiny_profile, tmp_path, monkeypatch):
    """The training is locked here: two workers, of which one comes upon it."""
    study = Study(tiny_profile, results_dir=tmp_path)
    options = f"run --profile {tiny_profile} --results-dir {tmp_path} --tasks mrpc --what runs --workers 2"
    path = study.store.path(*study.key(RunResult("mrpc", "scratch", 0)))
    monkeypatch.setenv("LANDSCAPE_PROGRESS", "off")
    with study.store.lock(path):
        command = [sys.executable, *MODULE, *options.split()]
        run = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert f"waiting for another process that works on {path}\n" in iter(run.stderr.readline, "")
    run.communicate()
    assert run.returncode == 0, "it goes on as soon as the other is done"


def test_book_gets_the_parameters_that_were_given_and_no_others(monkeypatch, capsys):
    monkeypatch.setattr(book, "build", build := Mock(return_value="index.html"))
    assert cli.main(["book", "--profile", "minilm", "--data-dir", "glue", "--span", "2"]) == 0
    build.assert_called_once_with("minilm", data_dir="glue", span=2.0)
    assert capsys.readouterr().out == "index.html\n"


def test_ended_from_outside_it_ends_its_workers_and_says_how_to_go_on(tiny_profile, tmp_path):
    options = f"run --profile {tiny_profile} --results-dir {tmp_path} --tasks mrpc --what runs --workers 2"
    run = subprocess.Popen([sys.executable, *MODULE, *options.split()], stderr=subprocess.PIPE, text=True)
    while run.poll() is None and not list(tmp_path.glob("tiny/runs/*/epoch-00*")):
        time.sleep(0.05)
    run.terminate()
    _, said = run.communicate()  # until the workers, too, have closed what they inherited
    assert (run.returncode, said.splitlines()[-1]) == (130, cli.INTERRUPTED)
    assert not list(tmp_path.glob("tiny/runs/*/run.npz")), "no worker went on to the end of its training"


def test_results_are_listed_explained_exported_and_verified(tmp_path, capsys, caplog):

    def results(*arguments) -> str:
        assert cli.main(["results", *map(str, arguments)]) == 0
        return capsys.readouterr().out

    arrays = {"alpha": np.linspace(-1, 1, 3), "loss": np.array([0.5, 0.25, 2.0])}
    path = Store(tmp_path / "mine").compute("curves", "mrpc", {"sample": 7}, lambda _: arrays).path
    assert str(path) in results("list", "--results-dir", tmp_path)
    told = yaml.safe_load(results("explain", path))
    assert told["key"] in path.name
    assert (told["name"], told["kind"], told["recipe"]) == ("mrpc", "curves", {"sample": 7})
    assert told["arrays"]["loss"] == "float64 (3,)"
    (own := tmp_path / "curve.csv.tmp").write_text("of the user's")
    with caplog.at_level("INFO"):
        results("export", path, tmp_path / "curve.csv")
    assert (tmp_path / "curve.csv").read_text() == "alpha,loss\n-1.0,0.5\n0.0,0.25\n1.0,2.0\n"
    assert caplog.messages == [f"{path} was computed by an earlier version of the code"]
    assert own.read_text() == "of the user's"
    assert {item.name for item in tmp_path.iterdir()} == {"mine", "curve.csv", own.name}
    verify = ("verify", "--results-dir", tmp_path, "--profile", "mine")
    assert "0 sound results and 1 by an earlier version" in results(*verify)
    assert cli.main(["results", "verify", "--results-dir", str(tmp_path / "mine")]) == 2
    assert (
        "has the results of one profile: --results-dir names the folder above it" in capsys.readouterr().err
    )
    path.write_bytes(path.read_bytes()[:-1])
    (training := tmp_path / "mine" / "runs" / "mrpc").mkdir(parents=True)
    (training / CHECKSUMS).write_text('{"epoch-01.safetensors": ""}')
    assert cli.main(["results", *map(str, verify)]) == 1
    out = capsys.readouterr().out
    assert f"{path}: damaged" in out
    assert f"{training}: damaged, a file in it is not what was saved" in out
    assert "0 sound results and 0 by an earlier version" in out
