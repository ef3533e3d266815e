"""The exceptions that a user's mistake raises."""

from collections.abc import Sequence


class UserError(ValueError):
    """A mistake that the user can correct: one line that names the value, the allowed ones and the way out.

    >>> lu.load_profile("dem")
    Traceback (most recent call last):
    ...
    landscape_utils.errors.UserError: unknown profile 'dem'...
    """

    def _render_traceback_(self) -> list[str]:
        """What IPython shows in a notebook: the line alone, as a traceback would bury it."""
        return [f"{type(self).__name__}: {self}"]


class Lacking(UserError):
    """Results do not hold what is asked of them, and may not be added to: see `Study` on device "none"."""


def one_of(what: str, value: str, allowed: Sequence[str]) -> str:
    """The value; refused if it is none of the allowed ones."""
    if value not in allowed:
        raise UserError(f"unknown {what} {value!r}; allowed are {', '.join(allowed)}")
    return value
