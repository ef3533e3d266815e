"""The embedded pre-training: made once, the same bits again, and nothing half made."""

import copy
from dataclasses import replace
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy import linalg
from transformers import get_linear_schedule_with_warmup

from landscape_utils.training import pretraining, trainer
from landscape_utils.training.pretraining import Recipe, pretrain, pretrained_folder

TINY = Recipe(pairs=200, steps=4, batch_size=8)


def test_the_same_recipe_gives_the_same_bits_and_is_followed_once(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    folder = pretrained_folder(tmp_path, TINY)
    expected = pretrain(TINY).state_dict()
    for name, weights in load_file(folder / "model.safetensors").items():
        assert torch.equal(weights, expected[name])
    other = pretrain(replace(TINY, seed=1)).bert.pooler.dense.weight
    assert not torch.equal(other, expected["bert.pooler.dense.weight"])
    monkeypatch.setattr(pretraining, "pretrain", Mock(side_effect=KeyboardInterrupt))
    assert pretrained_folder(tmp_path, TINY) == folder
    with pytest.raises(KeyboardInterrupt):
        pretrained_folder(tmp_path, replace(TINY, steps=5))
    weights = folder / "model.safetensors"
    weights.write_bytes(b"\0" + weights.read_bytes()[1:])
    with pytest.raises(KeyboardInterrupt):  # a damaged one is made anew
        pretrained_folder(tmp_path, TINY)
    assert [path for path in tmp_path.iterdir() if path.suffix != ".lock"] == [folder], "nothing half made"
    assert capfd.readouterr() == ("", "")


def test_the_optimizer_is_muon_and_adamw_each_on_its_own():
    """Three steps under a schedule, beside torch's two run apart: AdamW to the bit, and Muon, which multiplies there in
    bfloat16, of 8 bits, to 3 %: twenty products, each off by up to 0.4 %, in no common direction."""
    recipe = Recipe(steps=10, warmup=0.2)
    together = pretraining.initial_model(recipe)
    apart, start = copy.deepcopy(together), copy.deepcopy(together)
    optimizer = pretraining.MuonAdamW(together, together.bert.encoder.layer[:1], recipe)
    schedule = get_linear_schedule_with_warmup(optimizer, 2, 10)
    optimizer.load_state_dict(optimizer.state_dict())  # as the Trainer does when it prepares it
    matrices = {p for p in apart.bert.encoder.layer[0].parameters() if p.ndim == 2}
    assert len(matrices) == 6  # query, key, value, output, two of the feed-forward
    muon = torch.optim.Muon(matrices, weight_decay=0.0)
    adam = torch.optim.AdamW({*apart.parameters()} - matrices, betas=(0.9, 0.98), weight_decay=0.01)
    torch.manual_seed(0)
    for rate in (0.0, 0.5, 1.0):
        for p, q in zip(together.parameters(), apart.parameters(), strict=True):
            p.grad = torch.randn_like(p)
            q.grad = p.grad.clone()
        muon.param_groups[0]["lr"] = recipe.muon_rate * rate
        adam.param_groups[0]["lr"] = recipe.adam_rate * rate
        for part in (muon, adam, optimizer, schedule):
            part.step()
    for p, q, r in zip(together.parameters(), apart.parameters(), start.parameters(), strict=True):
        assert torch.equal(p, q) if q not in matrices else torch.dist(p, q) < 0.03 * torch.dist(q, r)


@pytest.mark.parametrize("shape", [(9, 5), (5, 9)])
def test_a_matrix_becomes_orthogonal_as_far_as_five_steps_take_its_singular_values(shape):
    """The polynomial of each singular value, one of them 0, beside scipy's decomposition in float64."""
    u, s, v = linalg.svd(np.random.default_rng(0).normal(size=shape), full_matrices=False)
    s[-1] = 0.0
    reached = s / np.linalg.norm(s)
    for _ in range(5):
        reached = 3.4445 * reached - 4.775 * reached**3 + 2.0315 * reached**5
    found = pretraining.orthogonalised(torch.from_numpy(u * s @ v)).numpy()
    np.testing.assert_allclose(found, u * reached @ v, atol=1e-12)


def test_what_a_process_that_was_killed_has_left_is_removed_and_so_is_what_fails(tmp_path):
    left = tmp_path / "model.unfinished"
    left.mkdir()
    (left / "half").touch()
    with pytest.raises(ZeroDivisionError):
        pretraining.made_once(tmp_path / "model", lambda folder: 1 / 0)
    assert not left.exists()
    left.mkdir()
    made = pretraining.made_once(tmp_path / "model", lambda folder: (folder / "whole").touch())
    assert {path.name for path in tmp_path.iterdir()} - {"model.lock"} == {"model"}
    left.mkdir()
    assert made.stat().st_mode == left.stat().st_mode, "who may read a folder may read this one"


@pytest.mark.slow
def test_it_learns(monkeypatch):
    """A network that knows the frequencies only has a loss near 5; 40 steps on as many batches already beat that."""
    trained: list[trainer.StepTrainer] = []
    train = trainer.StepTrainer.train
    monkeypatch.setattr(trainer.StepTrainer, "train", lambda self: (trained.append(self), train(self)))
    pretrain(Recipe(steps=40, pairs=40 * 64))
    losses = [record["loss"] for record in trained[0].state.log_history if "loss" in record]
    assert np.mean(losses[:5]) > 5.5
    assert np.mean(losses[-10:]) < 4.8
