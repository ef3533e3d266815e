"""The results that come with the project: the reference run is complete, and every file of it is sound."""

from __future__ import annotations

from landscape_utils.study.jobs import label, plan_jobs

from landscape_utils import Study
from landscape_utils.book.build import ROOT
from landscape_utils.store.store import Store

RESULTS = ROOT / "results"


def test_the_reference_run_lacks_nothing():
    """Read as in the book, where neither the model nor the data are."""
    study = Study("minilm", results_dir=RESULTS, device="none")
    assert [label(job) for job in plan_jobs(study)] == []


def test_every_result_that_is_kept_with_the_project_is_sound():
    entries = [entry for entry in Store(RESULTS / "minilm").verify() if entry.path.suffix == ".npz"]
    assert len(entries) > 60
    assert {str(entry.path): entry.state for entry in entries if entry.state != "sound"} == {}
