"""Which cells may be compared with each other, and who is best among them."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from analysis.labels import param_value
from trainables.schema import GRADIENT_QUALITY, HIGHER_IS_BETTER, Cell

_COMPARABLE = ("task", "task_version", "dataset", "epochs", "precision")
"""Cells of a latent are ranked against each other only where these are the same."""
_OF_ONE_TRAINING = ("batch_size", "optimizer", "lr", "trained_with", "trained_temperature", "num_draws")
"""So they are, in the task `gradient_quality`, only where these are the same too: they make the model."""


def column_keys(cells: Sequence[Cell]) -> pd.Series:
    """Return what cells must share to be ranked against each other: latent, task, data, epochs and the like.

    Args:
        cells: The cells, one per row of a table.
    Returns:
        One hashable key per cell, equal for cells that may be compared; dtype object.
    """
    keys = [(cell.latent, *(param_value(cell, name) for name in _names(cell))) for cell in cells]
    return pd.Series(keys, dtype="object")


def ranks(frame: pd.DataFrame, columns: pd.Series, metric: str) -> pd.Series[int]:
    """Rank the ordinary cells that have a mean, best first, among the cells they can be compared with.

    Args:
        frame: A table, one row per cell.
        columns: The keys of `column_keys`.
        metric: The metric that the means are of.
    """
    ranked = frame["mean"].where(frame["note"] == "")
    return (
        ranked.groupby(columns).rank(method="min", ascending=metric not in HIGHER_IS_BETTER).astype("Int64")
    )


def _names(cell: Cell) -> tuple[str, ...]:
    return (*_COMPARABLE, *(_OF_ONE_TRAINING if cell.params.get("task") == GRADIENT_QUALITY else ()))
