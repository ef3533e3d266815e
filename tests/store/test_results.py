"""The results that come with the project: the reference run is complete, and every file of it is sound."""

from __future__ import annotations

from landscape_utils import Study
from landscape_utils.book.build import ROOT
from landscape_utils.store.store import Store
from landscape_utils.study.order import missing_of

RESULTS = ROOT / "results"


def test_the_reference_run_lacks_nothing():
    """Read as in the book, where neither the model nor the data are: all but what came after it was computed."""
    study = Study("minilm", results_dir=RESULTS, device="none")
    kept = ("runs", "surfaces", "layers", "curves", "trajectories", "rollbacks", "cubes")
    assert [kind.label for kind in missing_of(study, kept)] == []


def test_every_result_that_is_kept_with_the_project_is_sound():
    entries = [entry for entry in Store(RESULTS / "minilm").verify() if entry.path.suffix == ".npz"]
    assert len(entries) > 60
    assert {str(entry.path): entry.state for entry in entries if entry.state != "sound"} == {}
