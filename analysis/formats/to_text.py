"""Tables for a terminal, and as plain text where there is none."""

from __future__ import annotations

import io

from rich.box import Box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from analysis.formats.sheet import Entry, Sheet

_STYLES = {1: "bold", 2: "underline", 3: "italic"}
_LINES = Box("    \n    \n -- \n    \n    \n    \n    \n    \n", ascii=True)
_PLAIN_WIDTH = 100_000
_LEGEND = "Within a latent: {}; {} is best."


def render_text(sheet: Sheet, *, terminal: bool = False, width: int | None = None) -> str:
    """Render a table as text.

    Ranks are bold, underlined and italic on a terminal. Elsewhere they are written as #1, #2 and #3, so that
    they survive a file or a pipe. Tables below it follow, each under its title.

    Args:
        sheet: The laid-out table.
        terminal: Whether to write ANSI escapes.
        width: Columns to fit into; by default as many as the table needs.
    """
    return "\n".join(_table(each, terminal, width) for each in sheet.with_those_below())


def _table(sheet: Sheet, terminal: bool, width: int | None) -> str:
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
    noted = [any(entry.mark for entry in column) for column in zip(*sheet.rows, strict=True)]
    for row in sheet.rows:
        places = zip(row, marked, noted, strict=True)
        table.add_row(*(_text(entry, terminal, *columns) for entry, *columns in places))
    lines = _drawn(table, terminal, width)
    legend = [_LEGEND.format(_marks(terminal), sheet.best)] if sheet.has_ranks else []
    title = [sheet.title, ""] if sheet.title else []
    return "\n".join([*title, *lines, "", *sheet.notes, *legend]) + "\n"


def _drawn(table: Table, terminal: bool, width: int | None) -> list[str]:
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
    return [line.rstrip() for line in output.getvalue().splitlines()]


def _text(entry: Entry, terminal: bool, is_marked_column: bool, is_noted_column: bool) -> Text:
    note = f" ({entry.mark})" if entry.mark else "    " if is_noted_column else ""
    if terminal:
        return Text.assemble((entry.text, _STYLES.get(entry.rank or 0, "")), note)
    mark = f" #{entry.rank}" if entry.rank else "   " if is_marked_column else ""
    return Text(entry.text + mark + note)


def _marks(terminal: bool) -> str:
    if not terminal:
        return "#1 best, #2 second, #3 third"
    return "bold best, underlined second, italic third"
