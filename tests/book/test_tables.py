"""Tables of the chapters on a study made of formulas: every number is in its cell."""

from types import SimpleNamespace

import numpy as np
from book_cases import cells, stored
from synthetic import make_study, run_of

from landscape_utils import Study
from landscape_utils.book import tables


def test_setup_has_the_data_and_both_trainings_of_each_task_that_has_results():
    """The data of MNLI are generated: it is no part of GLUE. MRPC is, and RTE is whole but has no results."""
    study = make_study(tasks=("mnli", "rte", "mrpc"))
    part = dict.fromkeys(("mnli", "mrpc"), study.facts("mnli"))
    whole = {"rte": {"train_examples": 2490, "dev_examples": 277}}
    study.facts, study.trainings.facts = stored(part), stored(part | whole)
    study.profile.tasks["mnli"] = SimpleNamespace(**vars(study.profile.tasks["mnli"]) | {"source": "demo"})
    text = tables.setup(study)
    row = ["MNLI", "2", "3,600", "400", "52.5", "8 / 4", "1e-05 / 1e-05", "32 / 32"]
    assert cells(text)[1:] == [row, ["MRPC", *row[1:]]]
    said = "MRPC, 3,600 of 3,668 training and 400 of 408 dev examples"
    assert text.endswith(f"Only a part of a data set is used: {said}.")


def test_accuracies_are_of_the_seeds_that_are_there():
    """RTE has no training, MRPC two seeds, neither of which learned."""

    def run(task, how="pretrained", seed=0):
        end = {"mnli": 0.9, "mrpc": (0.5, 0.52)[seed]}[task]
        return run_of(lambda epoch: 0.7, how=how, dev_accuracy=np.array([0.5, end]), epochs=1)

    there = {"mnli": (0,), "rte": (), "mrpc": (0, 1)}
    study = make_study(tasks=tuple(there), run=run, seeds_of=lambda kind, task, how: there[task])
    text = tables.accuracies(study)
    mnli, mrpc = cells(text)[1:]
    assert mnli == ["MNLI", "50.0", "90.0", "90.0"]
    assert mrpc == ["MRPC", "50.0", *["51.0 (50.0–52.0) †"] * 2]
    assert "up to 2 trainings" in text


def test_accuracy_stands_beside_the_cosine_of_pairs_alone():
    """Fine-tuning reaches 90 %, which the cosine passes on RTE alone; MRPC has none stored, SST-2 no pairs."""
    study = make_study(similarity=stored({"rte": 0.95, "mnli": 0.7}))
    study.trainings.similarity = lambda task: task != "sst2"
    text = tables.accuracies(study)
    assert [row[2] for row in cells(text)] == ["cosine alone", "70.0", "95.0", "n/a", "n/a"]
    assert text.endswith("On RTE the rule is right more often than the fine-tuned network.")


def test_learning_rates_show_what_the_dev_set_chose_from():
    def run(task, how="pretrained", seed=0, learning_rate=1e-5):
        return run_of(np.exp, dev_accuracy=np.array([{1e-5: 0.9, 3e-5: 0.8}[learning_rate]]))

    study = make_study(run=run, learning_rates=lambda task: [1e-5, 3e-5] if task == "rte" else [1e-5])
    rows = [["RTE", "**1e-05**", "**90.0**"], ["RTE", "3e-05", "80.0"]]
    assert cells(tables.learning_rates(study))[1:] == rows
    assert tables.learning_rates(make_study()) == ""


def test_words_are_told_apart_in_the_generated_language_alone():
    assert tables.unseen_words(make_study()) == ""

    def unseen_words(task, how, seed):
        gain = (how == "pretrained") * np.array([0.02, {"rte": 0.5, "mrpc": -0.1}[task], 0])
        return np.array([0.93, 0.41, 0.62]) + gain

    study = make_study(tasks=("rte", "mrpc"), unseen_words=unseen_words)
    study.trainings.generated = lambda task: True
    text = tables.unseen_words(study)
    assert cells(text)[1] == ["RTE", "from scratch", "93.0", "41.0", "62.0"]
    ahead = "fine-tuning is ahead by 2.0 points on known words and by −10.0 to 50.0 points on unseen ones."
    assert text.endswith(f"Accuracy in %. Depending on the task, {ahead}")


def test_directions_have_length_cosine_and_angle_and_straightness_stands_beside_that_of_a_random_walk():
    walk = stored({("mrpc", "pretrained"): SimpleNamespace(quarter=np.array([1.0, 0.8]))})
    study = make_study(walk=walk, schedule=lambda task, how: np.ones(100))
    scratch, tuned = cells(tables.directions(study, ["mnli"]))[1:]
    assert scratch == ["MNLI", "from scratch", "RTE", "6", "0.05", "87°"]
    assert tuned == ["MNLI", "fine-tuned", "RTE", "2", "0.05", "87°"]
    scratch, tuned = cells(tables.straightness(study, ["mrpc"]))[1:]
    assert tuned == ["MRPC", "fine-tuned", "0.8", "0.5", "0.3"], "equal steps: the root of a quarter"
    assert scratch == ["MRPC", "from scratch", "n/a", "0.5", "n/a"]


def test_the_further_epochs_have_their_error_and_loss():
    first = run_of(np.exp, dev_accuracy=np.array([0.5, 0.8]), dev_loss=np.array([0.7, 0.4]), epochs=1)
    further = run_of(np.exp, dev_accuracy=np.array([0.8, 0.75]), dev_loss=np.array([0.4, 1.2]), epochs=1)
    text = tables.further_epochs(first, further)
    head, error, loss = cells(text)
    assert head == ["", "after 1 epochs", "after 1 more"]
    assert error == ["dev error, in %", "20", "25"]
    assert loss == ["dev loss, in nats", "0.4", "1.2"]
    said = "The dev error rises by 5 points over the further epochs, and the dev loss rises by 0.8 nats."
    assert text.endswith(said)
    assert [tables.changed(by, "nats") for by in (-0.25, 0.0)] == ["falls by 0.25 nats", "stays as it is"]


def test_shares_show_first_middle_and_last_epoch():
    rows = cells(tables.shares(make_study(), ["mrpc"]))
    assert [row[2] for row in rows[1:]] == ["1", "2", "1", "2"]
    assert rows[1][3:] == ["0.707", "0.707", "1.000", "0.500", "0.500"]
    assert rows[2][3:] == ["1.000", "1.000", "1.000", "0.000", "0.000"]
    assert [tables.fixed(value) for value in (-1e-12, -0.25)] == ["0.000", "−0.250"], "no negative zero"


def test_rollbacks_stand_above_the_papers_with_the_misprint_noted():
    text = tables.rollbacks(make_study(), ["mnli", "mine"])
    rows = cells(text)
    assert rows[0][3:] == ["low (0–1)", "middle (2–3)", "high (4–5)"]
    assert rows[1] == ["MNLI", "this run", "90.00", "88.00 (−2.00)", "80.00 (−10.00)", "60.00 (−30.00)"]
    assert rows[2] == ["MNLI", "paper", "86.54", "86.73 (+0.19)", "84.71 (−1.83)", "32.85 (−53.69)"]
    assert [row[0] for row in rows[3:]] == ["mine"]  # the paper knows nothing of it
    assert "With seed 0 it costs most to roll back the high layers on MNLI and mine. Which of" in text
    assert "the paper prints −53.88, but its accuracies differ by −53.69" in text


def test_a_generated_task_says_so_in_its_name(tmp_path):
    names = [Study(name, results_dir=tmp_path, device="none").heading("sst2") for name in ("demo", "minilm")]
    assert names == ["SST-2-like (generated)", "SST-2"]
