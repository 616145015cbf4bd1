"""The error of a report that cannot be written."""


class ReportError(ValueError):
    """The page cannot be written where it was asked for; the message says why."""
