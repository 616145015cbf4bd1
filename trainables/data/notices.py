"""Messages for the person at the terminal; results never go this way."""

from __future__ import annotations

from rich.console import Console


def stderr_console() -> Console:
    """A console on the standard error of this moment."""
    return Console(stderr=True, soft_wrap=True, highlight=False, markup=False, emoji=False)


def notice(text: str) -> None:
    """Writes one line to standard error; a long line is not folded."""
    stderr_console().print(" ".join(text.split()))
