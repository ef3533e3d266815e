"""A study's cluster: where its scheduler is, which folder and device its workers see, and results that they compute."""

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import torch

from ..engine.cluster import Client, call, close, workers_of
from ..environment import check_device, device_name
from ..errors import UserError

ANSWER = 10.0  # seconds for a scheduler to answer


def connect(address: str) -> Any:
    """A client of the scheduler at `address`, such as tcp://host:8786; UserError if nobody answers there."""
    try:
        from distributed import Client
    except ImportError:
        raise UserError("a cluster needs dask: pip install 'landscape_utils[cluster]'") from None
    try:
        return Client(address, timeout=ANSWER)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"no dask scheduler answers at {address!r} ({type(error).__name__}): `dask scheduler` prints its address, "
            f"such as tcp://host:8786"
        ) from None


def join(client: Client | None, device: str, folder: Path) -> str:
    """The device that `device` ("auto", ...) means here or, with a client, at every worker; refused if they have unlike
    ones, or do not see `folder`."""
    if client is None:
        return check_device(device)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".shared-") as file:
        seen = everywhere(client, os.path.exists, file.name)  # what may not be looked at is not seen either
    if blind := [worker for worker, sees in seen.items() if not sees]:
        raise UserError(
            f"{blind[0]} and {len(blind) - 1} other workers do not see {folder}; name one that all share by results_dir"
        )
    found, *others = set(everywhere(client, check_device, device).values())
    if others:
        raise UserError(
            f"the workers have different devices, {', '.join([found, *others])}; choose a device that all have"
        )
    return found


def device_names(client: Client | None, device: str) -> str:
    """What a result says it was computed on; the workers' sums have as many threads as there are here."""
    if client is None or device == "cpu":
        return device_name(device)
    return ", ".join(sorted(set(everywhere(client, device_name, device).values())))


def everywhere(client: Client, function: Callable[..., Any], *arguments: Any) -> dict[str, Any]:
    """{worker: function(*arguments)}, which raises no OSError: that is of a worker that leaves, and is left out."""
    workers_of(client)
    answers = client.run(function, *arguments, on_error="return")
    stayed = {worker: answer for worker, answer in answers.items() if not isinstance(answer, OSError)}
    for answer in stayed.values():
        if isinstance(answer, Exception):
            raise answer
    if not stayed:
        raise UserError(f"all workers left as they were asked, {', '.join(answers)}; see their logs")
    return stayed


def apart(client: Client, study: Any, kinds: Iterable[Any]) -> Iterator[tuple[Any, Any]]:
    """(kind, arrays) of results of a study, each computed by a worker, as they come."""
    return call(client, computed_there, study, [[(kind, (kind,)) for kind in kinds]])


def computed_there(study: Any, kind: Any) -> Any:
    """The arrays of a result, where a worker sees the study's folder."""
    close()
    if not study.store.folder.is_dir():  # a worker that joined after `join` had asked them all
        raise UserError(f"a worker does not see {study.store.folder}, which all machines must share")
    with torch.enable_grad():  # whatever the last walk in this thread has left: a training needs gradients
        return study.computed(kind, {})
