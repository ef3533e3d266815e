"""What a user's Trainer measured, as it lies beside a checkpoint."""

import json

import pytest

from landscape_utils.training.evaluations import differing, evaluations


def test_what_the_trainer_measured_of_a_checkpoint_is_read(tmp_path):
    """Of its own step, under any of the usual names; what is not there or not to be trusted is left out."""
    folder = tmp_path / "checkpoint-20"
    folder.mkdir()
    log = [
        {"step": 10, "eval_loss": 9.0},
        {"step": 20, "loss": 8.0},
        {"step": 20, "eval_loss": 0.5, "eval_acc": 71.5},
    ]
    state = {"global_step": 20, "log_history": log, "best_model_checkpoint": "checkpoint-10"}
    assert evaluations(folder) == {}
    (folder / "trainer_state.json").write_text(json.dumps(state))
    assert evaluations(folder) == {"loss": 0.5, "accuracy": 0.715}
    assert evaluations(folder.rename(tmp_path / "run")) == {}, "it may hold the best, which is of step 10"
    (tmp_path / "run" / "trainer_state.json").write_text("{")
    assert evaluations(tmp_path / "run") == {}


@pytest.mark.parametrize(("accuracy", "said"), [(0.7151, False), (0.72, True), (float("nan"), False)])
def test_a_line_says_so_where_the_two_differ_by_more_than_rounding_to_bfloat16(tmp_path, accuracy, said):
    state = {"global_step": 1, "log_history": [{"step": 1, "eval_loss": 0.5, "eval_accuracy": 0.715}]}
    (tmp_path / "trainer_state.json").write_text(json.dumps(state))
    line = differing("checkpoint-1", evaluations(tmp_path), {"loss": 0.5001, "accuracy": accuracy})
    assert ("accuracy 0.715, here 0.72" in line) == said == bool(line)
