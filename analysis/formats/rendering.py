"""One door to every format of a table."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pandas as pd

from analysis.choices import check_choice
from analysis.formats.layout import lay_out
from analysis.formats.sheet import Sheet
from analysis.formats.to_csv import render_csv
from analysis.formats.to_html import render_html
from analysis.formats.to_json import render_json
from analysis.formats.to_latex import render_latex
from analysis.formats.to_markdown import render_markdown
from analysis.formats.to_text import render_text
from analysis.names import form_of
from analysis.tables.typed_table import Table

_FOR_PEOPLE: Mapping[str, Callable[[Sheet], str]] = {
    "markdown": render_markdown,
    "latex": render_latex,
    "html": render_html,
}
_FOR_PROGRAMS: Mapping[str, Callable[[pd.DataFrame], str]] = {"csv": render_csv, "json": render_json}
FORMATS_FOR_PROGRAMS = tuple(_FOR_PROGRAMS)
"""Formats that hold tables of several metrics as they are."""
FORMATS = ("text", *_FOR_PEOPLE, *_FOR_PROGRAMS)


def render(
    frame: pd.DataFrame,
    format: str = "text",  # noqa: A002 - the command line's option has this name
    *,
    digits: int | None = None,
    terminal: bool = False,
    width: int | None = None,
) -> str:
    """Render a table in one of `FORMATS`; the result ends with a newline.

    Text, Markdown, LaTeX and HTML show rounded means with marks for the best three of each latent, and say
    below what ± and n are and what is missing; CSV and JSON hold one row per cell at full precision.

    Args:
        frame: A table of `analysis.table`.
        format: "text", "markdown", "latex", "html", "csv" or "json".
        digits: Digits after the point, not of CSV and JSON; by default as many as the metric has.
        terminal: Whether text may hold ANSI escapes.
        width: Columns that text must fit into; by default as many as it needs.
    Raises:
        ValueError: If the format is unknown, or several metrics are to be shown in one table.
    """
    check_choice("format", format, FORMATS)
    if format in _FOR_PROGRAMS:
        return _FOR_PROGRAMS[format](frame)
    forms = {form_of(metric) for metric in frame["metric"]} if digits is None else {f".{digits}f"}
    sheet = lay_out(Table.of(frame), max(forms, default=".2f"))
    if format == "text":
        return render_text(sheet, terminal=terminal, width=width)
    return _FOR_PEOPLE[format](sheet)
