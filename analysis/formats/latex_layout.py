"""How much of a laid-out table fits on a page of LaTeX's `article`, judged without LaTeX."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from analysis.formats.sheet import Entry, Sheet

TEXT_WIDTH = 345
"""Points between the margins of `article` in one column; in two, both columns together have more."""
COLUMN_WIDTH = 221
"""Points of one of two columns, on A4; on letter paper it has more."""
PAGE_HEIGHT = 500
"""Points that a float may be high: a page has 550, and heights are guessed."""
_ROWS_HEIGHT = 400
"""Points of the rows of a panel, which leave room for its header and the caption."""
_NARROW, _WIDE = frozenset(" .,:;|'()[]ijlt"), frozenset("mwMW±")
_LEAST_LABEL = 75
"""Points of a label that may be wrapped."""
_BOLD = 1.1
T = TypeVar("T")
_RAGGED = 1.2
"""How much longer wrapped text is for what stays empty at the ends of its lines."""


@dataclass(frozen=True)
class Font:
    """A size of type.

    Args:
        name: LaTeX's name of it.
        scale: Its width relative to the usual size.
        separation: Points on either side of a column.
        line: Points from line to line.
    """

    name: str
    scale: float
    separation: int
    line: float


NORMAL, NOTES = Font("normalsize", 1.0, 6, 12.0), Font("footnotesize", 0.85, 3, 9.5)
_FONTS = (
    NORMAL,
    Font("small", 0.93, 4, 11.0),
    NOTES,
    Font("scriptsize", 0.8, 2, 8.0),
    Font("tiny", 0.68, 2, 6.0),
)


@dataclass(frozen=True)
class Panel:
    """Columns and rows that are one `tabular`.

    Args:
        header: The column names.
        rows: The entries.
        font: The largest in which it fits, else the smallest that there is.
        label_width: Points of the first column where its texts are wrapped; None where they are not.
        width: Points from side to side.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]
    font: Font
    label_width: float | None
    width: float

    @property
    def height(self) -> float:
        """Points from top to bottom, with the space below."""
        return (sum(self.num_lines(row[0]) for row in self.rows) + 3) * self.font.line

    def num_lines(self, label: Entry) -> int:
        """Return in how many lines a row's first entry stands, rather too many than too few."""
        if self.label_width is None:
            return 1
        return max(1, math.ceil(text_width(label.text) * self.font.scale / self.label_width * _RAGGED))


def text_width(text: str) -> float:
    """Return about how wide a text is in points at the usual size, rather too much than too little."""
    return sum(_width(character) for character in text)


def _width(character: str) -> float:
    if character in _NARROW:
        return 4.0
    return 9.0 if character in _WIDE else 7.5 if character.isupper() else 5.3


def text_height(text: str, width: float, font: Font) -> float:
    """Return about how many points high a paragraph is."""
    return math.ceil(text_width(text) * font.scale / width) * font.line


def panels(sheet: Sheet) -> list[Panel]:
    """Return a table as panels of which each fits on a page, from top to bottom.

    Of estimators by latents, as many latents stand beside each other as fit at the usual size, and a panel
    has the rows that have something there. Other tables keep their columns, in a smaller size if they must.
    """
    found = []
    for names, rows in _blocks(sheet):
        one = _panel(names, rows)
        heights = [one.num_lines(row[0]) * one.font.line for row in rows]
        found += [replace(one, rows=tuple(part)) for part in filled(rows, heights, _ROWS_HEIGHT)]
    return found


def filled(pieces: Sequence[T], heights: Sequence[float], room: float) -> list[list[T]]:
    """Return pieces in their order in as many parts as there must be, each as full as its height allows.

    Args:
        pieces: The pieces; one that is too high for itself is a part.
        heights: Their heights, in points.
        room: The height of a part, in points.
    """
    parts: list[list[T]] = [[]]
    used = 0.0
    for piece, height in zip(pieces, heights, strict=True):
        if parts[-1] and used + height > room:
            parts.append([])
            used = 0.0
        parts[-1].append(piece)
        used += height
    return parts


def _blocks(sheet: Sheet) -> list[tuple[tuple[str, ...], tuple[tuple[Entry, ...], ...]]]:
    """Split a table of estimators by latents between latents."""
    num_columns = len(sheet.header) - 1
    if sheet.num_text_columns > 1 or num_columns < 2:
        return [(sheet.header, sheet.rows)]
    for num_blocks in range(1, num_columns + 1):
        size = math.ceil(num_columns / num_blocks)
        columns = [
            range(start, min(start + size, num_columns + 1)) for start in range(1, num_columns + 1, size)
        ]
        blocks = [_columns(sheet, one) for one in columns]
        if all(_panel(*block).font is NORMAL for block in blocks):
            break
    return blocks


def _columns(sheet: Sheet, columns: Sequence[int]) -> tuple[tuple[str, ...], tuple[tuple[Entry, ...], ...]]:
    rows = [row for row in sheet.rows if any(row[column].text for column in columns)]
    kept = (0, *columns)
    return tuple(sheet.header[k] for k in kept), tuple(tuple(row[k] for k in kept) for row in rows)


def _panel(header: tuple[str, ...], rows: tuple[tuple[Entry, ...], ...]) -> Panel:
    columns = zip(header, *rows, strict=True)
    label, *others = (max(map(_entry_width, column)) for column in columns)
    words = (word for row in rows for word in re.split(r"(?<=-)|\s", row[0].text))
    least = min(label, max([_LEAST_LABEL, *map(text_width, words)]))
    for font in _FONTS:
        taken = sum(others) * font.scale + 2 * font.separation * len(header)
        room = TEXT_WIDTH - taken
        if room >= least * font.scale:
            break
    is_wrapped = label * font.scale > room
    shown = max(room, least * font.scale) if is_wrapped else label * font.scale
    return Panel(header, rows, font, math.floor(shown) if is_wrapped else None, taken + shown)


def _entry_width(entry: Entry | str) -> float:
    if isinstance(entry, str):
        return text_width(entry)
    return text_width(entry.text) * (_BOLD if entry.rank == 1 else 1) + text_width(entry.mark)
