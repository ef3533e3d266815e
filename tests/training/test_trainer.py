"""The Trainer as we use it: batches padded to their longest, no output, nothing written."""

from __future__ import annotations

import pytest
import torch
from networks import make_examples, make_model

from landscape_utils.errors import UserError
from landscape_utils.training.trainer import Collator, StepTrainer, arguments


def test_a_batch_is_padded_to_its_longest():
    examples = [
        {"input_ids": [5, 6, 7], "attention_mask": [1, 1, 1], "labels": 1},
        {"input_ids": [8], "attention_mask": [1], "labels": 0},
    ]
    batch = Collator(padding=9)(examples)
    assert batch["input_ids"].tolist() == [[5, 6, 7], [8, 9, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["labels"].tolist() == [1, 0]


def train(**options):
    trainer = StepTrainer(
        model=make_model(),
        args=arguments(device="cpu", per_device_train_batch_size=4, num_train_epochs=2, **options),
        what="a test",
        train_dataset=make_examples(12),
        data_collator=Collator(),
    )
    trainer.train()
    return trainer


def test_every_step_has_its_loss():
    trainer = train(learning_rate=1e-3)
    assert len(trainer.losses) == trainer.state.max_steps == 6
    with torch.no_grad():  # the first loss is the start's, on four of the examples
        losses = [float(make_model()(**Collator()([example])).loss) for example in make_examples(12)]
    assert min(losses) <= trainer.losses[0] <= max(losses)


def test_a_loss_that_is_no_number_stops_the_training_with_step_and_rate():
    with pytest.raises(UserError, match=r"a test stopped: .* at step 2 of 6, learning rate 8\.33e\+2"):
        train(learning_rate=1e30)


def test_a_training_says_and_writes_nothing(monkeypatch, tmp_path, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    train()
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_device_is_refused():
    with pytest.raises(UserError, match="unknown device 'gpu'"):
        arguments(device="gpu")
