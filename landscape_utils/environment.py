"""Where a study finds its folders and its device, whichever folder a notebook runs in.

torch takes seconds to import: a command that is misspelt, or asks for help, is answered without it.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import UserError

PARAMETERS = (
    "profile",
    "tasks",
    "seed",
    "resolution",
    "span",
    "examples",
    "data_dir",
    "results_dir",
    "device",
)
NOTHING = "none"  # the device of a study that only reads
OF_CHECKPOINTS = (
    "checkpoints",
    "other",
    "scratch",
    "scratch_other",
    "train",
    "dev",
    "text",
    "label",
    "max_length",
    "directions",
)
FIRST_CELLS = 4  # IPython's list of inputs: an empty one, the parameters, papermill's, and the cell that asks
OF_IPYTHON = ("In", "Out")
VALUES = (str, int, float, list, dict, type(None))  # what papermill passes on
ROOT = Path(__file__).resolve().parent.parent


def check_names(namespace: Mapping[str, Any], *further: str) -> None:
    """Refuse, in the first cells of a notebook, a parameter that it does not have: papermill only warns of it.

    `namespace` is its globals(); `further`, its parameters beside those that all notebooks take.

    >>> lu.check_names({"profile": "demo"})
    """
    taken = (*PARAMETERS, *further)
    if len(namespace.get("In", ())) > FIRST_CELLS:
        return
    for name, value in namespace.items():
        if name not in (*taken, *OF_IPYTHON) and name[0] != "_" and isinstance(value, VALUES):
            raise UserError(f"unknown parameter {name!r}; a notebook takes {', '.join(taken)}")


def project_folder(folder: str | Path) -> Path:
    """An absolute folder; a relative one is the project's, whichever folder a notebook runs in.

    It need not be there, but then it can be made: that is tried beside the folder, and leaves nothing.
    """
    path = (ROOT if (ROOT / "_config.yml").exists() else Path.cwd()) / path_of("results_dir", folder)
    try:
        if path.exists():
            os.scandir(path).close()
        else:
            there = next(above for above in path.parents if above.exists())
            tempfile.TemporaryDirectory(dir=there).cleanup()
    except OSError as error:
        raise UserError(
            f"results_dir {str(folder)!r} cannot be used: {error.strerror}; choose a folder in which you may write"
        ) from None
    return path


def data_folder(folder: str | Path) -> str:
    """An existing folder relative to the working folder or else to the project, made absolute; none remains none."""
    if isinstance(folder, str) and not folder:
        return ""
    path = path_of("data_dir", folder)
    for candidate in (path, ROOT / path):
        if os.path.isdir(candidate):
            return str(candidate.resolve())
    raise UserError(f"data_dir {str(folder)!r} is no folder; give one in the GLUE layout, or '' for the hub")


def path_of(parameter: str, value: str | Path) -> Path:
    """The path that a parameter gives, with the home folder in the place of "~"; `UserError` for what can be none."""
    if not isinstance(value, str | Path) or not str(value) or "\0" in str(value):
        raise UserError(f"{parameter} must be a path; got {value!r}")
    try:
        return Path(value).expanduser()
    except RuntimeError:  # the home of somebody whom this machine does not know
        raise UserError(f"{parameter} {str(value)!r}: no such home folder; give the whole path") from None


def check_device(device: str) -> str:
    """The device to compute on; "auto" is an NVIDIA GPU if there is one, else the CPU; "none" computes nothing."""
    import torch

    count = torch.cuda.device_count()
    allowed = ["cpu", *(["cuda"] if count else []), *(f"cuda:{i}" for i in range(count)), NOTHING]
    if device not in ("auto", *allowed):
        raise UserError(f"unknown device {device!r}; this machine has auto, {', '.join(allowed)}")
    return ("cuda" if count else "cpu") if device == "auto" else device


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread where networks are tiny: faster, and the same bits in a notebook and in a worker."""
    import torch

    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        yield
    finally:
        torch.set_num_threads(before)


def device_name(device: str) -> str:
    """What a result says it was computed on."""
    import torch

    if device.startswith("cuda"):
        return torch.cuda.get_device_name(device)
    return f"cpu ({torch.get_num_threads()} threads)"
