"""The exceptions that a user's mistake raises."""


class UserError(ValueError):
    """A mistake that its maker can mend: one line that names the value, the allowed ones and the way out."""


class Lacking(UserError):
    """Results do not hold what is asked of them, and may not be added to: see `Study` on device "none"."""
