"""A study's results against what they are made of, and what it promises about keeping them."""

import errno
import os
import shutil
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from joblib.externals.loky.process_executor import TerminatedWorkerError
from own_case import refused
from transformers import get_linear_schedule_with_warmup

import landscape_utils as lu
from landscape_utils.environment import OF_CHECKPOINTS
from landscape_utils.landscape.paths import training_path
from landscape_utils.names import KINDS as FOLDERS
from landscape_utils.store import code
from landscape_utils.store.code import code_of
from landscape_utils.study.computing import KINDS, with_needs
from landscape_utils.study.run_result import RunResult
from landscape_utils.study.scan_results import CurveResult, SurfaceResult
from landscape_utils.training.finetune import HISTORY, load_run


@pytest.fixture(scope="module")
def study(tiny_profile, tmp_path_factory) -> lu.Study:
    return lu.Study(tiny_profile, results_dir=tmp_path_factory.mktemp("results"))


def beside(study: lu.Study, **options) -> lu.Study:
    """Another study of the same results."""
    return lu.Study(**{"profile": study.profile} | options, results_dir=study.store.folder.parent)


def test_surface_is_a_scan_of_the_plane_of_two_runs(study):
    surface = study.surface("mrpc", "scratch", "dev")
    run, other = study.run("mrpc", "scratch"), study.run("rte", "scratch")
    axis = np.linspace(-4, 4, 5)  # as the profile says
    plane = lu.Plane(run.theta(0), run.theta() - run.theta(0), other.theta() - other.theta(0))
    expected = lu.scan(lu.Objective(run.model(), study.sample("mrpc", "dev")), plane, axis, axis)
    np.testing.assert_array_equal(surface.loss, expected.loss)
    assert surface.cosine == plane.cosine
    curve = study.curve("mrpc", "scratch", "dev")
    assert (curve.marks["end"], len(curve.alpha)) == (surface.marks["end"], 41)


def test_a_profiles_tolerance_is_that_of_its_surfaces_and_part_of_their_recipe(study):
    def under(**changes):
        grid = study.profile.grid.model_copy(update={"resolution": 19} | changes)
        return beside(study, profile=study.profile.model_copy(update={"grid": grid}))

    tolerant, exact, axis = under(tolerance=100.0), under(), np.linspace(-4, 4, 19)
    surface, model = tolerant.surface("mrpc", "pretrained", "train"), study.run("mrpc").model()
    objectives = [lu.Objective(model, study.sample("mrpc", split)) for split in ("train", "dev")]
    expected, _ = lu.scan(objectives, study.plane("mrpc"), axis, axis, tolerance=100.0)
    # so large a tolerance leaves the coarsest lattice, the marks' neighbours and the points of the check
    assert surface.computed.sum() < 200
    for name in ("loss", "computed", "loss_bound"):
        np.testing.assert_array_equal(getattr(surface, name), getattr(expected, name))
    assert tolerant.curve("mrpc").computed.all()
    for kind, told in ((SurfaceResult, {"tolerance": 100.0}), (CurveResult, {})):
        recipes = [kind("mrpc", "pretrained", 0).recipe(one) for one in (tolerant, exact)]
        assert recipes[0] == recipes[1] | told


def test_rolled_back_is_what_rollback_reports(study):
    """And f(-1, 0) of the layer's surface, evaluated by brute force with the weights put back."""
    rollback, run, model = study.rollback("mrpc"), study.run("mrpc"), study.run("mrpc").model()
    space, theta_0, theta_1 = lu.ParameterSpace(model), run.theta(0), run.theta()
    dev = lu.Objective(model, study.task("mrpc").dev)
    train = lu.Objective(model, study.sample("mrpc", "train"))
    assert rollback.fine_tuned == pytest.approx(1 - dev().error, abs=1e-12)
    for group, names in lu.layer_groups(model).items():
        theta = theta_1.clone()
        for name in names:
            theta[space.slices[name]] = theta_0[space.slices[name]]
        space.write(theta)
        # theta_1 - (theta_1 - theta_0) is theta_0 but for a rounding, which can tip an example or two at a tie
        assert rollback.groups[group] == pytest.approx(1 - dev().error, abs=2 / dev.size)
        mark = study.layer_surface("mrpc", group).marks["rolled back"]
        assert (mark.alpha, mark.beta, mark.loss) == (-1, 0, pytest.approx(train().loss, abs=1e-6))
        line = lu.Line(theta_1, space.restrict(theta_1 - theta_0, names))
        assert rollback.groups[group] == 1 - lu.scan(dev, line, [-1.0]).error[0]


def test_the_cube_is_of_the_sample_and_its_edges_are_rollbacks_on_it(study):
    cube, run, examples = study.cube("mrpc"), study.run("mrpc"), study.sample("mrpc", "dev")
    assert cube["examples"] == len(examples)
    whole = cube["accuracy"]
    assert whole[-1, -1, -1] == 1 - lu.Objective(run.model(), examples)().error
    edges = {"low": whole[0, -1, -1], "middle": whole[-1, 0, -1], "high": whole[-1, -1, 0]}
    assert edges == lu.roll_back(run.model(), run.theta(0), run.theta(), examples).groups


def test_trajectories_walks_and_paths_are_those_of_the_snapshots(study):
    run, further, plane = study.run("mrpc"), study.run("mrpc", "continued"), study.plane("mrpc")
    model, thetas = run.model(), [run.theta(epoch) for epoch in range(run.epochs + 1)]
    expected = lu.project([*thetas, further.theta(1), further.theta(2)], plane)
    np.testing.assert_array_equal(study.trajectory("mrpc").alpha, expected.alpha[: len(thetas)])
    np.testing.assert_array_equal(study.overfitting().beta, expected.beta)

    expected = training_path(model, thetas, run.theta(), run.theta_quarter(), plane.y)
    # the direction of the plane is rescaled, which rounds
    for name, value in vars(expected).items():
        np.testing.assert_allclose(getattr(study.walk("mrpc"), name), value, rtol=1e-6)

    objective, space = lu.Objective(model, study.sample("mrpc", "train")), lu.ParameterSpace(model)
    wanted = []
    for theta in [*thetas, further.theta()]:
        space.write(theta)
        wanted.append(objective().loss)
    path, obstacles, barrier = study.path("mrpc"), study.obstacles("mrpc").path, study.barrier("mrpc")
    # theta_0 + (theta_1 - theta_0) is theta_1 but for a rounding
    assert obstacles.loss[obstacles.alpha % 1 == 0] == pytest.approx(wanted[:-1], abs=1e-5)
    assert [path.loss[0], path.loss[-1]] == pytest.approx([wanted[0], wanted[-2]], abs=1e-5)
    assert [barrier.loss[0], barrier.loss[-1]] == pytest.approx(wanted[-2:], abs=1e-5)
    assert path.precision == "float32"
    end = study.curve("mrpc", split="dev").marks["end"]
    assert study.barrier("mrpc", "dev").error[0] == pytest.approx(end.error)
    assert study.random_directions("mrpc").end == pytest.approx(wanted[-2], abs=1e-6)


def test_the_schedule_is_the_trainers(study):
    run, settings = study.run("mrpc"), study.profile.tasks["mrpc"].pretrained
    steps = len(run.loss)
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=settings.learning_rate)
    warmup = int(np.ceil(study.profile.training.warmup * steps))
    (factor,) = get_linear_schedule_with_warmup(optimizer, warmup, steps).lr_lambdas
    wanted = [settings.learning_rate * factor(step) for step in range(steps)]
    np.testing.assert_allclose(study.schedule("mrpc"), wanted, rtol=1e-12)


def test_seeds_are_those_that_there_are(study):
    study.curve("mrpc")
    assert study.seeds_of("curve", "rte", "pretrained") == study.seeds
    assert study.seeds_of("barrier", "rte", "pretrained") == ()
    assert study.seeds_of("rollback", "mrpc", "scratch") == ()
    read, other = beside(study, device="none"), beside(study, tasks="rte")
    extra = beside(study, profile=study.profile.model_copy(update={"extra_seeds": [7]}))
    assert extra.seeds_of("run", "rte", "pretrained") == (0,), (
        "it is shown where it is, and not computed for it"
    )
    assert read.seeds_of("curve", "mrpc", "pretrained") == (0,)
    assert read.seeds_of("random_directions", "rte", "pretrained") == ()
    # the further epochs are of another task, and so is what they go on from
    assert other.overfit_task == "mrpc"
    for kind in ("run", "barrier"):
        assert other.seeds_of(kind, "mrpc", "pretrained") == (0,)


def test_a_result_of_other_code_is_computed_anew(study, monkeypatch):
    """Whether it says of which, or, as those of the first versions, nothing."""
    before, kind, now = study.curve("mrpc"), CurveResult("mrpc", "pretrained", 0), CurveResult.code({})
    for other in ("", "0" * 16):
        monkeypatch.setattr(CurveResult, "code", classmethod(lambda cls, recipe, other=other: other))
        study.store.path(*study.key(kind)).unlink()
        study.curve("mrpc")
        monkeypatch.setattr(CurveResult, "code", classmethod(lambda cls, recipe: now))
        assert not study.has(kind)
        # to read, the earlier one will do, and says that it is one
        assert beside(study, device="none").curve("mrpc").loss.tolist() == before.loss.tolist()
        assert not beside(study, device="none").store.load(*study.key(kind), now).made_by(now)
    assert study.curve("mrpc").loss.tolist() == before.loss.tolist()
    assert study.has(kind)
    assert study.store.load(*study.key(kind), now).meta["code"] == now


# When this fails, the code of trainings has changed. If it trains other weights, raise RunResult.version, so that no
# training of earlier code is taken for one of this. If not, keep the version. Then write down the new fingerprint.
TRAINED_BY = {1: "c1a2930f7f58edde"}

# When this fails, code has changed that decides what results are computed from, and which their fingerprints leave out:
# tasks and samples, directions, checkpoints, pre-training. If they are now computed from something else, say so in
# their recipes, so that no result of earlier code is taken for one of this. Then write down the new fingerprint.
CHOSEN_BY = "49b07d8e3a340281"


def test_a_change_of_the_code_of_trainings_or_of_what_is_computed_from_asks_for_a_decision():
    found = code_of("training.finetune", "training.models", "training.tasks", "training.trainer")
    of_study = ("computing", "trainings", "checkpoints", "run_result", "kind")
    of_training = ("checkpoints", "lora", "pretraining", "demo_language", "sources")
    parts = [f"study.{name}" for name in of_study] + [f"training.{name}" for name in of_training]
    assert TRAINED_BY[RunResult.version] == found
    assert code_of(*parts) == CHOSEN_BY


def test_what_chooses_points_is_code_of_scans_with_a_tolerance_alone_and_what_reads_them_of_none(monkeypatch):
    def codes():
        code_of.cache_clear()
        return [SurfaceResult.code(recipe) for recipe in ({}, {"tolerance": 0.1})]

    before = codes()
    for part, changes in (
        ("landscape.adaptive", [False, True]),
        ("claims.flatness", [False, False]),
        ("landscape.scan", [True, True]),
    ):
        with monkeypatch.context() as patch:
            patch.setitem(code._SOURCES, part, b"1")
            assert [now != was for now, was in zip(codes(), before, strict=True)] == changes
    assert codes() == before


def test_lost_snapshots_are_made_again_to_the_same_bits(study):
    run = study.run("sst2")
    before = run.theta()
    shutil.rmtree(run.folder)
    assert load_run(study.run("sst2").folder) is None, "the history needs no snapshots"
    assert torch.equal(study.trained(RunResult("sst2", "pretrained", 0)).theta(), before)
    shutil.rmtree(run.folder)  # and another training's folder moved to its place is not taken for it
    shutil.copytree(study.trained(RunResult("mrpc", "pretrained", 0)).folder, run.folder)
    assert torch.equal(study.trained(RunResult("sst2", "pretrained", 0)).theta(), before)


def test_of_snapshots_of_another_training_than_the_stored_one_a_line_warns(tiny_profile, tmp_path, caplog):
    """As if another machine had trained it again: its dev loss at the end is another one."""
    study = lu.Study(tiny_profile, tasks="mrpc", results_dir=tmp_path)
    path = study.run("mrpc").folder / HISTORY
    with np.load(path) as file:
        history = dict(file)
    for change, warned in ((1e-5, False), (1e-2, True)):
        np.savez(path, **history | {"dev_loss": history["dev_loss"] * (1 + change)})
        study.trained(RunResult("mrpc", "pretrained", 0))
        assert ("is not the training that the stored results are of" in caplog.text) == warned


def test_compute_leaves_nothing_to_do_and_side_by_side_changes_no_bit(study, tiny_profile, tmp_path):
    other = lu.Study(tiny_profile, tasks="mrpc", results_dir=tmp_path)
    other.compute("surfaces", "layers", workers=2)
    assert with_needs(other, ("surfaces", "layers"), other.has) == []
    np.testing.assert_array_equal(other.surface("mrpc").loss, study.surface("mrpc").loss)


def test_a_seed_of_the_profile_leaves_the_others_for_means_and_its_surfaces_are_computed(tmp_path):
    profile = lu.load_profile("demo").model_copy(update={"surface_seeds": [0]})
    cases = {None: ((0, 1, 2), (0,)), 0: ((0, 1, 2), (0,)), 2: ((0, 1, 2), (0, 2)), 5: ((5,), (5,))}
    for seed, (seeds, scanned) in cases.items():
        study = lu.Study(profile, seed=seed, results_dir=tmp_path, device="none")
        assert (study.seed, study.seeds, study.surface_seeds) == (seed or 0, seeds, scanned)
        assert {kind.seed for kind in SurfaceResult.all(study)} == {*scanned}


def test_results_come_after_those_they_need_and_labels_tell_them_apart(study, tmp_path):
    assert tuple(KINDS) == FOLDERS
    for profile in ("demo", "minilm", "mpnet", study.profile):
        fresh = lu.Study(profile, results_dir=tmp_path, device="none")
        planned = with_needs(fresh, tuple(KINDS))
        for i, kind in enumerate(planned):
            assert set(kind.needs(fresh)) <= set(planned[:i])
        assert len(planned) == len(set(planned)) == len({kind.label for kind in planned}) > 50
    assert {kind.folder for kind in planned} == set(KINDS)
    assert with_needs(fresh, tuple(KINDS), fresh.has) == planned, "nothing is there yet"


def test_a_worker_that_is_killed_from_outside_is_told_in_a_line(tiny_profile, tmp_path, monkeypatch):
    def killed(calls):
        yield from ()
        raise TerminatedWorkerError

    monkeypatch.setattr("landscape_utils.study.computing.Parallel", parallel := Mock(return_value=killed))
    for workers in (2, 1000):
        with refused("too little memory.*; what was computed is kept"):
            lu.Study(tiny_profile, results_dir=tmp_path).compute("runs", workers=workers)
    assert [call.args for call in parallel.call_args_list] == [(2,), (8,)], "no more than there are results"


def test_a_full_disk_while_the_trainer_writes_is_told_in_a_line(tiny_profile, tmp_path, monkeypatch):
    """Of which torch says nothing that can be understood."""

    def torch_save(*_, **__):
        monkeypatch.setattr(os, "write", Mock(side_effect=OSError(errno.ENOSPC, "No space left on device")))
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 64 vs 0")

    monkeypatch.setattr("landscape_utils.study.trainings.fine_tune", torch_save)
    with refused("cannot write .*run.npz: No space left on device; make room"):
        lu.Study(tiny_profile, results_dir=tmp_path).run("mrpc")


def test_learning_rates_that_were_tried_are_runs_beside_the_chosen_one(tiny_profile, tmp_path):
    profile = lu.load_profile(tiny_profile, tasks="rte")
    tasks = profile.tasks | {"rte": profile.tasks["rte"].model_copy(update={"tried": [1e-9]})}
    study = lu.Study(profile.model_copy(update={"tasks": tasks}), results_dir=tmp_path)
    study.compute("runs", workers=1)
    assert not with_needs(study, ["runs"], study.has)
    tried = {rate: study.run("rte", learning_rate=rate) for rate in study.learning_rates("rte")}
    assert list(tried) == [1e-9, 1e-3]
    assert tried[1e-3].folder == study.run("rte").folder
    moved = [float((run.theta() - run.theta(0)).norm()) for run in tried.values()]
    assert moved[0] < 1e-4 * moved[1]  # a step of Adam goes as the learning rate


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda study: study.run("mrpc", "finetuned"), r"unknown way to train .* allowed are"),
        (lambda study: study.surface("mrpc", split="test"), "unknown split 'test'; allowed are"),
        (lambda study: study.surface("wnli"), "unknown task 'wnli'; allowed are mnli"),
        (lambda study: study.similarity("mnli"), "task 'mnli' is not of pairs of sentences in two classes"),
        (lambda study: study.layer_surface("mrpc", "top"), "unknown layer group 'top'; allowed are"),
        (lambda study: study.trajectory("mrpc", method="cross"), "unknown method 'cross'; allowed are"),
        (lambda study: study.seeds_of("dance", "mrpc", "scratch"), "unknown kind of result 'dance'"),
        (lambda study: study.compute("everything"), "unknown kind of result 'everything'; allowed are"),
        (lambda study: study.compute("runs", workers="2"), "workers = '2': a whole number"),
        (lambda study: study.curve("mrpc", seed="x"), "a seed is a whole number .* got 'x'"),
        (lambda study: study.run("mrpc", seed=True), "a seed is a whole number .* got True"),
        (
            lambda study: study.run("mrpc", "continued", learning_rate=0.1),
            "further epochs have that of the fine-tuning",
        ),
        (lambda study: study.surface("mrpc", "continued"), "further epochs have no plane of their own"),
        (lambda study: study.rollback("mrpc", 0.0), "a learning rate is a number greater than 0; got 0.0"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_any_work(tiny_profile, tmp_path, monkeypatch, ask, message):
    monkeypatch.setattr("landscape_utils.study.trainings.build_model", lambda *_: pytest.fail("trained"))
    with refused(message):
        ask(lu.Study(tiny_profile, results_dir=tmp_path))


def test_once_a_reader_has_names_of_their_own_none_is_refused():
    """Before that, see the bad inputs."""
    namespace = {"profile": "demo", "_i": "x", "study": object()}
    lu.check_names(namespace | {"In": [""] * 4, "checkpoints": "start,end"}, *OF_CHECKPOINTS)
    lu.check_names(namespace | {"In": [""] * 9, "resolutoin": 7})
