"""The tables of a report: those that `catsweep tables` prints, with the best of a grid first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from analysis.formats.layout import lay_out
from analysis.formats.sheet import Sheet
from analysis.names import form_of, metric_name
from analysis.published.comparison import COMPARISONS, is_alike
from analysis.runs.frame import Resolved
from analysis.tables.selection import SELECT_BY
from analysis.tables.table import make_table
from trainables.schema import CellRequest
from trainables.task import Task

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


def shown_metrics(task: Task) -> tuple[str, ...]:
    """Return what tables of a task are of: its headline, then its choice, its measures, or what selects."""
    measured = tuple(metric.name for metric in task.measured_metrics if metric.may_select)
    others = task.table_metrics or measured or task.selection_metrics[:1]
    return tuple(dict.fromkeys((task.headline, *others)))


def metric_tables(
    resolved: Resolved,
    requests: Sequence[CellRequest],
    metric: str,
    select_by: str | None,
    *,
    is_first: bool,
) -> MetricTables:
    """Return the tables of one metric.

    Args:
        resolved: What `resolve_duplicates` gives, with both metrics.
        requests: The cells and seeds wanted, of one task.
        metric: The metric.
        select_by: The metric that chooses the best cells, which then come first; none where there is nothing
            to choose from.
        is_first: Whether what was chosen stands open below the table.
    """
    form = form_of(metric)
    every = make_table(resolved, requests, metric)
    select, select_by = None if select_by is None else "best", select_by or SELECT_BY
    shown = lay_out(
        make_table(resolved, requests, metric, select=select, select_by=select_by) if select else every, form
    )
    folded = [("Every cell", lay_out(every, form))] if select else []
    if not is_first:
        folded = [*((below.title, below) for below in shown.below), *folded]
        shown = replace(shown, below=())
    cells = [request.cell for request in requests]
    compare = next((one for one in COMPARISONS if any(is_alike(cell, metric, one) for cell in cells)), None)
    if compare is not None:
        compared = make_table(resolved, requests, metric, compare=compare, select=select, select_by=select_by)
        compared = compared.with_rows(compared.rows, selected_by=None)  # stands below the first table
        folded.append(("Beside the published numbers", lay_out(compared, form)))
    name = metric_name(metric).text
    title = f"{name[0].upper()}{name[1:]}"
    return MetricTables(metric, title, shown, tuple(folded))
