"""The best cell of each estimator and latent, whose curves and pictures are shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import pandas as pd

from analysis.runs.frame import Resolved
from analysis.tables.ranking import candidate_keys
from analysis.tables.selection import select_best
from analysis.tables.table import make_table
from trainables.schema import CellRequest
from trainables.task_registry import metric_of


@dataclass(frozen=True)
class Leader:
    """The best cell of an estimator and a latent.

    Args:
        row: Which of the wanted cells it is.
        label: What the tables call it.
        mean: Its mean of the metric that selects at the last epoch, in that metric's unit.
        num_counted: Over how many seeds.
        num_requested: How many were asked for.
        is_chosen: Whether `--select best` chooses it; if not, no cell is complete, and it is the best so far.
        num_candidates: From how many cells.
    """

    row: int
    label: str
    mean: float
    num_counted: int
    num_requested: int
    is_chosen: bool
    num_candidates: int


def leaders(resolved: Resolved, wanted: Sequence[CellRequest], select_by: str) -> list[Leader]:
    """Return the best cell of each estimator and latent of which a member has finished.

    It is the one that `select_best` chooses; where it chooses none, the one with the best mean over what has
    finished so far. Cells with a note are no candidates.

    Args:
        resolved: What `resolve_duplicates` gives, with the metric.
        wanted: The cells and seeds wanted, each cell once.
        select_by: The metric that selects.
    """
    cells = [request.cell for request in wanted]
    selection = select_best(resolved, wanted, select_by)
    chosen = {choice.request.cell.hash for choice in selection.choices if choice and choice.is_chosen}
    frame = make_table(resolved, wanted, select_by).rows
    sign = -1 if metric_of(select_by).is_higher_better else 1
    groups: dict[Hashable, list[int]] = defaultdict(list)
    for row, key in enumerate(candidate_keys(cells)):
        if not cells[row].note:
            groups[key].append(row)
    found = []
    for rows in groups.values():
        counted = [row for row in rows if frame["n"].iloc[row]]
        best = [row for row in counted if cells[row].hash in chosen]
        if counted:
            row = min(best or counted, key=lambda row: sign * frame["mean"].iloc[row])
            found.append(_leader(frame.iloc[row], row, bool(best), len(rows)))
    return found


def _leader(shown: pd.Series, row: int, is_chosen: bool, num_candidates: int) -> Leader:
    counts = int(shown["n"]), int(shown["num_requested"])
    return Leader(row, str(shown["label"]), float(shown["mean"]), *counts, is_chosen, num_candidates)
