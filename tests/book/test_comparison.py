"""Runs side by side: every cell against the study that it is of, and the paper's against its profile and its text."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from landscape_utils.study.costs import GLUE_SIZES
from synthetic import make_study, run_of
from test_tables import cells

from landscape_utils.book import comparison as beside
from landscape_utils.book.comparison import Column
from landscape_utils.claims import paper
from landscape_utils.claims.claims import CLAIMS, weigh
from landscape_utils.errors import Lacking
from landscape_utils.names import display_name
from landscape_utils.study.study import Study


def column(head: str, leave_out: tuple[str, ...] = (), **changes) -> Column:
    study = make_study(**changes)
    return Column(head, study, {claim.id: claim for claim in weigh(study) if claim.id not in leave_out})


def no_gain(task, how="pretrained", seed=0):
    """Trainings that end alike, whatever they start from."""
    return run_of(lambda epoch: np.log(2) * np.exp(-epoch), task=task, how=how, epochs=4)


def test_verdicts_stand_in_the_column_of_their_run():
    runs = [column("demo (this run)"), column("minilm", leave_out=("smooth-path",), run=no_gain)]
    head, *rows = cells(beside.verdicts(runs))
    assert head == ["claim", "section", "demo (this run)", "minilm"]
    assert [row[0].replace(" ", "-") for row in rows] == list(CLAIMS)
    found = {row[0]: row[1:] for row in rows}
    assert found["better accuracy"] == ["5", "**holds** 4/0/0", "**undecided** 0/0/4"]
    assert found["wider optimum distance"][1] == "**does not hold** 0/4/0"
    assert found["smooth path"] == ["5.1", "**holds** 4/0/0", beside.ABSENT]


@pytest.mark.parametrize(
    ("verdicts", "said"),
    [
        (["holds"], "holds"),
        (["holds", "undecided", "holds"], "holds 2 of 3, undecided 1 of 3"),
        (["does not hold"] * 2, "does not hold 2 of 2"),
        ([], beside.ABSENT),
    ],
)
def test_measures_of_a_sentence_are_counted(verdicts, said):
    assert beside.counted(verdicts) == said


def test_each_sentence_stands_once_beside_its_figure():
    run = column("demo")
    _, *rows = cells(beside.messages([run]))
    assert [row[0] for row in rows] == sorted(
        [row[0] for row in rows], key=lambda place: (place[0] == "t", place)
    )
    assert len(rows) == len({*paper.SENTENCES.values()})
    for section, sentence in paper.SENTENCES.values():
        assert sum(row[1] == f"{sentence} *({section})*" for row in rows) == 1
    (wider,) = (row for row in rows if "much wider" in row[1])
    verdicts = [claim.verdict for name, claim in run.claims.items() if name.startswith("wider-optimum")]
    assert wider == ["Figure\N{NO-BREAK SPACE}1", wider[1], beside.counted(verdicts)]


def test_table_1_has_the_papers_differences_as_they_are_and_ours():
    def lacks(task):
        raise Lacking("no rollback")

    runs = [column("demo", tasks=("mnli", "mrpc")), Column("minilm", make_study(rollback=lacks), {})]
    text = beside.table_1(runs)
    found = {row[0]: row[1:] for row in cells(text)}
    assert found["MNLI, fine-tuned"] == ["86.54", "90.00", beside.ABSENT]
    assert found["MNLI, low layers back"] == ["+0.19", "−2.00", beside.ABSENT]
    assert found["MNLI, high layers back"] == ["−53.69", "−30.00", beside.ABSENT]
    assert found["SST-2, middle layers back"] == ["−0.92", beside.ABSENT, beside.ABSENT]
    assert "prints −53.88, but its accuracies differ by −53.69" in text


@pytest.fixture
def demo(tmp_path) -> Column:
    return Column("demo", Study("demo", results_dir=tmp_path, device="none"), {})


def test_what_differs_from_the_paper_is_in_a_row_and_what_does_not_below(demo):
    text = beside.setups([demo])
    found = {row[0]: row[1:] for row in cells(text)}
    profile, task = demo.study.profile, demo.study.task("rte")
    assert found["model"] == ["BERT-large", "a small BERT"]
    assert found["layers"] == ["24", "6"]
    assert found["training examples"][0] == "MNLI: 392,702, RTE: 2,490, SST-2: 67,349, MRPC: 3,668"
    assert f"RTE: {len(task.train):,}" in found["training examples"][1]
    assert found["points of a surface"] == [
        "40 × 40",
        f"{profile.grid.resolution} × {profile.grid.resolution}",
    ]
    assert found["learning rate of fine-tuning"][1] == f"{profile.tasks['rte'].pretrained.learning_rate:g}"
    assert found["seeds"] == ["not said", str(len(profile.seeds))]
    assert "range of α and β" not in found
    assert "range of α and β (−4 to 4)" in text


def test_each_part_of_a_set_up_that_the_paper_leaves_open_is_a_row(demo):
    theirs = beside.setup(Study("paper", device="none"))
    assert set(paper.SETUP) <= set(theirs)
    assert list(theirs) == list(beside.setup(demo.study))
    assert theirs["parameters of the encoder"] == "333.6 million"
    assert theirs["dev examples"] == ", ".join(
        f"{display_name(task)}: {dev:,}" for task, (_, dev, *_) in GLUE_SIZES.items()
    )


def test_set_ups_that_are_the_same_leave_the_papers_rows_alone(demo):
    _, *rows = cells(beside.setups([demo, demo]))
    assert all(row[2] == row[3] for row in rows)


def test_other_runs_are_read_from_the_same_folder_as_far_as_they_go(monkeypatch, tmp_path):
    opened = []

    def study(name, results_dir, device):
        opened.append((name, results_dir, device))
        return make_study(profile=SimpleNamespace(name=name), store=SimpleNamespace(folder=tmp_path / name))

    def weighed(study, name):
        if study.profile.name == "empty" or name == "smooth-path":
            raise Lacking("no curve")
        return [SimpleNamespace(id=name)]

    monkeypatch.setattr(beside, "Study", study)
    monkeypatch.setattr(beside, "weigh", weighed)
    mine = study("mine", None, None)
    found = beside.columns(mine, [SimpleNamespace(id="stays-near")], "mine", "other", "empty")
    assert [run.head for run in found] == ["mine (this run)", "other"]
    assert list(found[0].claims) == ["stays-near"]
    assert list(found[1].claims) == [name for name in CLAIMS if name != "smooth-path"]
    assert set(opened[1:]) == {(name, tmp_path, "none") for name in ("mine", "other", "empty")}
