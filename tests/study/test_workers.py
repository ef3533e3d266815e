"""What a study asks of a cluster's workers, whose answers are planted; with real ones in `engine/test_cluster.py`."""

from types import SimpleNamespace

import distributed
import pytest
import torch

from landscape_utils.errors import UserError
from landscape_utils.study.workers import computed_there, device_names, join


def fake_client(**answers):
    """A client of workers a and b; `answers`: what each of them answers to a function of this name."""
    return SimpleNamespace(
        nthreads=lambda: {"tcp://a": 1},
        run=lambda function, *a, on_error: dict(zip("ab", answers[function.__name__], strict=True)),
    )


def test_workers_are_asked_for_folder_and_device_and_one_that_leaves_is_left_out(tmp_path):
    gone = distributed.comm.CommClosedError("in <TCP (closed) Scheduler Broadcast>: Stream is closed")
    refused = UserError("no such device")
    one = fake_client(exists=(gone, True), check_device=(gone, "cpu"))
    assert join(one, "auto", tmp_path / "results" / "demo") == "cpu"
    assert device_names(fake_client(device_name=("a card", gone)), "cuda") == "a card"
    for answers, message in (
        ({"exists": (True, False)}, r"b and 0 other workers do not see .*results_dir"),
        ({"exists": (True, True), "check_device": ("cpu", "cuda")}, "different devices"),
        ({"exists": (gone, gone)}, r"all workers left .*, a, b;"),
        ({"exists": (gone, True), "check_device": (gone, refused)}, "no such device"),
    ):
        with pytest.raises(UserError, match=message):
            join(fake_client(**answers), "auto", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_a_training_has_gradients_whatever_its_thread_has_done_before(tmp_path):
    study = SimpleNamespace(
        store=SimpleNamespace(folder=tmp_path), computed=lambda *_: torch.is_grad_enabled()
    )
    with torch.no_grad():
        assert computed_there(study, None)
