"""A study of checkpoints: each result against what it is made of, on an encoder that is not BERT."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
import torch
from networks import make_model
from own_case import save_training, write_examples
from torch.nn.functional import cross_entropy
from transformers import AutoModelForSequenceClassification

from landscape_utils import Checkpoints, UserError, read_task
from landscape_utils.book import tables
from landscape_utils.claims.evidence import number
from landscape_utils.engine.objective import Objective
from landscape_utils.engine.space import ParameterSpace, layer_groups
from landscape_utils.figures import plots
from landscape_utils.figures.widgets import explore
from landscape_utils.landscape.directions import TRAINED, principal_plane, random_plane
from landscape_utils.landscape.rollback import roll_back
from landscape_utils.landscape.scan import Plane, scan
from landscape_utils.landscape.trajectory import project
from landscape_utils.profiles import load_profile
from landscape_utils.study.scan_results import SurfaceResult

SMALL = {"resolution": 4, "span": 1.5, "examples": 8}
ONE = {
    "smooth-fine-tuning",
    "first-direction",
    "surfaces-agree",
    "low-layers",
    "middle-layers",
    "high-layers",
    "high-above-low",
    "low-wider",
    "low-moves-less",
}


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """Folders of two trainings, the others' ends, the task."""
    folder = tmp_path_factory.mktemp("own")
    trained = {
        how: save_training(folder / how, seed=seed) for seed, how in enumerate(("pretrained", "scratch"))
    }
    others = {how: save_training(folder / f"{how}-other", seed=7)[-1] for how in trained}
    train, dev = write_examples(folder)
    task = read_task(
        trained["pretrained"], load_profile("demo"), train=train, dev=dev, text=["text"], label="tone"
    )
    return trained, others, task


@pytest.fixture(scope="module")
def mine(case, tmp_path_factory) -> Checkpoints:
    trained, others, task = case
    return Checkpoints(task, trained, others, results_dir=tmp_path_factory.mktemp("results"), **SMALL)


def thetas(folders) -> list[torch.Tensor]:
    """Read by the library alone."""
    models = map(AutoModelForSequenceClassification.from_pretrained, folders)
    return [ParameterSpace(model).read() for model in models]


def test_a_surface_is_a_scan_of_the_plane_of_the_checkpoints(mine, case):
    trained, others, _ = case
    start, *_, end = thetas(trained["scratch"])
    (other,) = thetas([others["scratch"]])
    plane = Plane(start, end - start, other - start)
    model = AutoModelForSequenceClassification.from_pretrained(trained["scratch"][-1])
    axis = np.linspace(-1.5, 1.5, 4)
    expected = scan(Objective(model, mine.sample("reviews", "dev")), plane, axis, axis)
    surface = mine.surface("reviews", "scratch", "dev")
    np.testing.assert_array_equal(surface.loss, expected.loss)
    assert surface.marks["end"].loss == expected.marks["end"].loss
    assert surface.cosine == plane.cosine
    assert len(surface.draws) > 0, "intervals need them"
    assert mine.curve("reviews", "scratch").marks["end"] == mine.surface("reviews", "scratch").marks["end"]


def test_the_path_and_the_rollback_are_those_of_the_checkpoints(mine, case):
    trained, _, task = case
    found = thetas(trained["pretrained"])
    expected = project(found, mine.plane("reviews"))
    np.testing.assert_array_equal(mine.trajectory("reviews").beta, expected.beta)
    model = AutoModelForSequenceClassification.from_pretrained(trained["pretrained"][-1])
    expected = roll_back(model, found[0], found[-1], task.dev)
    assert mine.rollback("reviews").groups == expected.groups
    np.testing.assert_array_equal(mine.rollback("reviews").loss, expected.loss)
    rolled = mine.layer_surface("reviews", "high").marks["rolled back"]
    theta, space = found[-1].clone(), ParameterSpace(model)
    for name in layer_groups(model)["high"]:
        theta[space.slices[name]] = found[0][space.slices[name]]
    space.write(theta)
    # theta_1 - (theta_1 - theta_0) is theta_0 but for a rounding
    assert rolled.loss == pytest.approx(Objective(model, mine.sample("reviews", "train"))().loss, abs=1e-6)


def test_the_history_is_measured_on_the_checkpoints(mine, case):
    trained, _, task = case
    run = mine.run("reviews")
    assert run.epochs == 2
    for epoch, folder in enumerate(trained["pretrained"]):
        objective = Objective(AutoModelForSequenceClassification.from_pretrained(folder), task.dev)
        assert run.dev_accuracy[epoch] == pytest.approx(1 - objective().error, abs=1e-12)
    train = Objective(AutoModelForSequenceClassification.from_pretrained(folder), task.train)
    assert run.loss[-1] == pytest.approx(train().loss, abs=1e-6)
    table = tables.checkpoints(mine)
    assert f"| {number(100 * run.dev_accuracy[-1])} | {number(run.loss[-1])} |" in table
    assert f"the encoder {len(run.theta()):,} parameters" in table


def test_a_second_study_reads_what_the_first_computed(mine, case, monkeypatch):
    trained, others, task = case
    mine.surface("reviews")
    again = Checkpoints(task, trained, others, results_dir=mine.store.folder.parent, **SMALL)

    def never(*_, **__):
        raise AssertionError("computed again")

    monkeypatch.setattr("landscape_utils.study.scan_results.scan", never)
    np.testing.assert_array_equal(again.surface("reviews").loss, mine.surface("reviews").loss)
    other = Checkpoints(
        task,
        trained | {"pretrained": trained["scratch"]},
        others,
        results_dir=mine.store.folder.parent,
        **SMALL,
    )
    with pytest.raises(AssertionError, match="computed again"):
        other.surface("reviews")


def test_one_training_answers_for_itself_alone(mine, case):
    trained, others, task = case
    one = Checkpoints(
        task,
        {"pretrained": trained["pretrained"]},
        {"pretrained": others["pretrained"]},
        results_dir=mine.store.folder.parent,
        **SMALL,
    )
    claims = {claim.name: claim for claim in one.claims()}
    assert set(claims) == ONE | {"orthogonal"}
    angle = claims["orthogonal"].evidence[0]
    assert angle.values[0] == pytest.approx(abs(one.surface("reviews").cosine), abs=1e-6)
    both = {claim.name for claim in mine.claims()}
    assert both == set(claims) | {"accuracy", "rough-scratch", "wider", "flatter", "error-surface"}
    assert not {"speed", "overfitting", "same-basin"} & both, "checkpoints do not tell"


def test_without_another_task_the_second_direction_is_random_and_the_same_again(case, tmp_path):
    trained, _, task = case
    one = {"pretrained": trained["pretrained"][:1] + trained["pretrained"][-1:]}
    planes = [
        Checkpoints(task, one, seed=seed, results_dir=tmp_path, **SMALL).plane("reviews")
        for seed in (0, 0, 1)
    ]
    assert torch.equal(planes[0].y, planes[1].y)
    assert not torch.equal(planes[0].y, planes[2].y)
    assert planes[0].y.norm() == pytest.approx(planes[0].norm, rel=1e-5)
    found = Checkpoints(task, one, results_dir=tmp_path, **SMALL)
    other = Checkpoints(task, one, seed=1, results_dir=tmp_path, **SMALL)
    surface = SurfaceResult("reviews", "pretrained", 0)
    assert found.key(surface) != other.key(surface)
    assert "orthogonal" not in [claim.name for claim in found.claims()]


@pytest.mark.parametrize("along", ["random", "pca"])
def test_a_map_is_a_scan_around_the_trained_network(case, tmp_path, along):
    trained, _, task = case
    one = {"SGD": trained["pretrained"]}
    mine = Checkpoints(task, one, results_dir=tmp_path, directions=along, seed=5, **SMALL)
    found, ends = mine.map("SGD"), thetas(one["SGD"])
    model = AutoModelForSequenceClassification.from_pretrained(one["SGD"][-1])
    norm = float((ends[-1] - ends[0]).norm())
    plane = (
        principal_plane(ends)[0]
        if along == "pca"
        else random_plane(ends[-1], norm, ParameterSpace(model), 5)[0]
    )
    axis = np.linspace(-1.5, 1.5, 4)
    expected = scan(Objective(model, mine.sample("reviews", "dev")), plane, axis, axis, marks=TRAINED)
    np.testing.assert_array_equal(found.surfaces["dev"].loss, expected.loss)
    assert list(found.surfaces["dev"].marks) == ["trained network"]
    end = Objective(model, mine.sample("reviews", "dev"))().loss
    assert found.surfaces["dev"].marks["trained network"].loss == pytest.approx(end, abs=1e-6)
    np.testing.assert_array_equal(found.path.beta, project(ends, plane).beta)
    # Three snapshots lie in the plane of their components; of P dimensions a random plane has about sqrt(2 / P).
    assert found.path.in_plane[0] > 0.999 if along == "pca" else found.path.in_plane[0] < 0.1
    assert found.shares.sum() == pytest.approx(1 if along == "pca" else 0)
    assert f"| SGD | {along} |" in tables.maps(mine)
    plots.surface_grid({"x": {"SGD": found.surfaces["train"]}}, trajectories={"x": {"SGD": found.path}})


def test_another_loss_is_another_result(case, tmp_path):
    """Of two lambdas, which have one name, each has its own curve; its mark is the mean of what it gives."""
    trained, _, task = case
    one = {"pretrained": trained["pretrained"]}
    ends = []
    for weight in (1.0, 3.0):
        loss = lambda x, y, w=weight: w * cross_entropy(x, y, reduction="none")  # noqa: E731
        mine = Checkpoints(task, one, results_dir=tmp_path, loss=loss, **SMALL)
        ends.append(mine.curve("reviews").marks["end"].loss)
        ends.append(float(mine.rollback("reviews").loss[0].mean()))
    assert ends[2:] == pytest.approx([3 * ends[0], 3 * ends[1]], rel=1e-6)


def test_what_the_trainer_measured_is_set_beside_ours(case, tmp_path, caplog):
    trained, _, task = case
    folders = [shutil.copytree(f, tmp_path / f.name) for f in trained["pretrained"]]
    run = Checkpoints(task, {"A": folders}, results_dir=tmp_path / "first", **SMALL).run("reviews", "A")
    logs = [  # of the second the loss is that of other examples
        {"eval_loss": float(run.dev_loss[i]) + 0.3 * (i == 2), "eval_accuracy": float(run.dev_accuracy[i])}
        for i in (1, 2)
    ]
    for step, log, folder in zip((90, 180), logs, folders[1:], strict=True):
        state = {"global_step": step, "log_history": [log | {"step": step}]}
        (folder / "trainer_state.json").write_text(json.dumps(state))
    mine = Checkpoints(task, {"A": folders}, results_dir=tmp_path / "second", **SMALL)
    first, second = mine.evaluations("A")
    assert first.difference == ""
    line = f"checkpoint-180: its Trainer measured on dev loss {logs[1]['eval_loss']:.6g}, here {run.dev_loss[2]:.6g}"
    assert second.difference.startswith(line)
    assert caplog.messages == [second.difference]
    assert f"{run.dev_loss[1]:.6f} | {run.dev_loss[1]:.6f}" in tables.evaluations(mine)
    assert line in tables.evaluations(mine)


def test_an_encoder_without_layer_groups_has_the_rest(case, tmp_path):
    folders = save_training(tmp_path / "run", "albert")
    one = Checkpoints(case[2], {"pretrained": folders}, results_dir=tmp_path, **SMALL)
    assert not one.layered
    assert np.isfinite(one.surface("reviews").loss).all()
    assert {claim.name for claim in one.claims()} == {
        "smooth-fine-tuning",
        "first-direction",
        "surfaces-agree",
    }


def test_the_explorer_shows_them_and_the_model_answers(mine):
    live = explore(mine)
    views = live.explorer.payload["views"]
    assert {(view["task"], view["how"]) for view in views} == {
        ("reviews", "fine-tuned"),
        ("reviews", "from scratch"),
    }
    live._measure()
    assert "at α = 1, β = 0" in live.message.value
    end = mine.surface("reviews", mine.ways[0]).marks["end"].loss
    assert f"training loss {end:.4g}" in live.message.value
    live.resolution.value, live.span.value = 3, 1.0
    live._scan()
    assert "Scanned in" in live.message.value
    assert mine.under("float32", resolution=3, span=1.0).surface("reviews", mine.ways[0]).loss.shape == (3, 3)


def test_what_makes_no_landscape_is_refused_at_once(case, tmp_path):
    trained, others, task = case
    make_model("electra", num_labels=3, vocab_size=400).save_pretrained(tmp_path / "three")
    three = {"pretrained": [*trained["pretrained"], tmp_path / "three"]}
    for changes, words in (
        ({"trained": {}, "others": {}}, "no checkpoints"),
        ({"trained": {"pretrained": trained["scratch"][:1]}, "others": {}}, "two checkpoints or more"),
        ({"directions": "pcA"}, "unknown directions 'pcA'; allowed are partner, random, pca"),
        (
            {"trained": {"a": trained["scratch"][1:]}, "others": {}, "directions": "pca"},
            "need three checkpoints",
        ),
        ({"others": {"scratch": others["scratch"]}}, "each has a direction of its own, or none has"),
        (
            {"trained": {"a": trained["pretrained"][-1:] * 2}, "others": {}},
            "are equal, so no direction leads",
        ),
        ({"trained": three, "others": {}}, "holds no head for the 2 classes of 'reviews'"),
    ):
        with pytest.raises(UserError, match=words) as caught:
            Checkpoints(
                **{"task": task, "trained": trained, "others": others} | changes, results_dir=tmp_path
            )
        assert "\n" not in str(caught.value)


def test_trainings_have_their_users_names_and_all_of_a_study_is_computed_at_once(case, tmp_path):
    trained, _, task = case
    named = {"Adam": trained["pretrained"], "SGD": trained["scratch"]}
    mine = Checkpoints(task, named, results_dir=tmp_path, **SMALL)
    assert mine.ways == ("Adam", "SGD")
    mine.compute("curves", "rollbacks")
    norms = [mine.curve("reviews", how).norm for how in mine.ways]
    assert norms[0] != norms[1]
    assert mine.rollback("reviews").fine_tuned == mine.run("reviews", "Adam").dev_accuracy[-1]


def test_of_the_profile_neither_tasks_nor_data_are_read(case, tmp_path):
    """It names a folder of data that has nothing of its tasks."""
    profile = load_profile("minilm").model_copy(update={"data_dir": str(tmp_path)})
    one = Checkpoints(
        case[2], {"pretrained": case[0]["pretrained"]}, profile=profile, results_dir=tmp_path, **SMALL
    )
    assert one.plane("reviews").norm > 0
    assert one.store.folder == tmp_path / "own"


def test_words_that_it_does_not_know_are_refused(mine):
    for call, words in (
        (lambda: mine.surface("mrpc"), "unknown task 'mrpc'; allowed are reviews"),
        (lambda: mine.run("reviews", "continued"), "unknown way to train 'continued'"),
        (lambda: mine.rollback("reviews", 1e-4), "learning_rate = 0.0001: checkpoints are of one training"),
        (lambda: mine.overfitting(), "no training was continued"),
    ):
        with pytest.raises(UserError, match=words):
            call()
