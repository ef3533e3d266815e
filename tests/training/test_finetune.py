"""Fine-tuning: equal to the recipe written out by hand, every epoch on disk, nothing half done taken for done."""

import numpy as np
import pytest
import torch
from networks import make_examples, make_model
from own_case import refused
from synthetic import run_of

from landscape_utils import ParameterSpace, Run, Task, fine_tune
from landscape_utils.profiles.profile import TrainingSpec
from landscape_utils.training import trainer
from landscape_utils.training.finetune import load_run, snapshot_path

SPEC = {"warmup": 0.25, "weight_decay": 0.1, "betas": [0.8, 0.95], "epsilon": 1e-6, "max_grad_norm": 0.05}
TRAIN, DEV = make_examples(24, seed=1), make_examples(30, seed=2)
TASK = Task("toy", ("a", "b", "c"), TRAIN, DEV, [], [], dev_seen=None, test=[], checksum="")
STILL = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def train(folder, model=None, *, precision="float32", **changes) -> Run:
    settings = {"how": "scratch", "seed": 0, "epochs": 3, "learning_rate": 1e-3, "batch_size": 8} | changes
    training = TrainingSpec(**SPEC, precision=precision)
    model = model or make_model(**STILL)
    return fine_tune(model, TASK, folder=folder, training=training, device="cpu", **settings)


def test_a_run_is_adam_with_warm_up_decay_and_clipping(tmp_path):
    """Against the recipe written out, all of train in each batch. float32: Adam divides by the root of small
    second moments, so that rounding of 1e-7 comes out as up to 1e-4 of a step; steps are of size 1e-3."""
    run = train(tmp_path, epochs=8, batch_size=len(TRAIN))
    model = make_model(**STILL)
    # Neither biases nor layer norms decay.
    groups = [{"params": [p], "weight_decay": 0.1 if p.ndim == 2 else 0.0} for p in model.parameters()]
    optimizer = torch.optim.AdamW(groups, betas=(0.8, 0.95), eps=1e-6)
    model.train()
    losses = []
    for rate in [0, 1 / 2, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6]:  # 2 steps of warm-up, then down
        for group in optimizer.param_groups:
            group["lr"] = 1e-3 * rate
        loss = model(**trainer.Collator()(TRAIN)).loss
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.05)
        optimizer.step()
        losses.append(loss.item())
    np.testing.assert_allclose(run.loss, losses, rtol=1e-5)
    torch.testing.assert_close(run.theta(), ParameterSpace(model).read(), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "head"), [("bert", []), ("bert", ["pooler"]), ("roberta", []), ("distilbert", [])]
)
def test_each_epoch_is_on_disk_as_it_was(tmp_path, kind, head):
    """The history's dev accuracy and loss are those of the snapshots, one example at a time; float32 rounding."""
    start = make_model(kind)
    start.config.landscape_head = head  # a module that counts as head is kept with it
    theta_0 = ParameterSpace(start).read()
    run = train(tmp_path, start)
    assert torch.equal(run.theta(0), theta_0)
    assert torch.equal(run.theta(), ParameterSpace(start).read())
    assert torch.equal(run.theta(3), run.theta(-1))
    for epoch in range(4):
        model = run.model(epoch)
        with torch.no_grad():
            outputs = [model(**trainer.Collator()([example])) for example in DEV]
        right = [int(o.logits.argmax()) == e["labels"] for o, e in zip(outputs, DEV, strict=True)]
        assert run.dev_accuracy[epoch] == pytest.approx(np.mean(right), abs=1e-12)
        assert run.dev_loss[epoch] == pytest.approx(np.mean([o.loss.item() for o in outputs]), rel=1e-5)


def test_no_variable_of_the_environment_changes_the_precision(monkeypatch):
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "bf16")
    chosen = [trainer.arguments(device="cpu", bf16=bf16).mixed_precision for bf16 in (False, True)]
    assert chosen == ["no", "bf16"]


def test_the_history_is_read_again_as_it_was(tmp_path, capfd):
    run = train(tmp_path, epochs=4)
    assert capfd.readouterr() == ("", ""), "nothing is shown but our bar"
    assert (run.step.tolist(), run.epoch_of_step[[2, 5, 8]].tolist()) == (list(range(1, 13)), [1, 2, 3])
    assert run.majority == pytest.approx(np.bincount([e["labels"] for e in DEV]).max() / len(DEV))
    again = load_run(tmp_path)
    for name, value in vars(run).items():
        np.testing.assert_array_equal(getattr(again, name), value)
    snapshots = {snapshot_path(tmp_path, epoch).name for epoch in range(5)}
    quarter = tmp_path / "quarter.safetensors"
    others = {"config.json", "run.npz", "sha256.json", quarter.name}
    assert {path.name for path in tmp_path.iterdir()} == others | snapshots
    assert torch.equal(run.theta_quarter(), run.theta(1))
    quarter.unlink()
    assert run.theta_quarter() is None


def flip(path) -> None:
    """One bit, far behind the header."""
    data = bytearray(path.read_bytes())
    data[-50] ^= 64
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("killed", "rate", "damaged"),
    [
        (2, 1e-3, ""),  # of 9: before the first checkpoint
        (4, 1e-3, ""),  # after it
        (9, 1e-3, ""),  # in the last step
        (5, 1e-2, ""),  # another training, with which none goes on
        *((4, 1e-3, name) for name in ("epoch-01*", "*/*/*/rng_state*", "*/*/*/trainer_*")),
    ],
)
def test_a_training_that_was_killed_goes_on_to_the_same_bits(tmp_path, monkeypatch, killed, rate, damaged):
    """With dropout on: the state of the random numbers and the order of the examples are part of what goes on. From
    what was damaged since, or had another learning rate, nothing goes on: it is as if the folder were new."""
    whole = train(tmp_path / "whole", make_model())
    training_step = trainer.Trainer.training_step

    def dies(self, *args, **kwargs):
        if self.state.global_step + 1 == killed:
            raise KeyboardInterrupt
        return training_step(self, *args, **kwargs)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(trainer.Trainer, "training_step", dies)
        train(tmp_path / "cut", make_model(), learning_rate=rate)
    assert load_run(tmp_path / "cut") is None
    for path in (tmp_path / "cut").glob(damaged) if damaged else ():
        flip(path)
    again = train(tmp_path / "cut", make_model())
    for path in whole.folder.glob("*.safetensors"):
        assert (again.folder / path.name).read_bytes() == path.read_bytes()
    for name in ("step", "loss", "epoch_of_step", "dev_accuracy", "dev_loss"):
        np.testing.assert_array_equal(getattr(again, name), getattr(whole, name))
    assert not (tmp_path / "cut" / "unfinished").exists()
    assert not torch.equal(train(tmp_path / "other", make_model(), seed=1).theta(), whole.theta())


def test_a_run_in_bfloat16_stays_near_and_leaves_a_float32_model(tmp_path):
    """bfloat16 keeps 8 bits: the first loss agrees to 1 %; weights and snapshots stay in float32."""
    model = make_model(**STILL)
    narrow, wide = train(tmp_path / "a", model, precision="bfloat16"), train(tmp_path / "b")
    assert narrow.loss[0] != wide.loss[0] == pytest.approx(narrow.loss[0], rel=1e-2)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    with torch.no_grad():
        logits = [one(**trainer.Collator()(DEV)).logits for one in (model.eval(), narrow.model())]
    assert torch.equal(*logits)


def test_a_run_that_ends_at_the_majority_class_has_not_learned():
    """Whatever its training loss: two points above the majority's share of 0.66, or not."""
    ends = [run_of(np.exp, majority=0.66, dev_accuracy=np.array([0.9, end])) for end in (0.69, 0.67)]
    assert [run.learned for run in ends] == [True, False]


def older(path) -> None:
    """As a version left it that kept no checksums, and cut off."""
    path.write_bytes(path.read_bytes()[:-1])
    path.with_name("sha256.json").unlink()


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("run.npz", lambda path: path.unlink()),
        ("run.npz", lambda path: path.write_bytes(path.read_bytes()[:-30])),
        ("run.npz", lambda path: np.savez(path, task=np.array("toy"))),
        ("epoch-00.safetensors", lambda path: path.unlink()),
        *((f"{name}.safetensors", flip) for name in ("epoch-00", "epoch-01", "quarter")),
        ("config.json", flip),
        ("sha256.json", lambda path: path.write_text("{")),
        ("epoch-01.safetensors", older),
    ],
)
def test_what_is_not_whole_is_no_run_and_is_made_anew(tmp_path, name, damage):
    train(tmp_path, epochs=1)
    damage(tmp_path / name)
    assert load_run(tmp_path) is None
    again = train(tmp_path, epochs=1)
    assert load_run(tmp_path).dev_loss.tolist() == again.dev_loss.tolist()


def test_what_goes_wrong_is_said_and_leaves_no_run(tmp_path):
    run = train(tmp_path, epochs=1)
    with refused(r"epoch 2: this run has epochs 0 \(the start\) to 1"):
        run.theta(2)
    with refused("task 'toy' has 3 labels and the model's head 2"):
        train(tmp_path / "run", make_model(num_labels=2))
    assert not (tmp_path / "run").exists()
    with refused(r"toy scratch seed 0 stopped: .* at step \d of 9, learning rate"):
        train(tmp_path, learning_rate=1e30)
    assert load_run(tmp_path) is None
