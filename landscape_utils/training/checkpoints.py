"""Checkpoints: folders of `save_pretrained`, in the order of a training that was done elsewhere.

Of every checkpoint the encoder is read; the head is the last one's, as in all landscapes. What a folder does not hold
the library would draw at random: an encoder that is not whole is refused.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, PreTrainedModel

from ..engine.examples import positions
from ..engine.space import ParameterSpace
from ..environment import ROOT
from ..errors import UserError
from ..profiles import Files, Profile
from . import sources
from .finetune import Run
from .models import folder_of, reading
from .tasks import Task, load_task, tokenised

TOKENIZERS = ("tokenizer*", "vocab*", "*.model")  # files, any of which tells that a folder has a tokenizer
USUAL_LENGTH = 512  # tokens, where neither the tokenizer nor the model has a limit


def in_order(folders: str) -> list[Path]:
    """The folders of checkpoints that a text names, separated by commas, the start first and the end last.

    A name with a `*` stands for all folders that fit it, in the order of the numbers in their names: `checkpoint-90`
    is before `checkpoint-180`. Paths count from the working folder or else from the project; a name of a model on
    the hub works too.

    Raises:
        UserError: no name; a name that no folder fits, or whose folder holds no model.
    """
    if not isinstance(folders, str):
        raise UserError(f"folders must be named in a text, separated by commas; got {type(folders).__name__}")
    found: list[Path] = []
    for name in filter(None, map(str.strip, folders.split(","))):
        fit = next(filter(None, (fitting(root, name) for root in (Path.cwd(), ROOT))), None)
        if "*" in name and not fit:
            raise UserError(f"no folder fits {name!r}: give those of the checkpoints, the start first")
        found += [folder_of(str(path)) for path in fit or (name,)]
    if not found:
        raise UserError("no checkpoints: give their folders, separated by commas, the start first")
    return found


def fitting(root: Path, name: str) -> list[Path]:
    """The folders in `root` that fit a name, those with a lower number first."""
    paths = [Path(path) for path in glob.glob(str(root / Path(name).expanduser()))]
    numbers = {path: [int(number) for number in re.findall(r"\d+", str(path))] for path in paths}
    return sorted((path for path in paths if path.is_dir()), key=lambda path: (numbers[path], str(path)))


def classifier(folder: Path, classes: int) -> tuple[PreTrainedModel, bool]:
    """The classifier in a folder, float32, in evaluation mode on the CPU, and whether the folder holds its head.

    Raises:
        UserError: no such classifier; an encoder with weights that the folder does not hold.
    """
    with torch.random.fork_rng(), reading(folder):
        torch.manual_seed(0)  # of a head that is not there
        model, found = AutoModelForSequenceClassification.from_pretrained(
            folder,
            num_labels=classes,
            dtype=torch.float32,
            use_safetensors=True,
            trust_remote_code=False,
            ignore_mismatched_sizes=True,  # another task's head
            output_loading_info=True,
        )
    random = sorted([*found["missing_keys"], *(key for key, *_ in found["mismatched_keys"])])
    of_encoder = [name for name in random if name.startswith(f"{model.base_model_prefix}.")]
    if of_encoder:
        raise UserError(
            f"{folder} lacks weights of the encoder of {type(model).__name__}, {of_encoder[0]} for one: save the "
            "classifier itself, as training began with it, by save_pretrained()"
        )
    return model.eval(), not random


def theta_of(folder: Path, classes: int, size: int) -> Tensor:
    """The encoder in a folder, (P,) float32; refused if P is not `size`."""
    model = classifier(folder, classes)[0]
    theta = ParameterSpace(model).read()
    if len(theta) != size:
        raise UserError(
            f"the encoder in {folder} has {len(theta):,} parameters, that of the last checkpoint {size:,}: a landscape "
            "is of one network"
        )
    return theta


@dataclass(frozen=True)
class Adopted(Run):
    """A training that was done elsewhere: its checkpoints stand for epochs, and its history is measured on them.

    `loss` has one number for each checkpoint after the start, on a sample of the train split, and not one a step. At a
    checkpoint without a head of its own, a start as a rule, loss and accuracy are NaN.
    """

    checkpoints: tuple[Path, ...]
    classes: int
    size: int

    def theta(self, epoch: int = -1) -> Tensor:
        return theta_of(self._snapshot(epoch), self.classes, self.size)

    def model(self, epoch: int = -1) -> PreTrainedModel:
        return classifier(self._snapshot(epoch), self.classes)[0]

    def _snapshot(self, epoch: int) -> Path:
        return self.checkpoints[epoch]


def read_task(
    folders: Sequence[Path],
    profile: Profile,
    *,
    train: str = "",
    dev: str = "",
    text: Sequence[str] = (),
    label: str = "",
) -> Task:
    """What the checkpoints in `folders` were trained on, tokenised as they have it: two files, or a profile's task.

    Args:
        train, dev: CSV, TSV, JSON or JSON Lines, relative to the working folder or else to the project; if there are
            none, the task is the one that `profile` has chosen.
        text: the one or two columns of text.
        label: the column of labels: names from the last checkpoint's configuration, or numbers from 0.

    Raises:
        UserError: no task, or several; files that cannot be read; a label that is no class of the classifier; no
            tokenizer.
    """
    end = folders[-1]
    with reading(end):
        config = AutoConfig.from_pretrained(end, trust_remote_code=False)
    home = next((f for f in reversed(folders) if any(any(f.glob(name)) for name in TOKENIZERS)), None)
    if home is None:
        raise UserError(
            f"no tokenizer in {end}, nor in the other checkpoints: save it there by save_pretrained()"
        )
    with reading(home):
        tokenizer = AutoTokenizer.from_pretrained(home, trust_remote_code=False)
    places = positions(classifier(end, config.num_labels)[0]) or USUAL_LENGTH
    length = min(tokenizer.model_max_length, places)
    if not train:
        if len(profile.chosen) != 1:
            raise UserError(
                "what were the checkpoints trained on? give the files train and dev, or one of the profile's tasks: "
                f"{', '.join(profile.tasks)}"
            )
        (name,) = profile.chosen
        return load_task(
            name, profile.tasks[name], tokenizer, max_length=length, data_dir=profile.data_dir or None
        )
    if len(text) not in (1, 2):
        raise UserError(f"text must name one or two columns of {train}; got {list(text)}")
    files = Files(train=beside(train), dev=beside(dev), text=list(text), label=label)
    names = [config.id2label[i] for i in range(config.num_labels)]
    name = re.sub(r"[-_.]?train$", "", Path(train).stem) or Path(files.train).resolve().parent.name
    return tokenised(name, sources.from_files(files, names), tokenizer, length)


def beside(path: str) -> str:
    """A file's path from the working folder, or from the project where it is there and not here."""
    found = Path(path).expanduser()
    return str(ROOT / found if not found.exists() and (ROOT / found).exists() else found)
