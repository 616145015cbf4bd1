"""The two failures of this package: the caller's, and one source's on the way to the next."""

from __future__ import annotations

from trainables.user_error import UserError


class DataError(UserError):
    """A data set cannot be made present, verified or loaded; the message names the folder and the remedy."""


class SourceError(Exception):
    """One source cannot supply the data set; the message is the reason, on one line."""
