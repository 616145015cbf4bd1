"""Which cells may be compared with each other, and who is best among them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence

import pandas as pd

from analysis.tables.labels import budget_params, param_value
from trainables.schema import Cell
from trainables.task_registry import TASKS, metric_of

_COMPARABLE = ("task", "task_version", "dataset", "dataset_version", "epochs", "precision")
"""Cells of a latent are ranked against each other only where these are the same, and what their task adds."""


def column_keys(cells: Sequence[Cell]) -> pd.Series:
    """Return what cells must share to be ranked against each other: latent, task, data, epochs and the like.

    Args:
        cells: The cells, one per row of a table.
    Returns:
        One hashable key per cell, equal for cells that may be compared; dtype object.
    """
    keys = [(cell.latent, *(param_value(cell, name) for name in _names(cell))) for cell in cells]
    return pd.Series(keys, dtype="object")


def candidate_keys(cells: Sequence[Cell]) -> list[Hashable]:
    """Return what cells must share to be candidates for one choice of hyperparameters.

    Beside what `column_keys` asks for, estimator, label and budget: with another name or more samples an
    estimator is another row.

    Args:
        cells: The cells.
    Returns:
        One key per cell.
    """
    return [
        (cell.estimator, cell.label, column, *(param_value(cell, name) for name in budget_params(cell)))
        for cell, column in zip(cells, column_keys(cells), strict=True)
    ]


def ranks(frame: pd.DataFrame, columns: pd.Series, metric: str) -> pd.Series[int]:
    """Rank the ordinary cells that have a mean, best first, among the cells they can be compared with.

    By a metric that is each cell's own no cell is ranked, nor is one that is kept apart from all others of
    its latent: it would be the best of one.

    Args:
        frame: A table, one row per cell.
        columns: The keys of `column_keys`.
        metric: The metric that the means are of.
    """
    ranked = frame["mean"].where((frame["note"] == "") & (not metric_of(metric).is_own))
    places = ranked.groupby(columns).rank(method="min", ascending=not metric_of(metric).is_higher_better)
    num_columns = columns.groupby(frame["latent"]).transform("nunique")
    is_apart = (num_columns > 1) & (ranked.groupby(columns).transform("count") < 2)
    return places.where(~is_apart).astype("Int64")


def params_apart(cells: Sequence[Cell]) -> list[str]:
    """Return the params for which cells of one latent are not ranked against each other."""
    values: dict[tuple[str, str], set[str | None]] = defaultdict(set)
    for cell in cells:
        for name in _names(cell):
            values[cell.latent, name].add(param_value(cell, name))
    return list(dict.fromkeys(name for (_, name), found in values.items() if len(found) > 1))


def _names(cell: Cell) -> tuple[str, ...]:
    task = TASKS.get(cell.params.get("task", ""))
    return (*_COMPARABLE, *(task.comparable_params if task else ()))
