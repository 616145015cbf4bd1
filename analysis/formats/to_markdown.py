"""Tables in Markdown, as GitHub and notebooks show it."""

from __future__ import annotations

import re

from analysis.formats.sheet import Entry, Sheet

_FORMS = {1: "**{}**", 2: "<u>{}</u>", 3: "*{}*"}
_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~])")
_LEGEND = "Within a latent: **bold** best, <u>underlined</u> second, *italic* third; {} is best."


def render_markdown(sheet: Sheet) -> str:
    """Render a table in Markdown, ranks bold, underlined and italic, with its notes as a list.

    Tables below it follow in the same way, each under its title.
    """
    return "\n".join(_table(each) for each in sheet.with_those_below())


def _table(sheet: Sheet) -> str:
    numbers = len(sheet.header) - sheet.num_text_columns
    lines = [
        *([f"**{_escape(sheet.title)}**", ""] if sheet.title else []),
        _line([_escape(name) for name in sheet.header]),
        _line(["---"] * sheet.num_text_columns + ["---:"] * numbers),
        *(_line([_entry(entry) for entry in row]) for row in sheet.rows),
        "",
        *(f"- {_escape(note)}" for note in sheet.notes),
        *([f"- {_LEGEND.format(sheet.best)}"] if sheet.has_ranks else []),
    ]
    return "\n".join(lines) + "\n"


def _line(texts: list[str]) -> str:
    return "| " + " | ".join(texts) + " |"


def _entry(entry: Entry) -> str:
    text = _FORMS.get(entry.rank or 0, "{}").format(_escape(entry.text))
    return f"{text}<sup>{entry.mark}</sup>" if entry.mark else text


def _escape(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
