"""What is measured of a training's way: against the weights and the model themselves."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import get_linear_schedule_with_warmup

from landscape_utils import Study
from landscape_utils.engine.objective import Objective
from landscape_utils.engine.space import ParameterSpace
from landscape_utils.store.code import code_of
from landscape_utils.study.run_result import RunResult
from landscape_utils.study.scan_results import CurveResult


@pytest.fixture(scope="module")
def study(tiny_profile, tmp_path_factory) -> Study:
    return Study(tiny_profile, tasks="mrpc", results_dir=tmp_path_factory.mktemp("results"))


def reading(study: Study) -> Study:
    """One that computes nothing."""
    return Study(study.profile, results_dir=study.store.folder.parent, device="none")


def losses_at(study: Study, thetas) -> list[float]:
    """Training loss of the fine-tuned model with other encoders put in."""
    model = study.run("mrpc").model()
    objective, space = Objective(model, study.sample("mrpc", "train")), ParameterSpace(model)
    found = []
    for theta in thetas:
        space.write(theta)
        found.append(objective().loss)
    return found


def test_a_walk_has_the_lengths_and_angles_of_the_snapshots(study):
    run, walk = study.run("mrpc"), study.walk("mrpc")
    thetas = [run.theta(epoch).double() for epoch in range(run.epochs + 1)]
    delta = thetas[-1] - thetas[0]
    norms = [float((theta - thetas[0]).norm()) for theta in thetas]
    np.testing.assert_allclose(walk.norm, norms, rtol=1e-6)  # float32 sums of 600,000 squares in float64
    quarter = run.theta_quarter().double() - thetas[0]
    assert walk.quarter[1] == pytest.approx(float(quarter @ delta / quarter.norm() / delta.norm()), rel=1e-5)
    assert walk.angle == pytest.approx(study.surface("mrpc").cosine, abs=1e-6)


def test_paths_obstacles_and_barriers_pass_through_the_ends(study):
    run, further = study.run("mrpc"), study.run("mrpc", "continued")
    epochs = [run.theta(epoch) for epoch in range(run.epochs + 1)]
    wanted = losses_at(study, [*epochs, further.theta()])
    path, obstacles, barrier = study.path("mrpc"), study.obstacles("mrpc").path, study.barrier("mrpc")
    at_epochs = [float(obstacles.loss[obstacles.alpha == epoch][0]) for epoch in range(run.epochs + 1)]
    # theta_0 + (theta_1 - theta_0) is theta_1 but for a rounding
    assert at_epochs == pytest.approx(wanted[:-1], abs=1e-5)
    assert [path.loss[0], path.loss[-1]] == pytest.approx([wanted[0], wanted[-2]], abs=1e-5)
    assert [barrier.loss[0], barrier.loss[-1]] == pytest.approx(wanted[-2:], abs=1e-5)
    assert path.precision == "float32"
    end = study.curve("mrpc", split="dev").marks["end"]
    assert study.barrier("mrpc", "dev").error[0] == pytest.approx(end.error)


def test_random_directions_start_at_the_end(study):
    found = study.random_directions("mrpc")
    assert [found.end] == pytest.approx(losses_at(study, [study.run("mrpc").theta()]), abs=1e-6)
    assert found.loss.shape == (20, len(found.radius))
    assert np.isfinite(found.loss).all()


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
    assert study.seeds_of("curve", "mrpc", "pretrained") == study.seeds
    assert study.seeds_of("barrier", "rte", "pretrained") == ()
    assert reading(study).seeds_of("curve", "mrpc", "pretrained") == (0,)
    assert reading(study).seeds_of("layer_surface", "mrpc", "pretrained") == ()


def test_a_result_of_other_code_is_computed_anew(study, monkeypatch):
    before, kind = study.curve("mrpc"), CurveResult("mrpc", "pretrained", 0)
    assert study.has(kind)
    monkeypatch.setattr(CurveResult, "code", classmethod(lambda cls: "0" * 16))
    assert not study.has(kind)
    assert reading(study).curve("mrpc").loss.tolist() == before.loss.tolist(), (
        "to read, the earlier one will do"
    )
    assert study.curve("mrpc").loss.tolist() == before.loss.tolist()
    assert study.has(kind)


# When this fails, the code of trainings has changed. If it trains other weights, raise RunResult.version, so that no
# training of earlier code is taken for one of this. If not, keep the version. Then write down the new fingerprint.
TRAINED_BY = {1: "1773bc2206ea503c"}


def test_a_change_of_the_code_of_trainings_asks_for_a_decision():
    found = code_of("training.finetune", "training.models", "training.tasks", "training.trainer")
    assert TRAINED_BY[RunResult.version] == found
