"""A table laid out for people: header, rows and notes, before any format's own syntax."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from analysis.comparison import COMPARISON_COLUMNS
from analysis.table_notes import notes
from trainables.schema import HIGHER_IS_BETTER

UNDEFINED = "--"
"""Shown for a mean without runs and for a number that is not defined; a cell not asked for stays empty."""
BEST_RANKS = (1, 2, 3)


LOWEST, HIGHEST = "lowest", "highest"


@dataclass(frozen=True)
class Entry:
    """What stands in one place of the sheet; `rank` is 1, 2 or 3 where a format should mark it."""

    text: str
    rank: int | None = None


@dataclass(frozen=True)
class Sheet:
    """A laid-out table.

    Args:
        header: The column names.
        rows: The entries, as many in each row as the header has.
        notes: What a reader must know: unit, ±, n, epochs, what is missing.
        num_text_columns: How many leading columns hold text; the others hold numbers.
        best: Which mean of a latent is the best, "lowest" or "highest".
    """

    header: tuple[str, ...]
    rows: tuple[tuple[Entry, ...], ...]
    notes: tuple[str, ...]
    num_text_columns: int
    best: str = LOWEST

    @property
    def has_ranks(self) -> bool:
        """Whether any entry is marked, so that a legend is needed."""
        return any(entry.rank for row in self.rows for entry in row)


def lay_out(frame: pd.DataFrame, digits: int = 2) -> Sheet:
    """Lay a table out: estimators by latents, or, with a comparison, one row per cell.

    Args:
        frame: A table of `analysis.table` of one metric.
        digits: Digits after the point.
    Raises:
        ValueError: If the frame holds more than one metric or kind of ±.
    """
    for column in ("metric", "error_kind"):
        if frame[column].nunique() > 1:
            found = ", ".join(sorted(frame[column].unique()))
            raise ValueError(f"one table shows one {column}, got {found}; render each on its own")
    if set(COMPARISON_COLUMNS) <= set(frame.columns):
        return _side_by_side(frame, digits)
    return _wide(frame, digits)


def _wide(frame: pd.DataFrame, digits: int) -> Sheet:
    latents = list(dict.fromkeys(frame["latent"]))
    shows_n = frame.loc[frame["n"] > 0, "n"].nunique() > 1
    entries = {
        (row["label"], row["latent"]): _mean(row, digits, shows_n=shows_n) for _, row in frame.iterrows()
    }
    rows = tuple(
        (Entry(label), *(entries.get((label, latent), Entry("")) for latent in latents))
        for label in dict.fromkeys(frame["label"])
    )
    return Sheet(("estimator", *latents), rows, notes(frame), 1, _best(frame))


def _side_by_side(frame: pd.DataFrame, digits: int) -> Sheet:
    rows = tuple(
        (
            Entry(row["label"]),
            Entry(row["latent"]),
            Entry(str(row["n"])),
            _mean(row, digits, shows_n=False),
            Entry(_plus_minus(row["published"], row["published_error"], digits)),
            Entry(_number(row["difference"], f"+.{digits}f")),
            Entry(_number(row["z"], f"+.{digits}f")),
        )
        for _, row in frame.iterrows()
    )
    header = ("estimator", "latent", "n", "ours", "published", "difference", "z")
    return Sheet(header, rows, notes(frame), 2, _best(frame))


def _best(frame: pd.DataFrame) -> str:
    return HIGHEST if set(frame["metric"]) & HIGHER_IS_BETTER else LOWEST


def _mean(row: pd.Series, digits: int, *, shows_n: bool) -> Entry:
    if not row["n"]:
        return Entry(UNDEFINED)
    text = _plus_minus(row["mean"], row["error"], digits)
    rank = row["rank"] if pd.notna(row["rank"]) and row["rank"] in BEST_RANKS else None
    return Entry(f"{text} (n={row['n']})" if shows_n else text, rank)


def _plus_minus(mean: float, error: float, digits: int) -> str:
    if math.isnan(mean):
        return UNDEFINED
    return f"{mean:.{digits}f} ± {_number(error, f'.{digits}f')}"


def _number(value: float, form: str) -> str:
    return UNDEFINED if math.isnan(value) else format(value, form)
