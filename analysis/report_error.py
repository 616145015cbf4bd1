"""The error of a report that cannot be written."""

from trainables.user_error import UserError


class ReportError(UserError, ValueError):
    """The page cannot be written where it was asked for; the message says why."""
