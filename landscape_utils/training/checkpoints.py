"""Checkpoints: folders of `save_pretrained`, in the order of a training that was done elsewhere.

Of every checkpoint the encoder is read, and what its Trainer measured; the head is the last one's.
"""

from __future__ import annotations

import glob
import json
import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers as hf
from torch import Tensor

from ..engine.examples import positions
from ..engine.space import ParameterSpace
from ..environment import ROOT, path_of
from ..errors import UserError
from ..names import HOWS
from ..profiles.profile import Files, Profile
from . import lora, sources
from .finetune import Run
from .models import TOKENIZERS, base_of, folder_of, loaded, reading, tokenizer_in
from .tasks import Task, sentences_of, tokenised

USUAL_LENGTH = 512  # tokens, where neither the tokenizer nor the model has a limit
NO_LIMIT = 10**9  # a tokenizer without one says a larger number
NUMBER = re.compile(r"\d+(?:\.\d+)?")
FIRST, LAST = ("start", "init", "initial", "base"), ("final", "last", "end")  # ends of names without a number
# Of what a Trainer measures, after "eval_".
MEASURED = {"loss": "loss", "accuracy": "accuracy", "acc": "accuracy"}
# A Trainer in float32 comes to the same six digits; in bfloat16, which keeps 8 bits, to about three.
AGREE = 2e-3


def in_order(folders: str) -> list[Path]:
    """The folders of checkpoints that a text names, separated by commas, the start first and the end last.

    A name with a `*` stands for all folders that fit it, in the order of the numbers in their names: `checkpoint-90`
    is before `checkpoint-180`, and `checkpoint-final` after both. Paths count from the working folder or else from the
    project; a name of a model on the hub works too.

    Raises:
        UserError: no name; a name that no folder fits, or whose folder holds no model, or has no place in the order.
    """
    if not isinstance(folders, str):
        raise UserError(f"folders must be named in a text, separated by commas; got {type(folders).__name__}")
    found: list[Path] = []
    for name in filter(None, map(str.strip, folders.split(","))):
        fit = fitting(Path.cwd(), name) or fitting(ROOT, name)
        if "*" in name and not fit:
            raise UserError(f"no folder fits {name!r}: give those of the checkpoints, the start first")
        found += [folder_of(str(path)) for path in fit or (name,)]
    if not found:
        raise UserError("no checkpoints: give their folders, separated by commas, the start first")
    return found


def by_name(folders: str) -> dict[str, list[Path]]:
    """Several trainings under names of the user's, "Adam=run-a/*; SGD=run-b/*", or one without: "pretrained"."""
    parts = [part.strip() for part in str(folders).split(";") if part.strip()]
    named = [re.match(r"([^=/\\*,]+)=(.*)", part, re.DOTALL) for part in parts]
    # a folder may be called as a training is: "lr=3e-5/checkpoint-*"
    first = parts[0].split(",")[0] if parts else ""
    if len(parts) < 2 and (not any(named) or any(fitting(root, first) for root in (Path.cwd(), ROOT))):
        return {HOWS[0]: in_order(folders)}
    names = [match[1].strip() for match in named if match]
    if len(set(names)) < len(parts) or not all(names):
        raise UserError(f"several trainings need a name each, 'Adam=run-a/*; SGD=run-b/*'; got {folders!r}")
    return {match[1].strip(): in_order(match[2]) for match in named if match}


def fitting(root: Path, name: str) -> list[Path]:
    """The folders in `root` that fit a name, in the order of training that their names tell."""
    pattern = Path(name).expanduser()
    starred = [i for i, part in enumerate(reversed(pattern.parts)) if "*" in part]
    paths = [
        path for path in map(Path, glob.glob(str(Path(glob.escape(str(root))) / pattern))) if path.is_dir()
    ]
    places = {path: [_place(path.parts[-1 - i]) for i in reversed(starred)] for path in paths}
    # numbers tell an order among names that are otherwise alike
    kinds = [{place[i][2] for place in places.values() if place[i][0] == 0} for i in range(len(starred))]
    for i, alike in enumerate(kinds):
        odd = [path for path in paths if places[path][i][:2] == (0, [])] or paths[-1:] * (len(alike) > 1)
        if odd and len(paths) > 1:
            raise UserError(
                f"{name!r}: where does {odd[0].name!r} belong? numbers order names that are otherwise alike: name the "
                "folders one by one, separated by commas, the start first"
            )
    return sorted(paths, key=lambda path: (places[path], str(path)))


def _place(name: str) -> tuple[int, list[float], str]:
    """Where a folder stands among its like: before the others, by the numbers in its name, or behind the others; and
    the name without its numbers."""
    numbers = [float(number) for number in NUMBER.findall(name)]
    word = re.split(r"[^a-z]+", name.lower())[-1]
    return -1 if word in FIRST else 1 if word in LAST else 0, numbers, NUMBER.sub("#", name)


def configuration(folder: Path) -> hf.PretrainedConfig:
    """The configuration of the classifier in a folder; of an adapter, its base's with the classes of its own head."""
    base = base_of(folder)
    with reading(folder):
        config = hf.AutoConfig.from_pretrained(base or folder, trust_remote_code=False)
    if base:
        shapes = lora.saved_head(folder).values()
        config.num_labels = min((shape[0] for shape in shapes), default=config.num_labels)
    return config


def classifier(folder: Path, classes: int) -> tuple[hf.PreTrainedModel, bool]:
    """The classifier in a folder, float32, in evaluation mode on the CPU, and whether the folder holds its head.

    A LoRA adapter of `peft` is merged into the model that it was trained on. An encoder that is not whole, whose rest
    the library would draw at random, is a UserError.
    """
    base = base_of(folder)
    with torch.random.fork_rng(), reading(folder):
        torch.manual_seed(0)  # of a head that is not there
        # The head may be another task's, of another size.
        model, found = loaded(hf.AutoModelForSequenceClassification, base or folder, num_labels=classes)
        if base:
            model = lora.merged(model, folder)
    random = sorted([*found["missing_keys"], *(key for key, *_ in found["mismatched_keys"])])
    if base:
        held = [name.removeprefix("base_model.model.") for name in lora.saved_head(folder)]
        random = [name for name in random if name not in held]
    of_encoder = [name for name in random if name.startswith(f"{model.base_model_prefix}.")]
    if of_encoder:
        raise UserError(
            f"{base or folder} lacks weights of the encoder of {type(model).__name__}, or they are of another size, "
            f"{of_encoder[0]} for one: the classifier itself, as training began with it, is to be saved there"
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
        return theta_of(self.checkpoints[self.which(epoch)], self.classes, self.size)

    def theta_quarter(self) -> None:
        """Checkpoints do not tell it."""

    def model(self, epoch: int = -1) -> hf.PreTrainedModel:
        return classifier(self.checkpoints[self.which(epoch)], self.classes)[0]


def read_task(
    folders: Sequence[Path],
    profile: Profile,
    *,
    train: str = "",
    dev: str = "",
    text: str | Sequence[str] = (),
    label: str = "",
    max_length: int = 0,
) -> Task:
    """What the checkpoints in `folders` were trained on, tokenised as they have it: two files, or a profile's task.

    Args:
        train, dev: CSV, TSV, JSON or JSON Lines, relative to the working folder or else to the project; if there are
            none, the task is the one that `profile` has chosen.
        text: the one or two columns of text: their names, or a text that has them separated by a comma.
        label: the column of labels: names from the last checkpoint's configuration, or numbers from 0.
        max_length: tokens that an example is cut to; 0: as the checkpoint's tokenizer and model say.

    Raises:
        UserError: no task, or several; files that cannot be read; a label that is no class of the classifier; no
            tokenizer; a length that the model does not take.
    """
    config, tokenizer = configuration(folders[-1]), tokenizer_of(folders)
    columns = [name.strip() for name in str(text).split(",")] if isinstance(text, str | int) else text
    if not train:
        if len(profile.chosen) != 1:
            raise UserError(
                "what were the checkpoints trained on? give the files train and dev, or one of the profile's tasks: "
                f"{', '.join(profile.tasks)}"
            )
        (name,) = profile.chosen
        spec = profile.tasks[name]
        sentences, limit = sentences_of(name, spec, profile.data_dir or None), spec.train_limit
    else:
        named = [name for name in columns or () if isinstance(name, str) and name]
        if len(named) not in (1, 2) or named != [*columns]:
            raise UserError(f"text must name one or two columns of {train}; got {columns}")
        if len({*named, str(label)}) <= len(named):
            raise UserError(
                f"text and label must name different columns; got {', '.join([*named, str(label)])}"
            )
        files = Files(train=beside("train", train), dev=beside("dev", dev), text=named, label=str(label))
        classes = [str(name) for _, name in sorted((config.id2label or {}).items())]  # some count them from 1
        sentences, limit = sources.from_files(files, classes), 0
        name = re.sub(r"(^|[-_.])train$", "", Path(train).stem) or Path(files.train).resolve().parent.name
    pair, cut = len(sentences.train[0][0]) == 2, saved_truncation(tokenizer)
    truncation = cut["strategy"] if pair and cut else "longest_first"
    tokens = length(classifier(folders[-1], config.num_labels or 0)[0], tokenizer, max_length)
    return tokenised(
        name, sentences, tokenizer, tokens, limit, split_special_tokens=False, truncation=truncation
    )


def tokenizer_of(folders: Sequence[Path]) -> hf.PreTrainedTokenizerBase:
    """The tokenizer of the last folder that has one."""
    for folder in reversed(folders):
        if any(any(folder.glob(name)) for name in TOKENIZERS):
            return tokenizer_in(folder)
    raise UserError(
        f"no tokenizer in {folders[-1]}, nor in the other checkpoints: save it there, by its own save_pretrained()"
    )


def saved_truncation(tokenizer: hf.PreTrainedTokenizerBase) -> dict[str, Any]:
    """How examples were cut when the tokenizer was saved: `max_length`, `strategy`; empty: they were not."""
    return getattr(getattr(tokenizer, "backend_tokenizer", None), "truncation", None) or {}


def length(model: hf.PreTrainedModel, tokenizer: hf.PreTrainedTokenizerBase, wanted: int = 0) -> int:
    """The tokens that an example is cut to: as wanted, or, of 0, the shortest that tokenizer and model say."""
    places = positions(model)
    if not wanted:
        said = (tokenizer.model_max_length, places, saved_truncation(tokenizer).get("max_length"))
        return min((n for n in said if n and n < NO_LIMIT), default=USUAL_LENGTH)
    least = tokenizer.num_special_tokens_to_add(pair=True) + 2
    if type(wanted) is not int or not least <= wanted <= (places or NO_LIMIT):
        upper = f" to {places}, the positions that the model has" if places else ""
        raise UserError(
            f"max_length must be a whole number from {least}{upper}, or 0 for what the checkpoint says; got {wanted!r}"
        )
    return wanted


def beside(parameter: str, path: str) -> str:
    """A file's path from the working folder, or from the project where it is there and not here."""
    found = path_of(parameter, path)
    return str(ROOT / found if not os.path.exists(found) and os.path.exists(ROOT / found) else found)


def evaluations(folder: Path) -> Mapping[str, float]:
    """ "loss" and "accuracy" at the checkpoint's own step, as far as `trainer_state.json` in its folder has them."""
    try:
        state = json.loads((folder / "trainer_state.json").read_text("utf-8"))
        records = [record for record in state["log_history"] if record["step"] == state["global_step"]]
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    if state.get("best_model_checkpoint") and not re.search(r"\d+$", folder.name):
        return {}  # a training's own folder may hold its best checkpoint, not that of its last step
    measured = {}
    for name, value in (pair for record in records for pair in record.items()):
        what = MEASURED.get(re.sub("^eval[_/]", "", name.lower()))
        if what and name.lower().startswith("eval") and isinstance(value, int | float):
            measured[what] = value / 100 if what == "accuracy" and value > 1 else float(value)
    return measured


def differing(checkpoint: str, theirs: Mapping[str, float], found: Mapping[str, float]) -> str:
    """One line with both numbers where the user's Trainer measured `theirs` on dev and `found` is another; else ""."""
    apart = [
        f"{name} {value:.6g}, here {found[name]:.6g}"
        for name, value in theirs.items()
        if not (math.isnan(found[name]) or abs(value - found[name]) <= AGREE * max(1.0, abs(value)))
    ]
    asked = "are these its dev examples, its columns and its max_length?"
    return f"{checkpoint}: its Trainer measured on dev {'; '.join(apart)}: {asked}" if apart else ""
