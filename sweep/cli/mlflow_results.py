"""What a sweep's runs get once it has ended: its table and report as artifacts, and curves of its cells."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from sweep.cli.report import report_file
from sweep.cli.table_text import TableOptions, table_text
from trainables.error_reason import reason_of
from trainables.schema import KIND_CELL, KIND_SWEEP, TAG_CELL, TAG_CURVES, TAG_KIND, experiment_names

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient
    from mlflow.entities import Experiment, Run

    from sweep.home import Home
    from sweep.spec.sweep_spec import Spec

TABLE_ARTIFACT = "table.html"
REPORT_ARTIFACT = "report.html"
_MOST_METRICS = 1000
"""Of a batch, as MLflow takes them."""
_CELLS_AT_ONCE = 32
"""Whose histories are in memory together."""


def put_results(spec: str, home: Home, compare: str | None = None, *, has_pages: bool = True) -> str:
    """Log what a sweep has come to, and return what could not be logged, in words.

    Curves are of the members that count in tables: their mean, and from two on their sample standard
    deviation, after every epoch that all of them have a value of. A cell whose curves are of these members
    already is left alone.

    Args:
        spec: A preset's name, or a file.
        home: Where the store is.
        compare: What stands beside the means in the table.
        has_pages: Whether table and report are made too.
    """
    from sweep.spec.file import load_spec
    from sweep.store.refusal import STORE_AWAY
    from sweep.store.store import Store

    store = Store(home)
    loaded = load_spec(spec, declared=store.declared)
    try:
        experiment = experiment_of(store.client, loaded.name)
        if experiment is None:
            return ""
        if has_pages:
            _put_pages(store.client, experiment, spec, home, compare)
        _put_curves(store.client, experiment, loaded, home)
    except STORE_AWAY as error:
        return f"warning: the store has no curves, table or report of this sweep yet: {reason_of(error)}"
    return ""


def experiment_of(client: MlflowClient, sweep: str) -> Experiment | None:
    """Return a sweep's experiment; none where there is none that is not deleted."""
    for name in experiment_names(sweep):
        experiment = client.get_experiment_by_name(name)
        if experiment is None or experiment.lifecycle_stage != "deleted":
            return experiment
    return None


def _put_pages(
    client: MlflowClient, experiment: Experiment, spec: str, home: Home, compare: str | None
) -> None:
    from sweep.store.artifact_bytes import log_bytes

    run = next(_runs(client, experiment, KIND_SWEEP), None)
    if run is None:
        return
    table = table_text([spec], home, TableOptions(output_format="html", compare=compare))
    log_bytes(client, run.info.run_id, table.encode(), TABLE_ARTIFACT)
    with TemporaryDirectory(prefix="catsweep-") as folder:
        page = report_file(spec, home, Path(folder, REPORT_ARTIFACT))
        client.log_artifact(run.info.run_id, str(page))


def _put_curves(client: MlflowClient, experiment: Experiment, spec: Spec, home: Home) -> None:
    from analysis import load_history, load_runs
    from analysis.runs.frame import resolve_duplicates
    from analysis.tables.members import wanted_members
    from trainables.task_registry import TASKS

    task = TASKS[spec.task]
    runs = {run.data.tags[TAG_CELL]: run for run in _runs(client, experiment, KIND_CELL)}
    requests = [request for request in spec.requests() if request.cell.hash in runs]
    resolved = resolve_duplicates(load_runs(home.tracking_uri, metrics=[task.headline]))
    members = wanted_members(resolved, requests, task.headline).dropna(subset=["value"])
    counted = {int(str(row)): sorted(group) for row, group in members.groupby("row")["run_id"]}
    of_cells = [
        (runs[request.cell.hash], counted[row]) for row, request in enumerate(requests) if row in counted
    ]
    news = [(run, ids) for run, ids in of_cells if run.data.tags.get(TAG_CURVES) != _content(ids)]
    for start in range(0, len(news), _CELLS_AT_ONCE):
        some = news[start : start + _CELLS_AT_ONCE]
        history = load_history(home.tracking_uri, task.metrics, [one for _, ids in some for one in ids])
        for run, ids in some:
            of_cell = history[history["run_id"].isin(ids)]
            _log(client, run, _points(of_cell, len(ids), before=_last_step(run)))
            client.set_tag(run.info.run_id, TAG_CURVES, _content(ids))


def _last_step(run: Run) -> int:
    """Return the step of the cell's own last values, which the driver writes."""
    return int(run.data.params["epochs"])


def _points(history: pd.DataFrame, num_members: int, before: int) -> Iterator[tuple[str, float, int]]:
    """Yield name, value and step of means and standard deviations over members, before the last step."""
    grouped = history.groupby(["metric", "step"], observed=True)["value"].agg(["count", "mean", "std"])
    for (metric, step), count, mean, std in grouped.itertuples():
        if step < before and count == num_members:
            yield f"{metric}_mean", mean, step
            if num_members > 1:
                yield f"{metric}_std", std, step


def _log(client: MlflowClient, run: Run, points: Iterable[tuple[str, float, int]]) -> None:
    from mlflow.entities import Metric

    rows = [Metric(name, value, run.info.start_time + step, step) for name, value, step in points]
    for start in range(0, len(rows), _MOST_METRICS):
        client.log_batch(run.info.run_id, rows[start : start + _MOST_METRICS])


def _content(run_ids: Sequence[str]) -> str:
    return hashlib.sha256("".join(run_ids).encode()).hexdigest()[:16]


def _runs(client: MlflowClient, experiment: Experiment, kind: str) -> Iterator[Run]:
    token = None
    while True:
        page = client.search_runs(
            [experiment.experiment_id], f"tags.`{TAG_KIND}` = '{kind}'", page_token=token
        )
        yield from page
        token = page.token
        if not token:
            return
