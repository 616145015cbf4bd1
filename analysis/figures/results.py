"""The members that count for one metric of a figure, and the cells that they are of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.figure_error import FigureError
from analysis.runs.frame import resolve_duplicates
from analysis.statistics.bootstrap import distances
from analysis.statistics.spread import INTERVAL
from analysis.tables.members import merged
from analysis.tables.table import make_table
from analysis.tables.typed_table import Table
from trainables.schema import Cell, CellRequest
from trainables.store.member_state import COUNTED, STATES


@dataclass(frozen=True)
class Results:
    """What the store has of one metric.

    Args:
        metric: The metric.
        spread: What a band is, a key of `TABLE_SPREADS`.
        cells: The wanted cells.
        table: The table of the metric, one row per cell.
        counted: The members that count: `row` (of the cells), `run_id` and `value` at the last epoch.
    """

    metric: str
    spread: str
    cells: tuple[Cell, ...]
    table: Table
    counted: pd.DataFrame

    @classmethod
    def from_runs(
        cls, runs: pd.DataFrame, requests: Iterable[CellRequest], metric: str, spread: str
    ) -> Results:
        """Pick the members that count, as a table does.

        Args:
            runs: A frame of `load_runs` that has the metric.
            requests: The cells and seeds wanted.
            metric: The metric.
            spread: A key of `TABLE_SPREADS`.
        Raises:
            FigureError: If no member counts.
        """
        wanted = merged(requests)
        made = make_table(resolve_duplicates(runs), wanted, metric, spread)
        members = made.members
        counted = members.loc[members["state"] == COUNTED, ["row", "run_id", "value"]]
        if counted.empty:
            raise FigureError(f"nothing to show: {_why(members, metric)}")
        cells = tuple(request.cell for request in wanted)
        return cls(metric, spread, cells, made, counted.reset_index(drop=True))

    @property
    def frame(self) -> pd.DataFrame:
        """The rows of the table."""
        return self.table.rows

    @property
    def labels(self) -> tuple[str, ...]:
        """The label of each cell, as in a table."""
        return tuple(self.frame["label"])

    def errors(self, rows: Sequence[int]) -> npt.NDArray[np.float64]:
        """Return how far the spread of cells reaches below and above their means, shape (2, n)."""
        shown = self.frame.iloc[list(rows)]
        if self.spread == INTERVAL:
            return distances(shown["mean"], shown["low"], shown["high"])
        return np.stack([shown["error"]] * 2)

    def values(self, row: int) -> npt.NDArray[np.float64]:
        """Return the last values of the members of a cell that count."""
        return self.counted.loc[self.counted["row"] == row, "value"].to_numpy(dtype="float64")


def panel_keys(cells: Sequence[Cell]) -> dict[tuple[str, ...], str]:
    """Return what sets panels apart, in the cells' order, and the title of each."""
    keys = list(dict.fromkeys(map(panel_key, cells)))
    several = [len({key[place] for key in keys}) > 1 for place in (0, 1)]
    return {
        key: " ".join([key[2], *(name for name, varies in zip(key, several, strict=False) if varies)])
        for key in keys
    }


def panel_key(cell: Cell) -> tuple[str, ...]:
    """Return task, dataset and latent: losses of different ones do not belong on one axis."""
    return cell.params.get("task", ""), cell.params.get("dataset", ""), cell.latent


def _why(members: pd.DataFrame, metric: str) -> str:
    if members.empty:
        return "no cell is asked for and none is in the store"
    counts = members["state"].value_counts()
    states = ", ".join(f"{counts[state]} {state}" for state in STATES if counts.get(state))
    number = "the only member" if len(members) == 1 else f"none of the {len(members)} members"
    return f"{number} has finished with a {metric} at its last epoch ({states})".replace(
        "the only member has finished", "the only member has not finished"
    )
