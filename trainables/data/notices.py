"""Messages for the person at the terminal; results never go this way."""

from __future__ import annotations

from trainables.terminal import echo


def notice(text: str) -> None:
    """Writes one line to standard error; a long line is not folded."""
    echo(" ".join(text.split()), err=True)
