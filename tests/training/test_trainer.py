"""The Trainer as we use it: batches padded to their longest."""

from __future__ import annotations

from landscape_utils.training.trainer import Collator


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
