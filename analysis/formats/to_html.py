"""Tables as one HTML page that needs no other file, readable on a telephone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.formats.sheet import Sheet

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"
"""Where the table is, of this page and of a report's."""


def render_html(sheet: Sheet) -> str:
    """Render a table as a page, ranks as <b>, <u> and <i>, with its notes as a list below.

    Nothing is loaded from elsewhere, and nothing is run. Wide tables scroll beside their first column.
    """
    return environment(TEMPLATES).get_template("table_page.html").render(sheet=sheet) + "\n"


def environment(*folders: Path, **options: Any) -> Environment:
    """Return Jinja's environment of templates in which every text is escaped and no name may be missing.

    Args:
        folders: Where templates are.
        options: Others of `jinja2.Environment`.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # which no other format needs

    return Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        **options,
    )
