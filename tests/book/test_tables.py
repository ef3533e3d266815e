"""Tables of the chapters on a study made of formulas: every number is in its cell."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from synthetic import make_study, run_of

from landscape_utils.book import tables
from landscape_utils.claims.claims import weigh


def cells(markdown: str) -> list[list[str]]:
    """The rows of the table in a text, its head first."""
    rows = [line for line in markdown.splitlines() if line.startswith("|") and "---" not in line]
    return [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]


def test_setup_has_the_data_and_both_trainings():
    assert cells(tables.setup(make_study()))[1] == [
        "MNLI",
        "2",
        "3,600",
        "400",
        "52.5",
        "8 / 4",
        "1e-05 / 1e-05",
        "32 / 32",
    ]


def test_parts_of_glue_are_told_from_the_whole():
    study = make_study(tasks=("mnli", "rte", "mrpc"))
    whole = {"train_examples": 2490, "dev_examples": 277}
    plain = study.facts
    study.facts = lambda task: plain(task) | (whole if task == "rte" else {})
    said = (
        "MNLI, 3,600 of 392,702 training and 400 of 9,815 dev examples; "
        "MRPC, 3,600 of 3,668 training and 400 of 408 dev examples"
    )
    assert tables.samples(study) == said
    assert tables.setup(study).endswith(f"Not the whole data set: {said}.")
    for spec in study.profile.tasks.values():
        spec.source = "demo"
    assert tables.samples(study) == ""


def test_accuracies_of_one_seed():
    assert cells(tables.accuracies(make_study()))[1] == ["MNLI", "50.0", "60.0", "90.0"]
    assert "one seed" in tables.accuracies(make_study())


def test_accuracies_over_seeds_and_a_run_that_did_not_learn():
    ends = {0: 0.5, 1: 0.52}

    def run(task, how="pretrained", seed=0):
        return run_of(lambda epoch: 0.7, how=how, dev_accuracy=np.array([0.5, ends[seed]]), epochs=1)

    text = tables.accuracies(make_study(run=run, seeds=(0, 1)))
    assert cells(text)[1][2:] == ["51.0 (50.0–52.0) †"] * 2
    assert "mean over 2 seeds" in text


def test_learning_rates_show_what_the_dev_set_chose_from():
    tried = {
        1e-5: run_of(np.exp, dev_accuracy=np.array([0.9])),
        3e-5: run_of(np.exp, dev_accuracy=np.array([0.8])),
    }
    study = make_study(tried=lambda task: tried if task == "rte" else {1e-5: tried[1e-5]})
    assert cells(tables.learning_rates(study))[1:] == [["RTE", "**90.0 at 1e-05**", "80.0 at 3e-05"]]
    assert tables.learning_rates(make_study(tried=lambda task: {1e-5: tried[1e-5]})) == ""


def test_gain_counts_the_tasks_that_are_far_enough_ahead():
    (claim,) = weigh(make_study(), "better-accuracy")
    assert "on 4 of 4 tasks (MNLI +30.0," in tables.gain(claim)
    assert "by 31 points of dev accuracy or more on 0 of 4" in tables.gain(claim, points=31)


def test_directions_have_length_cosine_and_angle():
    rows = cells(tables.directions(make_study()))
    assert rows[1] == ["MNLI", "from scratch", "RTE", "6", "0.05", "87°"]
    assert rows[2][3] == "2"


def test_agreement_of_surfaces_that_are_functions_of_one_another():
    rows = cells(tables.agreements(make_study(tasks=("mrpc",))))
    assert rows[2] == ["MRPC", "fine-tuned", "1", "1", "1", "1"]


def test_shares_show_first_middle_and_last_epoch():
    rows = cells(tables.shares(make_study(), ["mrpc"]))
    assert [row[2] for row in rows[1:]] == ["1", "2", "1", "2"]
    assert rows[1][3:] == ["0.707", "0.707", "1.000", "0.500", "0.500"]
    assert rows[2][3:] == ["1.000", "1.000", "1.000", "0.000", "0.000"]


def test_rollbacks_stand_above_the_papers_with_the_misprint_noted():
    text = tables.rollbacks(make_study(tasks=("mnli", "mine")))
    rows = cells(text)
    assert rows[0][3:] == ["low (0–1)", "middle (2–3)", "high (4–5)"]
    assert rows[1] == ["MNLI", "here", "90.00", "88.00 (−2.00)", "80.00 (−10.00)", "60.00 (−30.00)"]
    assert rows[2] == ["", "paper", "86.54", "86.73 (+0.19)", "84.71 (−1.83)", "32.85 (−53.69)"]
    assert [row[0] for row in rows[3:]] == ["mine"]  # the paper knows nothing of it
    assert "the paper prints −53.88, but its accuracies differ by −53.69" in text


@pytest.mark.parametrize(("value", "text"), [(-1e-12, "0.000"), (-0.25, "−0.250"), (1.0, "1.000")])
def test_three_decimals_have_no_negative_zero(value, text):
    assert tables.fixed(value) == text


def test_rollbacks_at_every_rate_say_whether_the_costliest_group_stays():
    def rollback(task, learning_rate=None):
        found = make_study().rollback(task)
        other = {"rte": {"low": 0.5, "middle": 0.8, "high": 0.6}, "mrpc": dict.fromkeys(found.groups, 0.9)}
        return replace(found, groups=other[task]) if task in other and learning_rate == 3e-5 else found

    study = make_study(rollback=rollback, learning_rates=lambda task: [1e-5, 3e-5])
    text = tables.rollbacks_by_rate(study)
    rows = cells(text)
    assert rows[1][:4] == ["MNLI", "**1e-05**", "90.00", "88.00 (−2.00)"]
    assert rows[1][4:] == ["80.00 (−10.00)", "60.00 (−30.00)", "1 / 2 / 3"]
    assert rows[4][:4] == ["", "3e-05", "90.00", "50.00 (−40.00)"]
    assert "on 2 of 4 tasks (MNLI high, RTE high and low, SST-2 high, MRPC high and none)" in text
    assert "furthest in 6 of the 7 fine-tunings in which" in text
    assert tables.rollbacks_by_rate(make_study()) == ""
