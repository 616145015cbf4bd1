"""Lines for people that no display shows."""

from __future__ import annotations

from sweep.redaction import redact
from trainables.terminal import echo


def say(message: str) -> None:
    """Print a line for people to stderr, where there is no display yet."""
    echo(redact(message), err=True)
