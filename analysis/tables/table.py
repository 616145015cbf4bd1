"""From runs to a table: one row per cell, with its mean, its spread, its rank and what is missing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from analysis.choices import check_choice
from analysis.names import ESTIMATOR_NAMES, PAPER_LATENTS
from analysis.published.comparison import COMPARISONS, add_comparison, has_other_settings
from analysis.runs.frame import Resolved, resolve_duplicates, step_column
from analysis.statistics.significance import add_tests
from analysis.statistics.spread import INTERVAL, TABLE_SPREADS, mean_and_spread
from analysis.tables.labels import param_value, row_labels
from analysis.tables.member_states import status_text
from analysis.tables.members import counted_values, dataset_contents, merged, wanted_members
from analysis.tables.ranking import column_keys, params_apart, ranks
from analysis.tables.selection import (
    SELECT_BY,
    SELECTIONS,
    add_selection,
    choosable,
    hyperparameters_of,
    select_best,
    selection_metrics,
)
from analysis.tables.typed_table import Facts, Table
from trainables.schema import CHOOSABLE, DEFAULTS, Cell, CellRequest
from trainables.store.member_state import STATES
from trainables.task_registry import TASKS

SEEDS = "seeds"
"""The column with the values that count, a mapping from each seed to its value."""
COLUMNS = (
    "estimator", "latent", "metric", "n", "mean", "error", "error_kind", "rank", "status", "note",
    "num_requested", "epochs", "cell", "label", *CHOOSABLE, SEEDS,
)  # fmt: skip
_TYPES = {
    **dict.fromkeys(("n", "num_requested"), "int64"),
    **dict.fromkeys(("rank", "epochs"), "Int64"),
    **dict.fromkeys(("mean", "error"), "float64"),
    **dict.fromkeys(
        ("estimator", "latent", "metric", "error_kind", "status", "note", "cell", "label", *CHOOSABLE), "str"
    ),
}


def table(
    runs: pd.DataFrame,
    requests: Iterable[CellRequest] | None = None,
    *,
    metric: str = "test_neg_elbo",
    spread: str = "std",
    compare: str | None = None,
    select: str | None = None,
    select_by: str = SELECT_BY,
    test: bool = False,
) -> pd.DataFrame:
    """Return one row per cell, at full precision.

    A member counts in a mean only if it is finished, did not diverge, and has a value at its last epoch.
    `n` is how many count; `status` says what became of the others. `rank` is 1 for the best mean (the lowest,
    but of a cosine the highest) among the ordinary cells of a latent that differ in nothing but estimator and
    hyperparameters; ties share a rank, and a cell with a note has none. Hyperparameters are strings as the
    run schema writes them, empty where they do not apply; `seeds` has each seed's value that counts.

    Args:
        runs: A frame of `load_runs`.
        requests: The cells and seeds wanted, in the order to be shown; by default every cell of the frame
            with whatever seeds it has, in the order of the papers.
        metric: The metric to average.
        spread: What `error` is: "std", "sem" or "sem-population"; or "ci", which adds `low, high`.
        compare: "published" adds `published, published_error, difference, z, erratum` from the printed
            tables, "curves" the same from the authors' training curves at 8x4, at each cell's own epochs.
        select: "best" leaves, of each estimator and latent, the best cell by `select_by`, and adds what it
            was chosen from (`analysis.tables.selection`); all cells by default.
        select_by: The metric that selects, which the frame must have too.
        test: Whether to test every cell against the best of its latent (`analysis.statistics.significance`).
    Raises:
        ValueError: If the metric, the spread, the comparison or the selection is unknown.
    """
    wanted = _requests_of(runs) if requests is None else requests
    options: dict[str, Any] = {"compare": compare, "select": select, "select_by": select_by, "test": test}
    return make_table(resolve_duplicates(runs), wanted, metric, spread, **options).frame


def make_table(
    resolved: Resolved,
    requests: Iterable[CellRequest],
    metric: str,
    spread: str = "std",
    *,
    compare: str | None = None,
    select: str | None = None,
    select_by: str = SELECT_BY,
    test: bool = False,
) -> Table:
    """Return the table of some members, whose other arguments and errors are those of `table`."""
    _check_options(resolved.runs, metric, spread, compare, select, select_by)
    wanted = merged(requests)
    selection = None if select is None else select_best(resolved, wanted, select_by)
    if selection is not None:
        wanted = list(selection.requests)
    cells = [request.cell for request in wanted]
    members = wanted_members(resolved, wanted, metric)
    values = counted_values(members, len(wanted))
    rows = _rows(wanted, members, values, metric, spread)
    made = Table(rows, _facts(cells, members, resolved), members)
    if selection is not None:
        made = add_selection(made, selection)
    if test:
        made = made.with_rows(add_tests(made.rows, values, column_keys(cells)), tested=True)
    if compare is None:
        return made
    sems = [mean_and_spread(group, "sem").error for group in values]
    other = [cell.hash for cell in cells if has_other_settings(cell)]
    compared = add_comparison(made.rows, cells, sems, compare)
    return made.with_rows(compared, compare=compare, other_settings=other)


def _check_options(
    runs: pd.DataFrame, metric: str, spread: str, compare: str | None, select: str | None, select_by: str
) -> None:
    known = [name for name in runs.columns if step_column(name) in runs.columns]
    check_choice("metric", metric, known)
    check_choice("spread", spread, TABLE_SPREADS)
    if compare is not None:
        check_choice("comparison", compare, COMPARISONS)
    if select is not None:
        check_choice("selection", select, SELECTIONS)
        may_select = [name for name in selection_metrics() if name in known]
        check_choice("metric to select by", select_by, may_select)


def _requests_of(runs: pd.DataFrame) -> list[CellRequest]:
    """Return every cell of the frame with the seeds it has, in the order of the papers."""
    requests = []
    for _, group in runs.groupby("cell", sort=False):
        first = group.iloc[0].dropna()
        notes = set(group["note"].fillna(""))
        params = {str(name): value for name, value in first.items()}
        cell = Cell.from_params(params, note=notes.pop() if len(notes) == 1 else "")
        requests.append(CellRequest(cell, tuple(sorted({int(seed) for seed in group["seed"]}))))
    return sorted(requests, key=_paper_order)


def _paper_order(request: CellRequest) -> tuple[object, ...]:
    cell = request.cell
    estimators, latents = list(ESTIMATOR_NAMES), list(PAPER_LATENTS)
    place = estimators.index(cell.estimator) if cell.estimator in estimators else len(estimators)
    column = latents.index(cell.latent) if cell.latent in latents else len(latents)
    numbers = tuple(
        float(param_value(cell, name) or 0) for name in ("epochs", "lr", "temperature", "eta", "beta")
    )
    texts = tuple(cell.params.get(name, "") for name in ("task", "dataset", "precision", "optimizer"))
    return (cell.note != "", place, cell.estimator, column, cell.latent, texts, numbers, cell.hash)


def _rows(
    wanted: Sequence[CellRequest],
    members: pd.DataFrame,
    values: Sequence[pd.Series[float]],
    metric: str,
    spread: str,
) -> pd.DataFrame:
    """Return the rows of the wanted cells, with ranks and labels."""
    cells = [request.cell for request in wanted]
    states = members.groupby("row")["state"].value_counts().to_dict()
    rows = [
        _row(request, values[row], {state: states.get((row, state), 0) for state in STATES}, metric, spread)
        for row, request in enumerate(wanted)
    ]
    bounds = ("low", "high") if spread == INTERVAL else ()
    own = [name for name in choosable(cells) if name not in CHOOSABLE]
    frame = pd.DataFrame(rows, columns=[*COLUMNS, *own, *bounds])
    frame[own] = frame[own].fillna("")
    frame["rank"] = ranks(frame, column_keys(cells), metric)
    frame["label"] = row_labels(cells)
    return frame.astype({**_TYPES, **dict.fromkeys(own, "str"), **dict.fromkeys(bounds, "float64")})


def _facts(cells: Sequence[Cell], members: pd.DataFrame, resolved: Resolved) -> Facts:
    return Facts(
        datasets=sorted({cell.params.get("dataset", "") for cell in cells} - {""}),
        dataset_contents=dataset_contents(members),
        has_epochs=any(_has_epochs(cell) for cell in cells),
        params_apart=params_apart(cells),
        num_duplicated=int((members["num_finished"] > 1).sum()),
        skipped=resolved.skipped,
        of_other_code=_of_other_versions(cells, resolved.runs, _CODE),
        of_other_data=_of_other_versions(cells, resolved.runs, _DATA),
    )


_CODE = (("estimator", "estimator_version"), ("task", "task_version"))
_DATA = (("dataset", "dataset_version"),)


def _of_other_versions(
    cells: Sequence[Cell], runs: pd.DataFrame, versions_of: Sequence[tuple[str, str]]
) -> dict[str, int]:
    """Return how many members of what a user brought are of another version of it than that of the cells."""
    counts = {}
    for name, version in versions_of:
        used: dict[str, set[str]] = defaultdict(set)
        for cell in cells:
            used[cell.params.get(name, "")].add(param_value(cell, version) or "")
        stated = runs[version].astype("object")
        of_runs = stated.where(stated.notna(), DEFAULTS.get(version, "")).astype("str")
        for one, versions in used.items():
            others = runs[(runs[name] == one) & ~of_runs.isin(versions)]
            if len(others):
                counts[one] = int(others["member"].nunique())
    return counts


def _has_epochs(cell: Cell) -> bool:
    """Tell whether a cell trains for a number of epochs that its spec states."""
    task = TASKS.get(cell.params.get("task", ""))
    return task is None or "epochs" not in task.fixed


def _row(
    request: CellRequest, values: pd.Series[float], states: Mapping[str, int], metric: str, spread: str
) -> dict[str, object]:
    """Return a row without its rank and label."""
    cell, summary = request.cell, mean_and_spread(values, spread)
    return {
        "estimator": cell.estimator,
        "latent": cell.latent,
        "metric": metric,
        "n": summary.n,
        "mean": summary.mean,
        "error": summary.error,
        "error_kind": spread,
        "status": status_text(summary.n, len(request.seeds), states),
        "note": cell.note,
        "num_requested": len(request.seeds),
        "epochs": int(cell.params["epochs"]) if "epochs" in cell.params else None,
        "cell": cell.hash,
        **hyperparameters_of(cell),
        SEEDS: dict(zip(values.index.tolist(), values.tolist(), strict=True)),
        "low": summary.low,
        "high": summary.high,
    }
