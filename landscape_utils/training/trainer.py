"""The `transformers` Trainer as pre-training and fine-tuning use it, which writes nothing unless asked to.

The Trainer takes seconds to import: this module is imported where something trains.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from ..environment import check_device
from ..errors import UserError
from ..progress import bar, quiet


class Collator:
    """Examples, lists of token ids of any length, as one batch of tensors padded to the longest, (B, T)."""

    def __init__(self, padding: int = 0):
        self.padding = padding

    def __call__(self, examples: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        batch = {}
        for name in examples[0]:
            rows = [torch.as_tensor(example[name]) for example in examples]
            fill = self.padding if name == "input_ids" else 0
            batch[name] = pad_sequence(rows, True, fill) if rows[0].ndim else torch.stack(rows)
        return batch


class StepTrainer(Trainer):
    """A Trainer that keeps the loss of each step in its state, and so in its checkpoints; UserError for one not finite.

    `what` is trained, for the bar and the error; `after_step` is called with the Trainer's state, `after_save` with the
    folder of a checkpoint.
    """

    def __init__(
        self,
        *,
        what: str,
        after_step: Callable[[Any], None] = lambda state: None,
        after_save: Callable[[Path], None] = lambda checkpoint: None,
        **options: Any,
    ):
        super().__init__(**options)
        self.what, self.after_step, self.after_save = what, after_step, after_save
        self.remove_callback(PrinterCallback)
        self.add_callback(_Watching(self))

    def train(self, *args: Any, **kwargs: Any) -> Any:
        with quiet():
            return super().train(*args, **kwargs)

    def training_step(self, *args: Any, **kwargs: Any) -> Tensor:
        loss = super().training_step(*args, **kwargs)
        step = self.state.global_step + 1
        self.state.log_history.append({"step": step, "loss": loss.item()})
        if not math.isfinite(loss.item()):
            rate = self.lr_scheduler.get_last_lr()[0]  # type: ignore[union-attr]
            raise UserError(
                f"{self.what} stopped: the loss is {loss.item()} at step {step} of {self.state.max_steps}, "
                f"learning rate {rate:.3g}; use a smaller learning rate or float32"
            )
        return loss

    def floating_point_ops(self, inputs: Any) -> int:
        """Not counted: walking over all parameters for it is a twentieth of a step of a tiny network."""
        return 0


class _Watching(TrainerCallback):
    """The project's progress bar over the steps of a training, and what its caller does after a step."""

    def __init__(self, trainer: StepTrainer):
        self.trainer = trainer

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.bar = bar(total=state.max_steps, what=self.trainer.what, unit="step")

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.bar.set_postfix(loss=f"{state.log_history[-1]['loss']:.3f}", refresh=False)
        self.bar.update()
        self.trainer.after_step(state)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.trainer.after_save(Path(args.output_dir, f"checkpoint-{state.global_step}"))

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self.bar.close()


class OneDevice(TrainingArguments):
    """Training arguments on the current device only: several would multiply the batch size of the recipe."""

    @property
    def device(self) -> torch.device:
        device = super().device
        return torch.device("cuda", torch.cuda.current_device()) if device.type == "cuda" else device

    @property
    def n_gpu(self) -> int:
        return min(super().n_gpu, 1)


def arguments(*, device: str, **options: Any) -> TrainingArguments:
    """Training arguments with all off that talks or writes. ``device``: "auto", "cpu", "cuda", "cuda:1"."""
    chosen = torch.device(check_device(device))
    quietly: dict[str, Any] = {
        "output_dir": tempfile.gettempdir(),  # asked for, and not written to unless checkpoints are
        "save_strategy": "no",
        "logging_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "logging_nan_inf_filter": False,
        "remove_unused_columns": False,
    }
    made = OneDevice(
        use_cpu=chosen.type == "cpu", dataloader_pin_memory=chosen.type == "cuda", **quietly | options
    )
    made.mixed_precision = "bf16" if made.bf16 else "no"  # which ACCELERATE_MIXED_PRECISION may have changed
    if chosen.index is not None:
        torch.cuda.set_device(chosen)  # after the arguments, which choose the first
    return made
