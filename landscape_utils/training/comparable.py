"""Whether checkpoints can be compared: they are of one network, which numbers its classes and its tokens alike."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import UserError
from .checkpoints import configuration, tokenizer_of

ALIKE = ("model_type", "num_attention_heads", "hidden_act", "activation")  # of which weights tell nothing


def check_networks(folders: Sequence[Path]) -> None:
    """Refuse networks that have as many weights and compute something else from them."""
    wanted = configuration(folders[-1])
    for folder in folders:
        config = configuration(folder)
        for name in ALIKE:
            found, other = getattr(config, name, None), getattr(wanted, name, None)
            if found != other:
                raise UserError(
                    f"{folder} has {name} {found!r} and {folders[-1]} {other!r}: a landscape is of one network"
                )


def check_reading(trained: Mapping[str, Sequence[Path]]) -> None:
    """Refuse trainings that number classes or tokens in different ways: examples are read as one of them does."""
    if len(trained) < 2:  # to read a tokenizer takes a while
        return
    for what, of in (("classes", class_names), ("tokens", token_numbers)):
        known = {how: found for how, folders in trained.items() if (found := of(folders))}
        first, *others = known or [""]
        for how in others:
            if known[how] != known[first]:
                raise UserError(
                    f"{trained[how][-1]} numbers its {what} in another way than {trained[first][-1]}: give it a study "
                    "of its own"
                )


def class_names(folders: Sequence[Path]) -> Mapping[Any, str]:
    """Number -> name of the classes of the last checkpoint; none where nobody has named them."""
    names = configuration(folders[-1]).id2label or {}
    return {} if all(name == f"LABEL_{number}" for number, name in names.items()) else names


def token_numbers(folders: Sequence[Path]) -> dict[str, int]:
    """Token -> number, of the checkpoints' tokenizer; none where they have none."""
    try:
        tokenizer: Any = tokenizer_of(folders)
    except UserError:
        return {}
    return tokenizer.get_vocab()
