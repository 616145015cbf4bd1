"""The tables of a report: those that `catsweep tables` prints, with the best of a grid first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from analysis.comparison import PUBLISHED, has_published
from analysis.names import digits_of, metric_name
from analysis.sheet import lay_out
from analysis.sheet_parts import Sheet
from analysis.tables import table
from trainables.schema import GRADIENT_COSINES, GRADIENT_QUALITY, GRADIENT_SPREADS, MNIST_VAE, CellRequest

SHOWN_METRICS: Mapping[str, tuple[str, ...]] = {
    MNIST_VAE: ("test_neg_elbo", "train_neg_elbo"),
    GRADIENT_QUALITY: (*reversed(GRADIENT_COSINES), *GRADIENT_SPREADS),
}
"""What each task's tables are of, its headline metric first."""
_FEW_COLUMNS = 3


@dataclass(frozen=True)
class MetricTables:
    """The tables of one metric.

    Args:
        metric: Its name in the store.
        title: What people call it.
        shown: The table that is open.
        folded: Titles and tables that open on a click.
    """

    metric: str
    title: str
    shown: Sheet
    folded: tuple[tuple[str, Sheet], ...]

    @property
    def is_narrow(self) -> bool:
        """Whether two such tables have room beside each other on a wide screen."""
        return len(self.shown.header) <= _FEW_COLUMNS and not self.shown.below


def metric_tables(
    runs: pd.DataFrame, requests: Sequence[CellRequest], metric: str, *, has_choice: bool, is_first: bool
) -> MetricTables:
    """Return the tables of one metric.

    Args:
        runs: A frame of `load_runs` with the metric and, for a choice, `train_neg_elbo`.
        requests: The cells and seeds wanted, of one task.
        metric: The metric.
        has_choice: Whether there are cells to choose the best from; the choice then comes first.
        is_first: Whether what was chosen stands open below the table.
    """
    digits = digits_of(metric)
    every = table(runs, requests, metric=metric)
    select = "best" if has_choice else None
    shown = lay_out(table(runs, requests, metric=metric, select=select) if has_choice else every, digits)
    folded = [("Every cell", lay_out(every, digits))] if has_choice else []
    if not is_first:
        folded = [*((below.title, below) for below in shown.below), *folded]
        shown = replace(shown, below=())
    if any(has_published(request.cell, metric, PUBLISHED) for request in requests):
        compared = table(runs, requests, metric=metric, select=select, compare=PUBLISHED)
        compared.attrs.pop("selected_by", None)  # the choice stands below the first table
        folded.append(("Beside the published numbers", lay_out(compared, digits)))
    name = metric_name(metric).text
    title = f"{name[0].upper()}{name[1:]}"
    return MetricTables(metric, title, shown, tuple(folded))
