"""Tables as one HTML page that needs no other file, readable on a telephone."""

from __future__ import annotations

from html import escape

from analysis.formats.sheet import Entry, Sheet

_FORMS = {1: "<b>{}</b>", 2: "<u>{}</u>", 3: "<i>{}</i>"}
_LEGEND = "Within a latent: <b>bold</b> best, <u>underlined</u> second, <i>italic</i> third; {} is best."
_STYLE = """\
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; margin: 1rem auto; max-width: 70rem; padding: 0 0.75rem; }
div { overflow-x: auto; }
table { border-collapse: collapse; border-block: 2px solid; font-variant-numeric: tabular-nums; }
th, td { padding: 0.25rem 0.6rem; text-align: left; white-space: nowrap; font-weight: normal; }
.number { text-align: right; }
thead th { border-bottom: 1px solid; }
tbody th { background: Canvas; left: 0; position: sticky; }
ul { font-size: 0.875rem; overflow-wrap: anywhere; padding-left: 1.2rem; }
"""


def render_html(sheet: Sheet) -> str:
    """Render a table as a page, ranks as <b>, <u> and <i>, with its notes as a list below.

    Nothing is loaded from elsewhere, and nothing is run. Wide tables scroll beside their first column.
    """
    title = sheet.notes[0] if sheet.notes else "catsweep"
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        "<head>",
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>",
        f"<style>\n{_STYLE}</style>",
        "</head>",
        "<body>",
        *(line for each in sheet.with_those_below() for line in _table(each)),
        "</body>",
        "</html>",
    ]
    return "\n".join(lines) + "\n"


def _table(sheet: Sheet) -> list[str]:
    legend = [_LEGEND.format(sheet.best)] if sheet.has_ranks else []
    return [
        *([f"<h2>{escape(sheet.title)}</h2>"] if sheet.title else []),
        "<div><table>",
        f"<thead>{_header(sheet)}</thead>",
        "<tbody>",
        *(_row(row, sheet.num_text_columns) for row in sheet.rows),
        "</tbody>",
        "</table></div>",
        "<ul>",
        *(f"<li>{note}</li>" for note in [*map(escape, sheet.notes), *legend]),
        "</ul>",
    ]


def _header(sheet: Sheet) -> str:
    names = (
        f'<th scope="col"{_class(place, sheet.num_text_columns)}>{escape(name)}</th>'
        for place, name in enumerate(sheet.header)
    )
    return f"<tr>{''.join(names)}</tr>"


def _row(row: tuple[Entry, ...], num_text_columns: int) -> str:
    first = f'<th scope="row">{_entry(row[0])}</th>'
    others = (
        f"<td{_class(place, num_text_columns)}>{_entry(entry)}</td>"
        for place, entry in enumerate(row[1:], start=1)
    )
    return f"<tr>{first}{''.join(others)}</tr>"


def _class(place: int, num_text_columns: int) -> str:
    return "" if place < num_text_columns else ' class="number"'


def _entry(entry: Entry) -> str:
    text = _FORMS.get(entry.rank or 0, "{}").format(escape(entry.text))
    return f"{text}<sup>{escape(entry.mark)}</sup>" if entry.mark else text
