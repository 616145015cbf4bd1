"""What an error says, in a line."""

from __future__ import annotations


def reason_of(error: BaseException) -> str:
    """Return the system's words for an error of the system, else its first line, else what kind it is."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return next(iter(str(error).splitlines()), "") or type(error).__name__
