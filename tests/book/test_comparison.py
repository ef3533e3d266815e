"""Runs side by side: every cell against the study that it is of, and the paper's against its profile and its text."""

import shutil
from unittest.mock import Mock

from book_cases import cells
from planted import Planted

from landscape_utils.book import comparison
from landscape_utils.book.comparison import Column
from landscape_utils.book.words import PHRASES
from landscape_utils.claims import paper
from landscape_utils.claims.claims import weigh
from landscape_utils.claims.intervals import number
from landscape_utils.environment import ROOT
from landscape_utils.errors import Lacking
from landscape_utils.names import display_name
from landscape_utils.study.study import Study


def column(head: str, world: str, *names: str) -> Column:
    study = Planted(world, 0)
    return Column(head, study, {claim.name: claim for claim in weigh(study, *names)})


def test_verdicts_stand_in_the_column_of_their_run_with_the_chapter():
    names = ("accuracy", "overfitting", "low-layers")
    text = comparison.verdicts([column("demo", "true", *names), column("minilm", "false", *names[:2])])
    head, *rows = cells(text)
    assert head == ["claim", "chapter", "demo", "minilm"]
    assert [row[1:] for row in rows] == [
        ["[1](01_fine_tuning.ipynb)", "**holds** 4/0/0", "**does not hold** 0/4/0"],
        ["[5](05_overfitting.ipynb)", "**holds** 1/0/0", "**does not hold** 0/1/0"],
        ["[6](06_layer_rollback.ipynb)", "**holds** 4/0/0", "not judged"],
    ]
    assert text.endswith("**In all**: demo: 3 hold; minilm: 2 do not hold and 1 could not be judged.")
    chapters = {phrase["chapter"] for phrase in PHRASES.values()}
    assert all((ROOT / "notebooks" / f"{name}.ipynb").exists() for name in chapters)


def test_the_costliest_rollback_of_each_run_stands_above_that_of_the_paper():
    groups = ("low", "middle", "high")
    run = column("demo", "true", *(f"{group}-layers" for group in groups))
    _, ours, printed = cells(comparison.costliest([run, column("minilm", "true", "accuracy")]))
    assert printed == ["the paper", "high (53.7)", "high (28.2)", "high (34.8)", "high (12)"], "its Table 1"
    costs = [[e.values[0] for e in run.claims[f"{group}-layers"].evidence] for group in groups]
    most = [max(zip(of, groups, strict=True)) for of in zip(*costs, strict=True)]
    assert ours == ["demo", *(f"{group} ({number(cost)})" for cost, group in most)]
    assert comparison.most({"low": -1.0, "high": 0.0}) == "none"


def test_what_differs_from_the_paper_is_in_a_row_and_what_does_not_below(tmp_path):
    demo = Study("demo", results_dir=tmp_path, device="none")
    text = comparison.setups([Column("demo", demo, {})])
    found = {name: described for name, *described in cells(text)}
    rte, points = demo.profile.tasks["rte"], demo.profile.grid.resolution
    assert found["model"] == ["BERT-large", "a small BERT"]
    assert found["layers"] == ["24", "6"]
    theirs, ours = found["training examples"]
    assert theirs == "MNLI: 392,702, RTE: 2,490, SST-2: 67,349, MRPC: 3,668"
    assert f"RTE: {len(demo.task('rte').train):,}" in ours
    assert found["points of a surface"] == ["40 × 40", f"{points} × {points}"]
    assert found["learning rate of fine-tuning"][1] == f"{rte.pretrained.learning_rate:g}"
    assert f"RTE: {display_name(rte.other)}" in found["δ₂ from"][1]
    assert found["dropout"] == [paper.SETUP["dropout"], "0.0"]
    assert "range of α and β" not in found
    assert "range of α and β (−4 to 4)" in text
    assert comparison.setup(Study("paper", device="none"))["parameters of the encoder"] == "333.6 million"


def test_seeds_that_are_not_there_are_not_counted(tmp_path):
    demo = Study("demo", results_dir=tmp_path, device="none")
    there = {("rte", "pretrained"): (0, 1), ("rte", "scratch"): (1, 2)}
    there |= {("mnli", "pretrained"): (0,), ("sst2", "pretrained"): (0, 1, 2), ("sst2", "scratch"): (0, 1, 2)}
    demo.seeds_of = lambda kind, task, how: there.get((task, how), ())
    assert comparison.seeds(demo, "rte") == "3", "there are no results at all"
    demo.store.folder.mkdir()
    found = {task: comparison.seeds(demo, task) for task in demo.tasks}
    assert found["rte"] == "2 (3 planned)"
    assert found["mnli"] == "from scratch: 0, fine-tuned: 1 (3 planned)"
    assert (found["sst2"], found["mrpc"]) == ("3", "0 (3 planned)")
    assert "MNLI: from scratch: 0, fine-tuned: 1 (3 planned), RTE: 2" in comparison.setup(demo)["seeds"]


def test_other_runs_are_read_from_the_same_folder_as_far_as_they_go(tmp_path, monkeypatch):
    """A run that lacks its data is left out, and so are the claims on paths, of which the repository keeps none."""

    def read(name, results_dir, device):
        assert device == "none"
        study = Study(name, results_dir=results_dir, device=device)
        if name == "demo":
            study.claims = Mock(side_effect=Lacking("no data set"))
        return study

    monkeypatch.setattr(comparison, "Study", read)
    for name in ("minilm", "mpnet"):  # and not what a book that was made here has left beside them
        shutil.copytree(ROOT / "results" / name, tmp_path / name)
    (tmp_path / "demo").mkdir()
    run = Study("minilm", results_dir=tmp_path, device="none")
    weighed = weigh(Planted("true", 0), "obstacle")
    found = comparison.columns(run, weighed)
    assert [run.head for run in found] == ["minilm (this run)", "mpnet"]
    assert list(found[0].claims) == ["obstacle"]
    assert "accuracy" in found[1].claims and "obstacle" not in found[1].claims
