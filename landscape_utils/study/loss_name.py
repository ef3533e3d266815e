"""The name of a loss in the key of a result: a loss of a user's own is told from any other by what it does."""

import hashlib
import io
import pickle
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import torch
from torch import Tensor

from ..engine.losses import LOSSES
from ..errors import UserError

# told by the names of what they hold
LIBRARIES = {*sys.stdlib_module_names, "torch", "numpy", "transformers"}


def name_of(loss: Any) -> str:
    """The name of a loss, for the key of a result; of a user's own, with a hash of what it does.

    Functions, classes and modules are told by their code and by the values that the code refers to, such as weights of
    classes: many a lambda has the same name, and an edited function keeps its own.
    """
    name = getattr(loss, "__name__", type(loss).__name__)
    if loss in LOSSES.values():
        return name
    file = io.BytesIO()
    try:
        _Pickler(file).dump(loss)
    except (pickle.PicklingError, AttributeError, TypeError, ValueError, RecursionError, OSError) as error:
        raise UserError(
            f"loss {name} cannot be told from another ({error}): write it as a function of numbers and tensors"
        ) from None
    return f"{name.strip('<>')}-{hashlib.sha256(file.getvalue()).hexdigest()[:12]}"


class _Pickler(pickle.Pickler):
    """Tells a tensor by what it holds, and code of the user's by what it does: pickle itself writes an address, and
    names. What it writes is hashed and never read."""

    def __init__(self, file: io.BytesIO):
        super().__init__(file)
        self.seen: set[int] = set()
        self.fast = True  # without a memory of what it has written: that goes by address

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            held = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
            return tuple, ((str(value.dtype), tuple(value.shape), held),)
        if isinstance(value, CodeType):
            return tuple, ((value.co_code, value.co_names, _in_order(value.co_consts)),)
        if not isinstance(value, FunctionType | type | ModuleType):
            return NotImplemented
        name, module = value.__name__, isinstance(value, ModuleType)
        if (name if module else value.__module__).partition(".")[0] in LIBRARIES:
            return (str, (name,)) if module else NotImplemented
        if id(value) in self.seen:
            return str, (name,)
        self.seen.add(id(value))
        parts = [Path(getattr(value, "__file__", "")).read_bytes()] if module else _held(value)
        return tuple, ((name, *parts),)


def _held(value: Any) -> Iterator[Any]:
    """What a function or a class of the user's is made of."""
    if isinstance(value, type):
        own = {n: held for n, held in vars(value).items() if isinstance(held, FunctionType) or n[:2] != "__"}
        yield from (value.__bases__, own)
    else:
        yield from (value.__code__, _in_order(cell.cell_contents for cell in value.__closure__ or ()))
        yield _in_order(value.__globals__[n] for n in _names(value.__code__) if n in value.__globals__)
        yield from (value.__defaults__, value.__kwdefaults__)


def _in_order(values: Iterable[Any]) -> list[Any]:
    """The values; sets as lists, for the order in which a process goes through them is its own."""
    return [sorted(map(repr, value)) if isinstance(value, set | frozenset) else value for value in values]


def _names(code: CodeType) -> list[str]:
    """The names that some code refers to, and those of the functions within it."""
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return [*code.co_names, *(name for one in inner for name in _names(one))]
