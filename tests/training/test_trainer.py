"""The Trainer as we use it: batches padded to their longest, no output, nothing written."""

from __future__ import annotations

from networks import make_examples, make_model

from landscape_utils.training.trainer import Collator, StepTrainer, arguments


def test_a_batch_is_padded_to_its_longest():
    examples = [
        {"input_ids": [5, 6, 7], "attention_mask": [1, 1, 1], "labels": 1},
        {"input_ids": [8], "attention_mask": [1], "labels": 0},
    ]
    batch = {name: rows.tolist() for name, rows in Collator(padding=9)(examples).items()}
    assert batch == {
        "input_ids": [[5, 6, 7], [8, 9, 9]],
        "attention_mask": [[1, 1, 1], [1, 0, 0]],
        "labels": [1, 0],
    }


def test_a_training_says_and_writes_nothing(monkeypatch, tmp_path, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    trainer = StepTrainer(
        model=make_model(),
        args=arguments(device="cpu", per_device_train_batch_size=4, num_train_epochs=2),
        what="a test",
        train_dataset=make_examples(12),
        data_collator=Collator(),
    )
    trainer.train()
    assert capfd.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []
