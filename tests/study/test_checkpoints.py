"""A study of checkpoints: each result against what it is made of, on an encoder that is not BERT."""

import json
import shutil
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from networks import make_model
from own_case import edit_config, refused, save_training, write_examples
from torch.nn.functional import cross_entropy
from transformers import AutoModelForSequenceClassification

import landscape_utils as lu
from landscape_utils.book import tables
from landscape_utils.claims.evidence import number
from landscape_utils.claims.measure import guessing
from landscape_utils.figures.widgets import explore
from landscape_utils.landscape.directions import TRAINED, principal_plane, random_plane
from landscape_utils.names import HOWS
from landscape_utils.store import code
from landscape_utils.study.run_result import RunResult
from landscape_utils.study.scan_results import SurfaceResult
from landscape_utils.training.demo_language import make_tokenizer

AXIS = np.linspace(-1.5, 1.5, 4)
UNLAYERED = {"smooth-fine-tuning", "first-direction", "surfaces-agree"}
LAYERS = {"low-layers", "middle-layers", "high-layers", "high-above-low", "low-wider", "low-moves-less"}


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """Folders of two trainings, the others' ends, the task."""
    folder = tmp_path_factory.mktemp("own")
    trained = {how: save_training(folder / how, seed=seed) for seed, how in enumerate(HOWS)}
    others = {how: save_training(folder / f"{how}-other", seed=7)[-1] for how in trained}
    train, dev = write_examples(folder)
    profile = lu.load_profile("demo")
    task = lu.read_task(trained["pretrained"], profile, train=train, dev=dev, text=["text"], label="tone")
    return SimpleNamespace(trained=trained, others=others, task=task)


def study_of(case, results_dir, **changes) -> lu.Checkpoints:
    """Both trainings, without others for the second direction, but for what is changed."""
    options = {"task": case.task, "trained": case.trained, "resolution": 4, "span": 1.5, "examples": 8}
    return lu.Checkpoints(**options | changes, results_dir=results_dir)


@pytest.fixture(scope="module")
def mine(case, tmp_path_factory) -> lu.Checkpoints:
    return study_of(case, tmp_path_factory.mktemp("results"), others=case.others)


def model_of(folder):
    return AutoModelForSequenceClassification.from_pretrained(folder)


def thetas(folders) -> list[torch.Tensor]:
    return [lu.ParameterSpace(model_of(folder)).read() for folder in folders]


def test_a_surface_is_a_scan_of_the_plane_of_the_checkpoints(mine, case):
    folders = case.trained["scratch"]
    start, end, other = thetas([folders[0], folders[-1], case.others["scratch"]])
    plane = lu.Plane(start, end - start, other - start)
    expected = lu.scan(lu.Objective(model_of(folders[-1]), mine.sample("reviews", "dev")), plane, AXIS, AXIS)
    surface = mine.surface("reviews", "scratch", "dev")
    np.testing.assert_array_equal(surface.loss, expected.loss)
    assert surface.marks["end"].loss == expected.marks["end"].loss
    assert surface.cosine == plane.cosine
    assert mine.curve("reviews", "scratch").marks["end"] == mine.surface("reviews", "scratch").marks["end"]


def test_the_history_is_measured_on_the_checkpoints(mine, case):
    run = mine.run("reviews")
    assert run.epochs == 2
    *_, last = models = list(map(model_of, case.trained["pretrained"]))
    accuracies = [1 - lu.Objective(model, case.task.dev)().error for model in models]
    assert run.dev_accuracy.tolist() == pytest.approx(accuracies, abs=1e-12)
    assert run.loss[-1] == pytest.approx(lu.Objective(last, case.task.train)().loss, abs=1e-6)
    assert f"| {number(100 * run.dev_accuracy[-1])} | {number(run.loss[-1])} |" in tables.checkpoints(mine)


def test_a_second_study_reads_what_the_first_computed(mine, case, monkeypatch):
    trained, others = case.trained, case.others
    first, results = mine.surface("reviews"), mine.store.folder.parent
    changed = study_of(case, results, others=others, trained=trained | {"pretrained": trained["scratch"]})
    monkeypatch.setattr("landscape_utils.study.scan_results.scan", lambda *_, **__: 1 / 0)
    history, found = RunResult("reviews", "pretrained", 0), mine.found
    with monkeypatch.context() as patch:  # measured anew by another engine, as no training is
        patch.setitem(code._SOURCES, "engine.losses", b"1")
        code.code_of.cache_clear()
        assert found(history) is None
    code.code_of.cache_clear()
    assert found(history)
    np.testing.assert_array_equal(study_of(case, results, others=others).surface("reviews").loss, first.loss)
    with pytest.raises(ZeroDivisionError):
        changed.surface("reviews")


def test_one_training_answers_for_itself_alone(mine, case):
    trained, others = ({"pretrained": folders["pretrained"]} for folders in (case.trained, case.others))
    one = study_of(case, mine.store.folder.parent, trained=trained, others=others)
    claims = {claim.name for claim in one.claims()}
    assert claims == UNLAYERED | LAYERS | {"orthogonal"}
    both = {claim.name for claim in mine.claims()}
    # checkpoints do not tell of speed and overfitting
    assert both == claims | {"accuracy", "rough-scratch", "wider", "flatter", "error-surface"}


def test_without_another_task_the_second_direction_is_random_and_the_same_again(case, tmp_path):
    start, *_, end = case.trained["pretrained"]
    studies = [study_of(case, tmp_path, trained={"pretrained": [start, end]}, seed=s) for s in (0, 0, 1)]
    first, again, other = (study.plane("reviews") for study in studies)
    assert torch.equal(first.y, again.y)
    assert not torch.equal(first.y, other.y)
    assert first.y.norm() == pytest.approx(first.norm, rel=1e-5)
    surface = SurfaceResult("reviews", "pretrained", 0)
    assert studies[0].key(surface) != studies[2].key(surface)
    assert "orthogonal" not in [claim.name for claim in studies[0].claims()]


@pytest.mark.parametrize("along", ["random", "pca"])
def test_a_map_is_a_scan_around_the_trained_network(case, tmp_path, along):
    folders = case.trained["pretrained"]
    mine = study_of(case, tmp_path, trained={"SGD": folders}, directions=along, seed=5)
    found, ends, model = mine.map("SGD"), thetas(folders), model_of(folders[-1])
    random = random_plane(ends[-1], float((ends[-1] - ends[0]).norm()), lu.ParameterSpace(model), 5)
    plane = (principal_plane(ends) if along == "pca" else random)[0]
    expected = lu.scan(lu.Objective(model, mine.sample("reviews", "dev")), plane, AXIS, AXIS, marks=TRAINED)
    np.testing.assert_array_equal(found.surfaces["dev"].loss, expected.loss)
    assert found.surfaces["dev"].marks == expected.marks
    np.testing.assert_array_equal(found.path.beta, lu.project(ends, plane).beta)
    # Three snapshots lie in the plane of their components; of P dimensions a random plane has about sqrt(2 / P).
    assert found.path.in_plane[0] > 0.999 if along == "pca" else found.path.in_plane[0] < 0.1
    assert found.shares.sum() == pytest.approx(1 if along == "pca" else 0)
    assert f"| SGD | {along} |" in tables.maps(mine)


def test_another_loss_is_another_result(case, tmp_path):
    """Of two lambdas, which have one name, each has its own curve; its mark is the mean of what it gives."""
    one, ends = {"pretrained": case.trained["pretrained"]}, []
    for weight in (1.0, 3.0):
        loss = lambda x, y, w=weight: w * cross_entropy(x, y, reduction="none")  # noqa: E731
        mine = study_of(case, tmp_path, trained=one, loss=loss)
        ends += [mine.curve("reviews").marks["end"].loss, float(mine.rollback("reviews").loss[0].mean())]
        assert guessing(mine, "reviews") == pytest.approx(weight * np.log(2))
    assert ends[2:] == pytest.approx([3 * ends[0], 3 * ends[1]], rel=1e-6)


def test_what_the_trainer_measured_is_set_beside_ours(case, tmp_path, caplog):
    folders = [shutil.copytree(f, tmp_path / f.name) for f in case.trained["pretrained"]]
    run = study_of(case, tmp_path / "first", trained={"A": folders}).run("reviews", "A")
    for i, off in ((1, 0.0), (2, 0.3)):  # of the second the loss is that of other examples
        theirs = run.dev_loss[i] + off
        log = {"eval_loss": theirs, "eval_accuracy": run.dev_accuracy[i], "step": 90 * i}
        state = json.dumps({"global_step": 90 * i, "log_history": [log]})
        (folders[i] / "trainer_state.json").write_text(state)
    mine = study_of(case, tmp_path / "second", trained={"A": folders})
    first, second = mine.evaluations("A")
    line = f"checkpoint-180: its Trainer measured on dev loss {theirs:.6g}, here {run.dev_loss[2]:.6g}"
    assert (first.difference, second.difference[: len(line)]) == ("", line)
    assert (second.theirs["loss"], second.here["loss"]) == pytest.approx((theirs, run.dev_loss[2]))
    assert caplog.messages == [second.difference]
    assert f"{run.dev_loss[1]:.6f} | {run.dev_loss[1]:.6f}" in tables.evaluations(mine)
    assert line in tables.evaluations(mine)


def test_an_encoder_without_layer_groups_has_the_rest(case, tmp_path):
    folders = save_training(tmp_path / "run", "albert")
    one = study_of(case, tmp_path, trained={"pretrained": folders})
    assert not one.layered
    assert np.isfinite(one.surface("reviews").loss).all()
    assert {claim.name for claim in one.claims()} == UNLAYERED


def test_the_explorer_shows_them_and_the_model_answers(mine):
    live, way = explore(mine), mine.ways[0]
    shown = {(view["task"], view["how"]) for view in live.explorer.payload["views"]}
    assert shown == {("reviews", "fine-tuned"), ("reviews", "from scratch")}
    live._measure()
    assert f"training loss {mine.surface('reviews', way).marks['end'].loss:.4g}" in live.message.value
    assert mine.under("float32", resolution=3, span=1.0).surface("reviews", way).loss.shape == (3, 3)


def test_what_makes_no_landscape_is_refused_at_once(case, tmp_path):
    (start, *_, end), others = case.trained["pretrained"], case.others
    make_model("electra", num_labels=3, vocab_size=400).save_pretrained(tmp_path / "three")
    edit_config(shutil.copytree(start, tmp_path / "heads"), num_attention_heads=4)  # as many weights
    edit_config(shutil.copytree(end, tmp_path / "turned"), id2label={"0": "positive", "1": "negative"})
    tokens = shutil.copytree(end, tmp_path / "words") / "tokenizer.json"
    text = tokens.read_text("utf-8")
    first, second = make_tokenizer().convert_ids_to_tokens([7, 8])
    tokens.write_text(
        text.replace(f'"{first}": 7', f'"{first}": 8').replace(f'"{second}": 8', f'"{second}": 7'), "utf-8"
    )
    several = replace(case.task, train=[case.task.train[0] | {"labels": [0, 1]}])
    for changes, words in (
        ({"trained": {}}, "no checkpoints"),
        ({"trained": [start, end]}, "names the checkpoints of a fine-tuning"),
        ({"trained": {"a": end}}, "two checkpoints or more"),
        (
            {"trained": {"pretrained": [start, end], "SGD": [start, end]}},
            "names of yours, not both; got .*, SGD",
        ),
        ({"trained": {"pretrained": [start, tmp_path / "none"]}}, "none' is neither a folder nor"),
        ({"others": end}, "others={'pretrained': folder} names"),
        ({"task": "reviews"}, "task must be a Task, such as read_task returns; got 'reviews'"),
        (
            {"task": several},
            r"example 0 of reviews has label \[0, 1\]: a study takes one class .* 0 to 1; lu.Objective",
        ),
        ({"trained": {"a": [start, end]}, "directions": "pca"}, "need three checkpoints"),
        ({"others": {"scratch": others["scratch"]}}, "each has a direction of its own, or none has"),
        ({"trained": {"a": [end, end]}}, "are equal, so no direction leads"),
        ({"trained": {"a": [tmp_path / "heads", end]}}, "heads has num_attention_heads 4 and .* 2: a"),
        (
            {"trained": {"a": [start, end], "b": [start, tmp_path / "turned"]}},
            "turned numbers its classes in another way",
        ),
        (
            {"trained": {"a": [start, end], "b": [start, tmp_path / "words"]}},
            "words numbers its tokens in another way",
        ),
        ({"trained": {"a": [start, tmp_path / "three"]}}, "holds no head for the 2 classes of 'reviews'"),
    ):
        with refused(words):
            study_of(case, tmp_path, **changes)
    mine = study_of(case, tmp_path)
    for ask, words in (
        (lambda: mine.surface("mrpc"), "unknown task 'mrpc'; allowed are reviews"),
        (lambda: mine.run("reviews", "continued"), "unknown way to train 'continued'"),
        (lambda: mine.rollback("reviews", 1e-4), "learning_rate = 0.0001: checkpoints are of one training"),
        (lambda: mine.overfitting(), "no training was continued"),
    ):
        with refused(words):
            ask()


def test_a_checkpoint_that_has_changed_is_not_taken_for_the_one_that_results_are_kept_for(case, tmp_path):
    folders = [shutil.copytree(folder, tmp_path / folder.name) for folder in case.trained["pretrained"]]
    mine = study_of(case, tmp_path, trained={"pretrained": folders})
    mine.curve("reviews")
    with refused("epoch 7: this run has epochs 0 .* to 2"):
        mine.run("reviews").theta(7)
    shutil.copy(case.trained["scratch"][-1] / "model.safetensors", folders[-1])
    with refused("a checkpoint of 'pretrained' has changed since it was read: make the study anew"):
        mine.surface("reviews")


def test_trainings_have_their_users_names_and_all_of_a_study_is_computed_at_once(case, tmp_path):
    """Of the profile neither tasks nor data are read: it names a folder of data that has nothing of its tasks."""
    profile = lu.load_profile("demo", data_dir=str(tmp_path))
    adam, sgd = ([*map(str, folders)] for folders in case.trained.values())
    mine = study_of(case, tmp_path, trained={"Adam": adam, "SGD": sgd}, profile=profile)
    assert (mine.ways, mine.store.folder) == (("Adam", "SGD"), tmp_path / "own")
    mine.compute("curves", "rollbacks")
    assert mine.curve("reviews", "Adam").norm != mine.curve("reviews", "SGD").norm
    assert mine.rollback("reviews").fine_tuned == mine.run("reviews", "Adam").dev_accuracy[-1]
