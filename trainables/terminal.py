"""The one place where lines of ours are printed: no control character gets out but those of our own styles.

What a store, a file's name or an error says may hold some, which would move the cursor or hide lines.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from trainables.visible_text import visible


class _VisibleConsole(Console):
    """Rich's console, whose own control sequences are apart from the text."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Render an object, its text made visible."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(visible(segment.text), segment.style)


def make_console(*, stderr: bool = False, soft_wrap: bool = True, width: int | None = None) -> Console:
    """Return a console on a standard stream of this moment, which prints text as it is.

    Args:
        stderr: Whether it is for messages, and not for results.
        soft_wrap: Whether lines are left as long as they are.
        width: Columns; those of the terminal unless given.
    """
    return _VisibleConsole(
        stderr=stderr, soft_wrap=soft_wrap, width=width, highlight=False, markup=False, emoji=False
    )


def echo(text: object, *, err: bool = False, nl: bool = True) -> None:
    """Print a text, without Rich, which takes its time over long ones."""
    print(visible(str(text)), end="\n" if nl else "", file=sys.stderr if err else sys.stdout, flush=True)


class VisibleHandler(logging.Handler):
    """Prints what is logged and nobody else takes, as `logging.lastResort` does."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print a record."""
        echo(self.format(record), err=True)
