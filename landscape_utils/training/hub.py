"""The hub: the copy that is here, what can be fetched within seconds, or one line that says the way round."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import HfApi, constants, snapshot_download
from huggingface_hub.errors import HFValidationError

from ..errors import UserError

TIMEOUT = 10.0  # seconds


def fetched(
    name: str, wanted: Sequence[str], way_out: str, kind: str = "model", needed: Sequence[str] = ()
) -> Path:
    """The folder with the files of a repository that fit the patterns `wanted`: the copy that is here, or fetched. A
    UserError, which ends with `way_out`, where no file fits one of `needed`, by default the last of `wanted`."""
    reason = ""
    for only_here in (True, False):
        try:
            if not only_here:  # the download itself waits for an answer without end
                HfApi().repo_info(name, repo_type=kind, timeout=TIMEOUT)
            folder = snapshot_download(
                name, repo_type=kind, allow_patterns=list(wanted), local_files_only=only_here
            )
        except HFValidationError:
            raise UserError(
                f"{kind} {name!r} is neither a folder nor a name on the hub, owner/name"
            ) from None
        except Exception as error:  # of whichever library the hub's client asks by
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        else:
            lacking = [p for p in needed or wanted[-1:] if not any(Path(folder).glob(p))]
            if not lacking:
                return Path(folder)
            reason = f"it holds no {lacking[0]}"
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
