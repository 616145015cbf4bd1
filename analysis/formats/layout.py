"""A table laid out for people: header, rows and notes, before any format's own syntax."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from analysis.formats.sheet import HIGHEST, LOWEST, UNDEFINED, Entry, Sheet, number, rows_of
from analysis.formats.sheets_below import sheets_below
from analysis.published.comparison import COMPARISON_COLUMNS, CURVES
from analysis.published.errata import footnote_marks
from analysis.statistics.spread import INTERVAL
from analysis.tables.notes import notes
from analysis.tables.typed_table import Table
from trainables.task_registry import metric_of

BEST_RANKS = (1, 2, 3)


def lay_out(table: Table, form: str = ".2f") -> Sheet:
    """Lay a table out: estimators by latents, or, with a comparison, one row per cell.

    Below it stand the hyperparameters that were chosen and the tests, where the table has them.

    Args:
        table: A table of one metric.
        form: Format of the numbers, such as ".2f".
    Raises:
        ValueError: If the table holds more than one metric or kind of ±.
    """
    frame = table.rows
    for column in ("metric", "error_kind"):
        if frame[column].nunique() > 1:
            found = ", ".join(sorted(frame[column].unique()))
            raise ValueError(f"one table shows one {column}, got {found}; render each on its own")
    is_compared = set(COMPARISON_COLUMNS) <= set(frame.columns)
    sheet = _side_by_side(table, form) if is_compared else _wide(table, form)
    name = " ".join([*frame["metric"].head(1), table.facts.compare or ""]).strip()
    return replace(sheet, name=name, below=sheets_below(table, form))


def _wide(table: Table, form: str) -> Sheet:
    frame = table.rows
    latents = list(dict.fromkeys([*table.facts.latents, *frame["latent"]]))
    shows_n = frame.loc[frame["n"] > 0, "n"].nunique() > 1
    entries = {(row["label"], row["latent"]): _mean(row, form, shows_n=shows_n) for row in rows_of(frame)}
    rows = tuple(
        (Entry(label), *(entries.get((label, latent), Entry("")) for latent in latents))
        for label in dict.fromkeys(frame["label"])
    )
    header: tuple[str, ...] = ("estimator", *latents)
    if table.facts.is_transposed:
        labels, *columns = zip(*rows, strict=True) if rows else ((),)
        header = ("latent", *(entry.text for entry in labels))
        rows = tuple((Entry(latent), *column) for latent, column in zip(latents, columns, strict=False))
    return Sheet(header, rows, notes(table), 1, _best(frame))


def _side_by_side(table: Table, form: str) -> Sheet:
    frame = table.rows
    marks = footnote_marks(frame)
    rows = tuple(
        (
            Entry(row["label"]),
            Entry(row["latent"]),
            Entry(str(row["n"])),
            _mean(row, form, shows_n=False),
            Entry(
                _plus_minus(row["published"], row["published_error"], form),
                mark=marks.get(row["erratum"], ""),
            ),
            Entry(number(row["difference"], f"+{form}")),
            Entry(number(row["z"], f"+{form}")),
        )
        for row in rows_of(frame)
    )
    theirs = "authors' runs" if table.facts.compare == CURVES else "published"
    header = ("estimator", "latent", "n", "ours", theirs, "difference", "z")
    return Sheet(header, rows, notes(table), 2, _best(frame))


def _best(frame: pd.DataFrame) -> str:
    return HIGHEST if any(metric_of(one).is_higher_better for one in set(frame["metric"])) else LOWEST


def _mean(row: Mapping[Any, Any], form: str, *, shows_n: bool) -> Entry:
    if not row["n"]:
        return Entry(UNDEFINED)
    if row["error_kind"] == INTERVAL:
        low, high = (number(row[bound], form) for bound in ("low", "high"))
        text = f"{row['mean']:{form}} [{low}, {high}]"
    else:
        text = _plus_minus(row["mean"], row["error"], form)
    rank = row["rank"] if pd.notna(row["rank"]) and row["rank"] in BEST_RANKS else None
    return Entry(f"{text} (n={row['n']})" if shows_n else text, rank)


def _plus_minus(mean: float, error: float, form: str) -> str:
    if math.isnan(mean):
        return UNDEFINED
    return f"{mean:{form}}" + ("" if math.isnan(error) else f" ± {error:{form}}")
