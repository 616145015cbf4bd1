"""The page: templates, style and script in one file, with a policy that forbids it every connection."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import vl_convert
from markupsafe import Markup

from analysis.formats.to_html import TEMPLATES as SHARED
from analysis.formats.to_html import environment
from analysis.report.contents import Contents

_TEMPLATES = Path(__file__).parent / "templates"


def render_page(contents: Contents, redact: Callable[[str], str] = str) -> str:
    """Return the page. Every text is escaped, and goes through `redact` first.

    Its policy admits the style and the script that stand in it, by their hashes, and images that are part of
    it. So a script that came in with some text would not run, even if it were not escaped.

    Args:
        contents: What the page says.
        redact: Takes secrets out of a text.
    """
    templates = environment(_TEMPLATES, SHARED, finalize=partial(_without_secrets, redact=redact))
    templates.filters["data"] = partial(_data, redact=redact)
    style = templates.get_template("page.css").render(colors=contents.palette.colors)
    script = _script(has_figures=any(chart.views for chart in contents.charts))
    return templates.get_template("page.html").render(
        contents=contents,
        style=style,
        script=script,
        style_hash=_hash(style),
        script_hash=_hash(script),
    )


@cache
def _script(*, has_figures: bool) -> str:
    """Return the page's script, behind Vega-Lite with all that it needs where there is something to draw."""
    own = (_TEMPLATES / "page.js").read_text(encoding="utf-8")
    return vl_convert.javascript_bundle(own) if has_figures else own


def _data(value: Any, redact: Callable[[str], str]) -> Markup:
    """Return data for the page's script such that no text in them can end the element that they stand in."""
    text = redact(json.dumps(value, ensure_ascii=False, separators=(",", ":")))
    return Markup(text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026"))


def _without_secrets(value: Any, redact: Callable[[str], str]) -> Any:
    # What is marked as HTML is the page's own: style, script, drawn numbers, or what a macro made of texts.
    return redact(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def _hash(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
