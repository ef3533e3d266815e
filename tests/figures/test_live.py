"""The panel that asks the model: against the study's own results, and with its threads joined, not slept for."""

import numpy as np
import pytest
import torch

import landscape_utils as lu
from landscape_utils.errors import UserError
from landscape_utils.figures.explorer import Explorer
from landscape_utils.figures.live import NOW, Live
from landscape_utils.figures.watching import Coarse, Place, Watched
from landscape_utils.figures.widgets import explore
from landscape_utils.names import HOWS
from landscape_utils.study.scan_results import SurfaceResult

pytestmark = pytest.mark.slow  # it trains four tiny models


@pytest.fixture
def live(study: lu.Study) -> Live:
    return explore(study, "mrpc")


def again(study: lu.Study, **parameters) -> lu.Study:
    """The same results under other parameters."""
    return lu.Study(study.profile, results_dir=study.store.folder.parent, **parameters)


def settled(live: Live) -> str:
    """The message, once all that was asked for is done."""
    live._asking.submit(lambda: None).result()
    live._scanning.submit(lambda: None).result()
    return live.message.value


def scanned(live: Live, **controls) -> str:
    """What is said after a scan with these values of its controls."""
    for name, value in controls.items():
        getattr(live, name).value = value
    live.scan.click()
    return settled(live)


@pytest.mark.parametrize("how", HOWS)
def test_a_place_measures_what_was_scanned_there_and_classifies_by_the_models_softmax(study, how):
    place = Place(study, "mrpc", how)
    before = {name: p.clone() for name, p in place.model.named_parameters()}
    for split in ("train", "dev"):
        surface = study.surface("mrpc", how, split)
        mark = place.measure(float(surface.alpha[1]), float(surface.beta[3]))[split]
        # the same examples in the same batches; a scan's shortcuts leave float32 rounding of a sum of 16
        assert mark.loss == pytest.approx(surface.loss[1, 3], rel=1e-5)
        assert mark.error == surface.error[1, 3]
    assert all(torch.equal(p, before[name]) for name, p in place.model.named_parameters())

    examples = study.task("mrpc").dev[:3]
    shares = place.classify(examples, 1.0, 0.0)
    model = study.run("mrpc", how).model()
    for example, share in zip(examples, shares, strict=True):
        inputs = {k: torch.tensor([v]) for k, v in example.items() if k != "labels"}
        with torch.no_grad():
            wanted = model(**inputs).logits[0].softmax(0).numpy()
        assert np.allclose(share, wanted, atol=1e-6)  # theta_0 + (theta_1 - theta_0) rounds once


def test_evaluate_puts_a_mark_sliders_follow_the_cursor_and_sentences_the_sliders(live, study):
    live.alpha.value, live.beta.value = 0.37, -0.21
    live.evaluate.click()
    said = settled(live)
    asked, other = (view["marks"] for view in live.explorer.payload["views"])
    train, dev = Place(study, "mrpc", "scratch").measure(0.37, -0.21).values()
    assert (asked[-1]["alpha"], asked[-1]["beta"]) == (0.37, -0.21)
    assert asked[-1]["values"]["training loss"] == pytest.approx([train.loss, train.loss_stderr])
    assert asked[-1]["values"]["dev error"] == [dev.error, dev.error_stderr]
    assert live.explorer.cursor == {"alpha": 0.37, "beta": -0.21}
    assert f"training loss {train.loss:.4g}" in said
    assert len(other) == 2

    live.sentences.value = (0, 2)
    settled(live)
    at_mark = live.answers.value
    live.explorer.cursor = {"alpha": -2.0, "beta": 1.5}
    settled(live)
    assert (live.alpha.value, live.beta.value) == (-2.0, 1.5)
    assert at_mark != live.answers.value
    assert live.answers.value.count("<td>") == 2 * 4


def test_a_scan_is_shown_coarsely_first_and_lands_in_the_store(live, study):
    seen: list[dict] = []
    live.explorer.observe(lambda change: seen.append(change["new"]), "scanned")
    live.explorer.selection = {"task": study.heading("mrpc"), "how": "from scratch", "layers": ""}
    said = scanned(live, span=1.5, resolution=9, examples=8)
    assert [len(view["alpha"]) for view in seen] == [2, 3, 5, 9]
    assert {view["how"] for view in seen} == {"from scratch" + NOW}
    plain = again(study, span=1.5, resolution=9, examples=8)
    path = plain.store.path(*plain.key(SurfaceResult("mrpc", "scratch", 0)))
    assert path.exists() and said.endswith(path.name)
    assert live.progress.value == live.progress.max == 81
    assert live.explorer.selection["how"] == "from scratch" + NOW, "what it shows is what is asked next"
    assert live.stop.disabled and not live.scan.disabled


def test_a_watched_scan_has_the_bits_of_an_unwatched_one_and_its_coarse_grids_are_thinned(study):
    rows: dict[int, np.ndarray] = {}
    finer = study.under("float32", span=1.1, resolution=5)
    coarse, kind = Coarse(finer, "mrpc", study.plane("mrpc")), SurfaceResult("mrpc", "pretrained", 0)
    assert coarse.take({}) is None
    whole = finer.get(kind, lambda journal: Watched(journal, rows.update))["train"]
    found = coarse.take(rows)
    assert found is not None
    assert np.array_equal(found["train"].loss, whole.loss[::2, ::2])
    assert np.array_equal(found["train"].alpha, whole.alpha[::2])
    assert found["train"].marks["end"].loss == whole.marks["end"].loss
    assert coarse.take(rows) is None
    finer.store.path(*finer.key(kind)).unlink()
    assert np.array_equal(again(study, span=1.1, resolution=5).surface("mrpc").loss, whole.loss)


def test_a_stopped_scan_goes_on(live):
    counted = []

    def stop_soon(change) -> None:
        counted.append(change["new"])
        if counted[-1] == 7:
            live.stop.click()

    live.progress.observe(stop_soon, "value")
    assert scanned(live, span=2.5, resolution=6).startswith("Stopped at 7 of 36")
    counted.clear()
    assert scanned(live).startswith("Scanned in")
    assert min(n for n in counted if n) > 7


@pytest.mark.parametrize(("control", "value"), [("span", -1.0), ("resolution", 1), ("examples", -3)])
def test_a_mistake_is_one_line_and_text(live, control, value):
    said = scanned(live, **{control: value})
    assert control in said and "\n" not in said
    assert not live.scan.disabled
    live.say("<script>alert(1)</script>\nand more")
    assert live.message.value == "&lt;script&gt;alert(1)&lt;/script&gt; and more"


def test_what_explore_takes_and_shows(study, live):
    """Asked for RTE it shows RTE, and MRPC is the study's first task; a study that only reads has no panel."""
    assert explore(again(study, tasks="mrpc,rte"), "rte").shown[0] == "rte"
    found = explore(again(study, device="none"), "mrpc")
    assert isinstance(found, Explorer)
    assert found.payload == live.explorer.payload

    surface, curve = study.surface("mrpc"), study.curve("mrpc")
    assert explore(surface).payload["views"][0]["alpha"] == surface.alpha.tolist()
    mixed = explore({"mine": surface, "line": curve}).payload["views"]
    assert [(v["task"], v["beta"] is None) for v in mixed] == [("mine", False), ("line", True)]
    refused = [((3,), "Surface"), (({"a": 3},), "int"), ((study, "nope"), "task"), (([],), "nothing")]
    for wrong, words in refused:
        with pytest.raises(UserError, match=words):
            explore(*wrong)
    with pytest.raises(UserError, match="histories, surfaces, curves, overfitting, layers"):
        explore(study, show="colours")
