"""Text without control characters, by which a stranger's text could rule a terminal."""

from __future__ import annotations

import re

# C0 and C1 but for tabs and ends of lines, marks of direction, and halves of surrogates.
_CONTROL = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def visible(text: str) -> str:
    r"""Return a text with its control characters as escapes, such as \u001b, which JSON takes for them too.

    Tabs and ends of lines stay.
    """
    return _CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
