"""The name of a loss in the key of a result: a loss of a user's own is told from any other by what it does."""

import hashlib
import io
import pickle
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any

import torch
from torch import Tensor

from ..engine.losses import LOSSES
from ..errors import UserError


def name_of(loss: Any) -> str:
    """The name of a loss, for the key of a result; of a user's own, with a hash of what it does.

    A function is told by its code and by the values that the code refers to, such as weights of classes: many a lambda
    has the same name, and an edited function keeps its own.
    """
    name = getattr(loss, "__name__", type(loss).__name__)
    if loss in LOSSES.values():
        return name
    digest = hashlib.sha256()
    try:
        for part in _parts(loss, set()):
            digest.update(part)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise UserError(
            f"loss {name} cannot be told from another ({error}): write it as a function of numbers and tensors"
        ) from None
    return f"{name.strip('<>')}-{digest.hexdigest()[:12]}"


def _parts(value: Any, seen: set[int]) -> Iterator[bytes]:
    """What a function of the user's does, or a value is, as bytes; functions of libraries are told by their names."""
    if isinstance(value, CodeType):
        yield repr((value.co_code, value.co_names)).encode()
        for constant in value.co_consts:
            yield from _parts(constant, seen)
    elif not isinstance(value, FunctionType) or value.__module__.split(".")[0] in ("torch", "numpy"):
        yield getattr(value, "__name__", "").encode() if hasattr(value, "__spec__") else _pickled(value)
    elif id(value) not in seen:
        seen.add(id(value))
        yield from _parts(value.__code__, seen)
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        used = [value.__globals__[n] for n in _names(value.__code__) if n in value.__globals__]
        for held in (*cells, *used, *(value.__defaults__ or ()), *(value.__kwdefaults__ or {}).values()):
            yield from _parts(held, seen)


class _Pickler(pickle.Pickler):
    """Tells a tensor by what it holds; pickled as usual it has an address in it."""

    def reducer_override(self, value: Any) -> Any:
        if not isinstance(value, Tensor):
            return NotImplemented
        held = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
        return tuple, ((str(value.dtype), tuple(value.shape), held),)


def _pickled(value: Any) -> bytes:
    file = io.BytesIO()
    _Pickler(file).dump(value)
    return file.getvalue()


def _names(code: CodeType) -> list[str]:
    """The names that some code refers to, and those of the functions within it."""
    inner = (constant for constant in code.co_consts if isinstance(constant, CodeType))
    return [*code.co_names, *(name for one in inner for name in _names(one))]
