"""Fine-tuning: a classifier trained on a task by the Trainer (section 4), one snapshot on disk an epoch.

A run lives in a folder: ``epoch-00.safetensors`` (the start) to the last epoch, each holding ``theta``, (P,)
float32, and the head; ``quarter.safetensors``, theta after a quarter of the steps; ``config.json``, the network;
``sha256.json``, the checksums of these; ``run.npz``, the history, written last. A training that was killed goes on from
its last whole epoch, to the same bits: ``unfinished/`` holds the Trainer's checkpoint until the training ends.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as hf
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from ..engine.precision import check_precision
from ..engine.space import ParameterSpace, encoder_parameters
from ..environment import check_device
from ..errors import UserError
from ..profiles.profile import TrainingSpec
from ..store.files import intact, keep_checksums, write_atomically
from ..store.recipes import recipe_key
from ..store.result_file import plain_values
from .tasks import Task

HISTORY = "run.npz"
QUARTER = "quarter.safetensors"
UNFINISHED = "unfinished"


@dataclass(frozen=True)
class Run:
    """One training: the start, the encoder and head after each epoch, the history.

    Attributes:
        task, how, seed: what was trained; ``how`` is "pretrained", "scratch" or "continued".
        folder: where its snapshots are.
        epochs: passes over the train split.
        step, loss, epoch_of_step: (S,) of each optimiser step its number from 1, training loss, and the epoch
            (a fraction) that it ends.
        dev_accuracy, dev_loss: (epochs + 1,) on the whole dev split, before training and after each epoch.
        seconds: wall time; of a training that went on after it was cut off, since then.
        majority: share of the largest class of dev.

    >>> run = study.run("mrpc")
    >>> len(run.dev_accuracy) == run.epochs + 1
    True
    """

    task: str
    how: str
    seed: int
    folder: Path
    epochs: int
    step: np.ndarray
    loss: np.ndarray
    epoch_of_step: np.ndarray
    dev_accuracy: np.ndarray
    dev_loss: np.ndarray
    seconds: float
    majority: float

    @property
    def learned(self) -> bool:
        """False for a run that ended at the majority class: its dev accuracy is at most two points above."""
        return bool(self.dev_accuracy[-1] > self.majority + 0.02)

    def history(self) -> dict[str, Any]:
        """All of it but the folder, as arrays."""
        return {f.name: np.asarray(getattr(self, f.name)) for f in fields(self) if f.name != "folder"}

    def theta(self, epoch: int = -1) -> Tensor:
        """The encoder's parameters after ``epoch`` (0: the start, -1: the last), (P,) float32 on the CPU."""
        return load_file(self._snapshot(epoch))["theta"]

    def theta_quarter(self) -> Tensor | None:
        """The encoder's parameters after a quarter of the steps, (P,) float32 on the CPU; None if none were kept."""
        path = self.folder / QUARTER
        return load_file(path)["theta"] if path.exists() else None

    def model(self, epoch: int = -1) -> hf.PreTrainedModel:
        """The classifier as it was after ``epoch``, head included, in evaluation mode on the CPU."""
        config = hf.AutoConfig.from_pretrained(self.folder)
        model = hf.AutoModelForSequenceClassification.from_config(config)
        saved = load_file(self._snapshot(epoch))
        ParameterSpace(model).write(saved["theta"])
        with torch.no_grad():
            for name, parameter in head_of(model).items():
                parameter.copy_(saved[f"head.{name}"])
        return model.eval()

    def which(self, epoch: int) -> int:
        """The number of an epoch, of which -1 is the last."""
        if not -1 <= epoch <= self.epochs:
            raise UserError(
                f"epoch {epoch}: this run has epochs 0 (the start) to {self.epochs}, -1 is the last"
            )
        return self.epochs if epoch == -1 else epoch

    def _snapshot(self, epoch: int) -> Path:
        return snapshot_path(self.folder, self.which(epoch))


def snapshot_path(folder: Path, epoch: int) -> Path:
    return folder / f"epoch-{epoch:02d}.safetensors"


def head_of(model: hf.PreTrainedModel) -> dict[str, torch.nn.Parameter]:
    """The parameters that theta does not hold, by their names in the model."""
    encoder = {id(parameter) for parameter in encoder_parameters(model).values()}
    return {name: p for name, p in model.named_parameters() if id(p) not in encoder}


def save_snapshot(model: hf.PreTrainedModel, path: Path) -> None:
    """Theta and head of ``model`` as they are now, written whole or not at all."""
    head = {f"head.{name}": p.detach().float().cpu().contiguous() for name, p in head_of(model).items()}
    write_atomically(path, save({"theta": ParameterSpace(model).read().cpu()} | head))


def unfinished(place: Path) -> Path | None:
    """The Trainer's last whole checkpoint of a training that was cut off."""
    whole = filter(_is_whole, place.glob("checkpoint-*"))
    return max(whole, key=lambda path: int(path.name.split("-")[1]), default=None)


def _is_whole(checkpoint: Path) -> bool:
    try:
        json.loads((checkpoint / "trainer_state.json").read_bytes())  # the Trainer writes it last
    except (OSError, ValueError):
        return False
    # a power cut leaves names of files whose content never reached the disk
    return intact(checkpoint) and all(file.stat().st_size for file in checkpoint.iterdir())


def fine_tune(
    model: hf.PreTrainedModel,
    task: Task,
    *,
    folder: Path,
    how: str,
    seed: int,
    epochs: int,
    learning_rate: float,
    batch_size: int,
    training: TrainingSpec,
    device: str = "auto",
) -> Run:
    """Train ``model`` on ``task`` and keep every epoch in ``folder``; the model is left as training ends.

    Adam with decoupled weight decay, linear warm-up over a share of the steps and linear decay to zero
    (Devlin et al. 2018, appendix A.3). Batches hold examples of like length and are padded to their longest.

    Raises:
        UserError: the model has no head for the labels of the task; the loss is not finite at some step.
    """
    from .trainer import Collator, StepTrainer, arguments

    if model.config.num_labels != len(task.labels):
        raise UserError(
            f"task {task.name!r} has {len(task.labels)} labels and the model's head {model.config.num_labels}; "
            f"load the model with num_labels={len(task.labels)}"
        )
    check_precision(training.precision, check_device(device).partition(":")[0])

    def after_step(state: Any) -> None:
        if state.global_step == max(1, round(state.max_steps / 4)):
            save_snapshot(model, folder / QUARTER)
        epoch, further = divmod(state.global_step * epochs, state.max_steps)
        if further == 0:
            save_snapshot(model, snapshot_path(folder, epoch))

    def after_save(checkpoint: Path) -> None:
        for kept in (folder, checkpoint):
            keep_checksums(kept)

    start = hashlib.sha256(ParameterSpace(model).read().cpu().numpy().tobytes()).hexdigest()
    settings = [epochs, learning_rate, batch_size, seed, training.model_dump()]
    # of this training alone: another one that was begun in the same folder is not gone on with
    place = folder / UNFINISHED / recipe_key({"task": task.checksum, "start": start, "settings": settings})
    begun = unfinished(place) if intact(folder) else None
    started = time.perf_counter()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / HISTORY).unlink(missing_ok=True)
    model.config.save_pretrained(folder)
    save_snapshot(model, snapshot_path(folder, 0))
    trainer = StepTrainer(
        what=f"{task.name} {how} seed {seed}",
        after_step=after_step,
        after_save=after_save,
        model=model,
        args=arguments(
            device=device,
            seed=seed,
            num_train_epochs=epochs,
            per_device_train_batch_size=batch_size,
            per_device_eval_batch_size=4 * batch_size,
            learning_rate=learning_rate,
            output_dir=str(place),
            **_recipe(training),
        ),
        train_dataset=task.train,
        eval_dataset=sorted(task.dev, key=lambda example: len(example["input_ids"])),  # little padding
        data_collator=Collator(model.config.pad_token_id or 0),
        compute_metrics=accuracy,
    )
    trainer.train(resume_from_checkpoint=str(begun or "") or None)
    trainer.accelerator.unwrap_model(model, keep_fp32_wrapper=False)  # off with the autocast around forward
    run = Run(
        task=task.name,
        how=how,
        seed=seed,
        folder=folder,
        epochs=epochs,
        **_history(trainer.state.log_history, epochs),
        seconds=time.perf_counter() - started,
        majority=float(np.bincount([example["labels"] for example in task.dev]).max() / len(task.dev)),
    )
    _save_history(run)
    shutil.rmtree(folder / UNFINISHED, ignore_errors=True)
    return run


def _recipe(training: TrainingSpec) -> dict[str, Any]:
    """What all trainings share, as the Trainer calls it."""
    return {
        "lr_scheduler_type": "linear",
        "warmup_steps": training.warmup,
        "weight_decay": training.weight_decay,
        "adam_beta1": training.betas[0],
        "adam_beta2": training.betas[1],
        "adam_epsilon": training.epsilon,
        "max_grad_norm": training.max_grad_norm,
        "bf16": training.precision == "bfloat16",
        "train_sampling_strategy": "group_by_length",
        "eval_strategy": "epoch",
        "eval_on_start": True,
        "save_strategy": "epoch",
        "save_total_limit": 1,
    }


def accuracy(predicted: Any) -> dict[str, float]:
    """The share of examples whose largest logit is that of their label, as the Trainer asks for it."""
    return {"accuracy": float((predicted.predictions.argmax(-1) == predicted.label_ids).mean())}


def _history(log: Sequence[dict[str, float]], epochs: int) -> dict[str, np.ndarray]:
    """The part of a run's history that the Trainer logged, by the names of `Run`."""
    loss = np.array([record["loss"] for record in log if "loss" in record])
    step = np.arange(1, len(loss) + 1)
    # A training that goes on measures the epoch that it goes on from again: each step counts once.
    dev = {record["step"]: record for record in log if "eval_loss" in record}.values()
    return {
        "step": step,
        "loss": loss,
        "epoch_of_step": step * epochs / len(step),
        "dev_accuracy": np.array([record["eval_accuracy"] for record in dev]),
        "dev_loss": np.array([record["eval_loss"] for record in dev]),
    }


def _save_history(run: Run) -> None:
    file = io.BytesIO()
    np.savez(file, **run.history())
    write_atomically(run.folder / HISTORY, file.getvalue())


def load_run(folder: Path) -> Run | None:
    """The finished run in ``folder``; None where there is none, or one that was cut off or is damaged."""
    try:
        with np.load(folder / HISTORY, allow_pickle=False) as file:
            run = Run(folder=folder, **plain_values(file))
        for epoch in range(run.epochs + 1):
            safe_open(snapshot_path(folder, epoch), "pt")  # which raises for one that is cut off
    except (OSError, ValueError, TypeError, EOFError, RuntimeError, zipfile.BadZipFile, SafetensorError):
        return None
    return run if intact(folder) else None


def epochs_of(runs: Sequence[Run]) -> Iterator[Tensor]:
    """Theta of every epoch, (P,) each, the start first; a run that goes on from another adds its own. One is in memory
    at a time."""
    yield runs[0].theta(0)
    for run in runs:
        for epoch in range(1, run.epochs + 1):
            yield run.theta(epoch)
