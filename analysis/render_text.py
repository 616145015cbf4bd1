"""Tables for a terminal, and as plain text where there is none."""

from __future__ import annotations

import io

from rich.box import Box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from analysis.sheet import Entry, Sheet

_STYLES = {1: "bold", 2: "underline", 3: "italic"}
_LINES = Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
_PLAIN_WIDTH = 100_000
_LEGEND = "Within a latent: {}; {} is best."


def render_text(sheet: Sheet, *, terminal: bool = False, width: int | None = None) -> str:
    """Render a table as text.

    Ranks are bold, underlined and italic on a terminal. Elsewhere they are written as #1, #2 and #3, so that
    they survive a file or a pipe.

    Args:
        sheet: The laid-out table.
        terminal: Whether to write ANSI escapes.
        width: Columns to fit into; by default as many as the table needs.
    """
    table = Table(box=_LINES, pad_edge=False, show_edge=False, header_style="bold" if terminal else "")
    for number, name in enumerate(sheet.header):
        table.add_column(
            Text(name),
            justify="left" if number < sheet.num_text_columns else "right",
            no_wrap=width is None,
            overflow="fold",
        )
    marked = [
        not terminal and any(entry.rank for entry in column) for column in zip(*sheet.rows, strict=True)
    ]
    for row in sheet.rows:
        table.add_row(*(_text(entry, terminal, marks) for entry, marks in zip(row, marked, strict=True)))
    output = io.StringIO()
    console = Console(
        file=output,
        width=width or _PLAIN_WIDTH,
        force_terminal=terminal,
        color_system="standard" if terminal else None,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
        _environ={},
    )
    console.print(table)
    lines = [line.rstrip() for line in output.getvalue().splitlines()]
    legend = [_LEGEND.format(_marks(terminal), sheet.best)] if sheet.has_ranks else []
    return "\n".join([*lines, "", *sheet.notes, *legend]) + "\n"


def _text(entry: Entry, terminal: bool, is_marked_column: bool) -> Text:
    if terminal:
        return Text.assemble((entry.text, _STYLES.get(entry.rank or 0, "")))
    mark = f" #{entry.rank}" if entry.rank else "   " if is_marked_column else ""
    return Text(entry.text + mark)


def _marks(terminal: bool) -> str:
    if not terminal:
        return "#1 best, #2 second, #3 third"
    return "bold best, underlined second, italic third"
