"""What a laid-out table consists of, before any format's own syntax."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pandas as pd

UNDEFINED = "--"
"""Shown for a mean without runs and for a number that is not defined; a cell not asked for stays empty."""
LOWEST, HIGHEST = "lowest", "highest"


@dataclass(frozen=True)
class Entry:
    """What stands in one place of the sheet.

    Args:
        text: The text, in no format's syntax.
        rank: 1, 2 or 3 where a format should mark it.
        mark: The letter of a footnote; a note of the sheet begins with it.
    """

    text: str
    rank: int | None = None
    mark: str = ""


@dataclass(frozen=True)
class Sheet:
    """A laid-out table.

    Args:
        header: The column names.
        rows: The entries, as many in each row as the header has.
        notes: What a reader must know: unit, ±, n, epochs, what is missing.
        num_text_columns: How many leading columns hold text; the others hold numbers.
        best: Which mean of a latent is the best, "lowest" or "highest".
        title: What a table below another one is called.
        name: What the table is of, in a few words for programs.
        below: The tables below it.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]
    notes: tuple[str, ...]
    num_text_columns: int
    best: str = LOWEST
    title: str = ""
    name: str = ""
    below: tuple[Sheet, ...] = ()

    @property
    def has_ranks(self) -> bool:
        """Whether any entry is marked, so that a legend is needed."""
        return any(entry.rank for row in self.rows for entry in row)

    def with_those_below(self) -> Iterator[Sheet]:
        """Yield this sheet and the ones below it, in their order."""
        yield self
        for sheet in self.below:
            yield from sheet.with_those_below()


def number(value: float, form: str) -> str:
    """Return a number in a format's form, or `UNDEFINED`."""
    return UNDEFINED if math.isnan(value) else format(value, form)


def rows_of(frame: pd.DataFrame) -> list[dict[Any, Any]]:
    """Return the rows of a table; pandas' own `iterrows` would copy the frame's `attrs` for each of them."""
    return frame.to_dict("records")
