"""From runs to a table: one row per cell, with its mean, its spread, its rank and what is missing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from analysis.choices import check_choice
from analysis.comparison import COMPARISONS, add_comparison
from analysis.completeness import COUNTED, STATES, member_states, status_text
from analysis.labels import param_value, row_labels
from analysis.names import ESTIMATOR_NAMES, PAPER_LATENTS
from analysis.statistics import SPREADS, mean_and_spread
from analysis.store import resolve_duplicates, step_column
from trainables.schema import GRADIENT_QUALITY, HIGHER_IS_BETTER, Cell, CellRequest

COLUMNS = (
    "estimator", "latent", "metric", "n", "mean", "error", "error_kind", "rank", "status", "note",
    "num_requested", "epochs", "cell", "label",
)  # fmt: skip
_TYPES = {
    **dict.fromkeys(("n", "num_requested"), "int64"),
    **dict.fromkeys(("rank", "epochs"), "Int64"),
    **dict.fromkeys(("mean", "error"), "float64"),
    **dict.fromkeys(
        ("estimator", "latent", "metric", "error_kind", "status", "note", "cell", "label"), "str"
    ),
}
_COMPARABLE = ("task", "task_version", "dataset", "epochs", "precision")
"""Cells of a latent are ranked against each other only where these are the same."""
_OF_ONE_TRAINING = ("batch_size", "optimizer", "lr", "trained_with", "trained_temperature", "num_draws")
"""So they are, in the task `gradient_quality`, only where these are the same too: they make the model."""


def table(
    runs: pd.DataFrame,
    requests: Iterable[CellRequest] | None = None,
    *,
    metric: str = "test_neg_elbo",
    spread: str = "std",
    compare: str | None = None,
) -> pd.DataFrame:
    """Return one row per cell, at full precision.

    A member counts in a mean only if it is finished, did not diverge, and has a value at its last epoch.
    `n` is how many count; `status` says what became of the others. `rank` is 1 for the best mean (the lowest,
    but of a cosine the highest) among the ordinary cells of a latent that differ in nothing but estimator and
    hyperparameters; ties share a rank, and a cell with a note has none.

    Args:
        runs: A frame of `load_runs`.
        requests: The cells and seeds wanted, in the order to be shown; by default every cell of the frame
            with whatever seeds it has, in the order of the papers.
        metric: The metric to average.
        spread: What `error` is: "std", "sem" or "sem-population".
        compare: "published" adds `published, published_error, difference, z` from the printed tables,
            "curves" the same from the authors' training curves at 8x4, at each cell's own number of epochs.
    Raises:
        ValueError: If the metric, the spread or the comparison is unknown.
    """
    check_choice("metric", metric, [name for name in runs.columns if step_column(name) in runs.columns])
    check_choice("spread", spread, SPREADS)
    if compare is not None:
        check_choice("comparison", compare, COMPARISONS)
    wanted = merged(_requests_of(runs) if requests is None else requests)
    members = wanted_members(resolve_duplicates(runs), wanted, metric)
    frame = _frame(wanted, members, metric, spread)
    frame["rank"] = _ranks(frame, wanted, metric)
    frame["label"] = row_labels([request.cell for request in wanted])
    frame = frame.astype(_TYPES)
    frame.attrs = {
        "skipped": runs.attrs.get("skipped", {}),
        "num_duplicated": int((members["num_finished"] > 1).sum()),
        "datasets": sorted({request.cell.params.get("dataset", "") for request in wanted} - {""}),
    }
    if compare is None:
        return frame
    sems = [mean_and_spread(group, "sem").error for group in _counted(members, len(wanted))]
    return add_comparison(frame, [request.cell for request in wanted], sems, compare)


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


def merged(requests: Iterable[CellRequest]) -> list[CellRequest]:
    """Join requests of the same cell under the same note, so that every row is shown once."""
    merged: dict[tuple[str, str], CellRequest] = {}
    for request in requests:
        key = (request.cell.hash, request.cell.note)
        seen = merged.get(key, CellRequest(request.cell, ()))
        merged[key] = CellRequest(seen.cell, tuple(dict.fromkeys((*seen.seeds, *request.seeds))))
    return list(merged.values())


def wanted_members(resolved: pd.DataFrame, wanted: Sequence[CellRequest], metric: str) -> pd.DataFrame:
    """Return one row per wanted member: which request it is of (`row`), its state, its value if it counts.

    Args:
        resolved: A frame of `resolve_duplicates`.
        wanted: The cells and seeds wanted, each cell once.
        metric: The metric of which the value is.
    """
    pairs = [(row, member.hash) for row, request in enumerate(wanted) for member in request.members]
    members = pd.DataFrame(pairs, columns=["row", "member"]).astype({"row": "int64", "member": "str"})
    members = members.merge(resolved, on="member", how="left")
    members["state"] = member_states(members, metric)
    members["num_finished"] = members["member"].map(resolved.attrs["duplicates"]).fillna(1)
    members["value"] = members[metric].where(members["state"] == COUNTED)
    return members


def _counted(members: pd.DataFrame, num_rows: int) -> list[pd.Series[float]]:
    """Return the values that count, row by row of the table."""
    values = members.dropna(subset=["value"]).groupby("row")["value"]
    groups = dict(iter(values))
    empty = pd.Series([], dtype="float64")
    return [groups.get(row, empty) for row in range(num_rows)]


def _frame(wanted: Sequence[CellRequest], members: pd.DataFrame, metric: str, spread: str) -> pd.DataFrame:
    """Return the table without ranks and labels."""
    counts = members.groupby("row")["state"].value_counts().to_dict()
    rows = []
    for row, values in enumerate(_counted(members, len(wanted))):
        cell, num_requested = wanted[row].cell, len(wanted[row].seeds)
        summary = mean_and_spread(values, spread)
        rows.append(
            {
                "estimator": cell.estimator,
                "latent": cell.latent,
                "metric": metric,
                "n": summary.n,
                "mean": summary.mean,
                "error": summary.error,
                "error_kind": spread,
                "status": status_text(
                    summary.n, num_requested, {state: counts.get((row, state), 0) for state in STATES}
                ),
                "note": cell.note,
                "num_requested": num_requested,
                "epochs": int(cell.params["epochs"]) if "epochs" in cell.params else None,
                "cell": cell.hash,
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _ranks(frame: pd.DataFrame, wanted: Sequence[CellRequest], metric: str) -> pd.Series[int]:
    """Rank the ordinary cells that have a mean, best first, among the cells they can be compared with."""
    comparable = pd.Series(
        [tuple(param_value(request.cell, name) for name in _comparable(request.cell)) for request in wanted],
        dtype="object",
    )
    ranked = frame["mean"].where(frame["note"] == "")
    groups = ranked.groupby([comparable, frame["latent"]])
    return groups.rank(method="min", ascending=metric not in HIGHER_IS_BETTER).astype("Int64")


def _comparable(cell: Cell) -> tuple[str, ...]:
    return (*_COMPARABLE, *(_OF_ONE_TRAINING if cell.params.get("task") == GRADIENT_QUALITY else ()))
