"""The one exception that a user's mistake raises."""


class UserError(ValueError):
    """A mistake that its maker can mend: one line that names the value, the allowed ones and the way out."""
