"""Known and other words: what is measured, by hand, and that it is kept."""

from __future__ import annotations

import shutil

import numpy as np
from synthetic import make_study

from landscape_utils import Study
from landscape_utils.book import unseen_words as words
from landscape_utils.engine.objective import Objective


def test_words_are_told_apart_in_the_embedded_language_alone(monkeypatch):
    study = make_study(tasks=("rte",))
    assert words.unseen_words(study) == ""
    study.profile.tasks["rte"].source = "demo"
    monkeypatch.setattr(words, "accuracies_on", lambda *run: np.array([0.93, 0.41, 0.62]))
    assert "| RTE | from scratch | 93.0 | 41.0 | 62.0 |" in words.unseen_words(study)


def test_accuracies_on_known_and_other_words_and_test_are_kept(tiny_profile, tmp_path):
    study = Study(tiny_profile, results_dir=tmp_path, tasks="rte")
    found = words.accuracies_on(study, "rte", "pretrained", 0)
    task, model = study.task("rte"), study.run("rte").model()
    parts = [
        [e for e, seen in zip(task.dev, task.dev_seen, strict=True) if bool(seen) is s] for s in (True, False)
    ]
    expected = [1 - Objective(model, part)().error for part in (*parts, task.test)]
    np.testing.assert_array_equal(found, expected)
    shutil.rmtree(study.run("rte").folder)
    reading = Study(tiny_profile, results_dir=tmp_path, tasks="rte", device="none")
    np.testing.assert_array_equal(words.accuracies_on(reading, "rte", "pretrained", 0), expected)
