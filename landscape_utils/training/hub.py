"""The hub: the copy that is here, what can be fetched within seconds, or one line that says the way round."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import constants, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, HFValidationError

from ..errors import UserError

TIMEOUT = 10.0  # seconds


def fetched(name: str, wanted: Sequence[str], way_out: str, kind: str = "model") -> Path:
    """The folder with the files of a repository that fit the patterns `wanted`: the copy that is here, or fetched.

    Raises:
        UserError: no file fits the last pattern, here or on the hub; the line ends with `way_out`.
    """
    reason = ""
    # The whole of a snapshot is asked for at once: a single file the library asks for six times before it gives up.
    for only_here in (True, False):
        try:
            folder = Path(
                snapshot_download(
                    name,
                    repo_type=kind,
                    allow_patterns=list(wanted),
                    etag_timeout=TIMEOUT,
                    local_files_only=only_here,
                )
            )
        except HFValidationError:
            raise UserError(f"{kind} {name!r} is neither a folder nor a name on the hub (owner/name)") from None
        except (OSError, HfHubHTTPError) as error:
            reason = str(error).strip().splitlines()[0]
        else:
            if any(folder.glob(wanted[-1])):
                return folder
            reason = f"it holds no {wanted[-1]}"
    raise UserError(f"{kind} {name!r} is not here and cannot be had from the hub ({reason}); {way_out}")


@contextmanager
def left_alone() -> Iterator[None]:
    """Nothing is fetched within: what is not here is not there."""
    before = constants.HF_HUB_OFFLINE
    constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        constants.HF_HUB_OFFLINE = before
