"""The tables below a table: the hyperparameters that were chosen, and the tests against the best."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import pandas as pd

from analysis.formats.sheet import UNDEFINED, Entry, Sheet, number, rows_of
from analysis.names import form_of, metric_name
from analysis.tables.typed_table import Table
from trainables.schema import param_of
from trainables.task_registry import metric_of

_LEAST_P = 0.001
_TEST_NOTES = (
    "Difference: the mean less that of the best of the latent. p: Welch's t-test, two-sided, that both means "
    "are equal. p (Holm): corrected for all tests of the latent; -- where a side has fewer than two runs, or "
    "neither has a spread.",
    "P(better): the share of pairs of runs in which the row's is better than the best's, a tie counting "
    "half (Mann and Whitney's U over n m): 0.50 is no difference.",
    "The best was picked by these same runs, which makes p too small. Runs are taken as independent, though "
    "those of one seed begin with the same parameters.",
)


def sheets_below(table: Table, form: str) -> tuple[Sheet, ...]:
    """Return what a table shows below itself; nothing where cells were neither chosen nor tested.

    Args:
        table: A table.
        form: Format of the numbers, such as ".2f".
    """
    sheets = []
    if table.facts.selected_by is not None and len(table.rows):
        sheets.append(_chosen(table.rows, table.facts.selected_by, table.facts.hyperparameters, form))
    if table.facts.tested:
        sheets.append(_tests(table.rows, form))
    return tuple(sheets)


def _chosen(frame: pd.DataFrame, metric: str, names: Sequence[str], form: str) -> Sheet:
    """Lay out the chosen cells as Table 5 does, one line each, with an account of every choice."""
    is_shown = metric == frame["metric"].iloc[0]
    own_form = form if is_shown else form_of(metric)
    rows = [row for row in rows_of(frame) if row["account"]]
    entries = tuple(
        (
            Entry(row["label"]),
            Entry(row["latent"]),
            *(Entry(row[name] or UNDEFINED if row["cell"] else UNDEFINED) for name in names),
            Entry(number(row["selected_mean"], own_form)),
            Entry(f"{row['num_complete']} of {row['num_candidates']}"),
        )
        for row in rows
    )
    shown = (param_of(name).heading for name in names)
    header = ("estimator", "latent", *shown, metric, "complete")
    notes = (
        *_choice_notes(metric, is_shown=is_shown),
        *(f"{row['label']} {row['latent']}: {row['account']}." for row in rows),
    )
    num_text = 3 if list(names[:1]) == ["optimizer"] else 2
    return Sheet(header, entries, notes, num_text, title="Chosen hyperparameters")


def _choice_notes(metric: str, *, is_shown: bool) -> Iterator[str]:
    best = "highest" if metric_of(metric).is_higher_better else "lowest"
    yield (
        f"Chosen is, of each estimator and latent, the cell with the {best} mean {metric_name(metric).text} "
        f"({metric}) at the last epoch, among the candidates of which every seed counts (complete)."
    )
    if is_shown:
        yield f"The {metric} shown is also what chose: new seeds of the chosen cells would do a little worse."


def _tests(frame: pd.DataFrame, form: str) -> Sheet:
    rows = tuple(
        (
            Entry(row["label"]),
            Entry(row["latent"]),
            Entry(str(row["n"])),
            Entry("best" if row["best"] == row["cell"] else number(row["to_best"], f"+{form}")),
            Entry(_p_value(row["p_welch"])),
            Entry(_p_value(row["p_holm"])),
            Entry(number(row["p_better"], ".2f")),
        )
        for row in rows_of(frame)
        if row["best"]
    )
    header = ("estimator", "latent", "n", "difference", "p", "p (Holm)", "P(better)")
    return Sheet(header, rows, _TEST_NOTES, 2, title="Tests against the best of each latent")


def _p_value(p: float) -> str:
    if math.isnan(p):
        return UNDEFINED
    return f"<{_LEAST_P}" if p < _LEAST_P else f"{p:.3f}"
