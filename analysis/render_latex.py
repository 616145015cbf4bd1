"""Tables in LaTeX, with booktabs."""

from __future__ import annotations

import re

from analysis.sheet_parts import Entry, Sheet

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
    "τ": r"$\tau$",
    "η": r"$\eta$",
    "β": r"$\beta$",
}
_TABLE = str.maketrans(_ESCAPES)
_MINUS = re.compile(r"(?<![-\w])-(?=\d)")
_LEGEND = r"Within a latent: \textbf{bold} best, \underline{underlined} second, \textit{italic} third; "


def render_latex(sheet: Sheet) -> str:
    r"""Render a table as a LaTeX table environment; the document needs \usepackage{booktabs}.

    Tables below it follow as environments of their own.
    """
    tables = [_table(each) for each in sheet.with_those_below()]
    return "\n".join(["% needs \\usepackage{booktabs}", *tables]) + "\n"


def _table(sheet: Sheet) -> str:
    columns = "l" * sheet.num_text_columns + "r" * (len(sheet.header) - sheet.num_text_columns)
    notes = [
        *([f"{_escape(sheet.title)}."] if sheet.title else []),
        *(_escape(note) for note in sheet.notes),
        *([f"{_LEGEND}{sheet.best} is best."] if sheet.has_ranks else []),
    ]
    lines = [
        r"\begin{table}",
        r"  \centering",
        rf"  \begin{{tabular}}{{{columns}}}",
        r"    \toprule",
        _line([_escape(name) for name in sheet.header]),
        r"    \midrule",
        *(_line([_entry(entry) for entry in row]) for row in sheet.rows),
        r"    \bottomrule",
        r"  \end{tabular}",
        r"  \caption{%",
        *(f"    {note}" for note in notes),
        r"  }",
        r"\end{table}",
    ]
    return "\n".join(lines)


def _line(texts: list[str]) -> str:
    return "    " + " & ".join(texts) + r" \\"


def _entry(entry: Entry) -> str:
    text = _FORMS.get(entry.rank or 0, "%s") % _MINUS.sub("$-$", _escape(entry.text))
    return f"{text}$^{{{entry.mark}}}$" if entry.mark else text


def _escape(text: str) -> str:
    return text.translate(_TABLE)
