"""Tables in LaTeX, with booktabs."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Sequence

from analysis.formats.latex_layout import (
    COLUMN_WIDTH,
    NORMAL,
    NOTES,
    PAGE_HEIGHT,
    TEXT_WIDTH,
    Panel,
    filled,
    panels,
    text_height,
)
from analysis.formats.sheet import Entry, Sheet

_GREEK = "αβγδεζηθικλμνξπρστυφχψωΓΔΘΛΞΠΣΥΦΨΩ"
"""Letters for which LaTeX has a command: symbols of hyperparameters."""


def _greek(letter: str) -> str:
    word = unicodedata.name(letter).split()[-1].lower().replace("lamda", "lambda")
    return rf"$\{word.capitalize() if letter.isupper() else word}$"


_FORMS = {1: r"\textbf{%s}", 2: r"\underline{%s}", 3: r"\textit{%s}"}
_ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
}
_TABLE = str.maketrans({**_ESCAPES, **{letter: _greek(letter) for letter in _GREEK}})
_MINUS = re.compile(r"(?<![-\w])-(?=\d)")
_SHAPE = re.compile(r"(?<![\w.])(\d+)x(\d+)(?!\w)")
_LONGEST_NOTE = 2000
"""Characters of a note that stay together on a page."""
_Piece = str | list[str]
"""A note, or the lines of a tabular."""
_LEGEND = r"Within a latent: \textbf{bold} best, \underline{underlined} second, \textit{italic} third; "


def render_latex(sheet: Sheet) -> str:
    r"""Render a table as LaTeX floats for `article`, in one column or two; it needs \usepackage{booktabs}.

    A table too wide for a column goes across both. Latents that do not fit beside each other stand below each
    other, and what does not fit on a page is continued in another float. Tables below it follow.
    """
    floats = [
        text for each in sheet.with_those_below() for text in _floats(each, f"{sheet.name} {each.title}")
    ]
    return "\n".join(["% needs \\usepackage{booktabs}", *floats]) + "\n"


def _floats(sheet: Sheet, name: str) -> list[str]:
    caption, *notes = [sheet.title, *sheet.notes] if sheet.title else sheet.notes
    shown = panels(sheet)
    is_narrow = max(panel.width for panel in shown) <= COLUMN_WIDTH
    width = COLUMN_WIDTH if is_narrow else TEXT_WIDTH
    legend = [f"{_LEGEND}{sheet.best} is best."] if sheet.has_ranks else []
    said = [*(part for note in map(_escape, notes) for part in textwrap.wrap(note, _LONGEST_NOTE)), *legend]
    pieces: list[_Piece] = [*(_tabular(panel, sheet.num_text_columns) for panel in shown), *said]
    heights = [*(panel.height for panel in shown), *(text_height(note, width, NOTES) for note in said)]
    room = PAGE_HEIGHT - text_height(caption, width, NORMAL) - 3 * NORMAL.line
    parts = filled(pieces, heights, room)
    label = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return [
        _float(
            "table" if is_narrow else "table*",
            _escape(caption.removesuffix(".") + (" (continued)." if number > 1 else ".")),
            f"tab:{label}" + (f"-{number}" if number > 1 else ""),
            part,
        )
        for number, part in enumerate(parts, start=1)
    ]


def _float(environment: str, caption: str, label: str, pieces: Sequence[_Piece]) -> str:
    notes = [piece for piece in pieces if isinstance(piece, str)]
    tabulars = [piece for piece in pieces if not isinstance(piece, str)]
    lines = [
        rf"\begin{{{environment}}}",
        r"  \centering",
        rf"  \caption{{{caption}}}",
        rf"  \label{{{label}}}",
        *(line for tabular in tabulars for line in tabular),
    ]
    if notes:
        inner = [
            r"  \begin{minipage}{\linewidth}",
            rf"    \{NOTES.name}\sloppy",
            *(f"    {note}" for note in notes),
        ]
        lines += [*inner, r"  \end{minipage}"]
    return "\n".join([*lines, rf"\end{{{environment}}}"])


def _tabular(panel: Panel, num_text_columns: int) -> list[str]:
    first = "l" if panel.label_width is None else f"p{{{panel.label_width}pt}}"
    columns = first + "l" * (num_text_columns - 1) + "r" * (len(panel.header) - num_text_columns)
    font = panel.font
    is_small = font is not NORMAL
    rows = ([_label(row[0], panel), *map(_entry, row[1:])] for row in panel.rows)
    return [
        *([rf"  {{\{font.name}\setlength{{\tabcolsep}}{{{font.separation}pt}}%"] if is_small else []),
        rf"  \begin{{tabular}}{{{columns}}}",
        r"    \toprule",
        _line([_escape(name) for name in panel.header]),
        r"    \midrule",
        *map(_line, rows),
        r"    \bottomrule",
        r"  \end{tabular}" + (r"\par}" if is_small else r"\par"),
        r"  \smallskip",
    ]


def _line(texts: list[str]) -> str:
    return "    " + " & ".join(texts) + r" \\"


def _label(entry: Entry, panel: Panel) -> str:
    return (r"\raggedright " if panel.num_lines(entry) > 1 else "") + _entry(entry)


def _entry(entry: Entry) -> str:
    text = _FORMS.get(entry.rank or 0, "%s") % _MINUS.sub("$-$", _escape(entry.text))
    return f"{text}$^{{{entry.mark}}}$" if entry.mark else text


def _escape(text: str) -> str:
    return _SHAPE.sub(r"$\1\\times\2$", text.translate(_TABLE))
