"""Member runs read from a tracking server through MLflow's client."""

from __future__ import annotations

from typing import Any

from trainables import schema
from trainables.store.run_record import LastValue, RunRecord

_PAGE = 1000
_ORDER = ["attributes.start_time ASC"]
"""Pages are counted from the start: newest first, a run that begins meanwhile would push one to the next."""
_FILTER = f"tags.`{schema.TAG_KIND}` = '{schema.KIND_MEMBER}'"


def read_records(tracking_uri: str) -> list[RunRecord]:
    """Return every member run of a tracking server that is not deleted, with all its metrics.

    Args:
        tracking_uri: http or https address of the server.
    Raises:
        mlflow.exceptions.MlflowException: If the server cannot be reached or refuses.
    """
    from mlflow import MlflowClient  # imports for seconds, so only where a server is read

    client = MlflowClient(tracking_uri=tracking_uri)
    names = _experiment_names(client)
    records: list[RunRecord] = []
    token: str | None = None
    while names:
        page = client.search_runs(list(names), _FILTER, max_results=_PAGE, order_by=_ORDER, page_token=token)
        records.extend(_record(run, names[run.info.experiment_id]) for run in page)
        token = page.token
        if not token:
            break
    return records


def _experiment_names(client: Any) -> dict[str, str]:
    """Return the names of the experiments that are not deleted, by their id."""
    names: dict[str, str] = {}
    token: str | None = None
    while True:
        page = client.search_experiments(max_results=_PAGE, page_token=token)
        names.update({experiment.experiment_id: experiment.name for experiment in page})
        token = page.token
        if not token:
            return names


def _record(run: Any, experiment: str) -> RunRecord:
    # RunData's dictionaries drop the steps; its wire form keeps them.
    metrics = {
        metric.key: LastValue.from_store(metric.value, metric.step) for metric in run.data.to_proto().metrics
    }
    info = run.info
    return RunRecord(
        run_id=info.run_id,
        experiment=experiment,
        status=info.status,
        start_time=info.start_time,
        end_time=info.end_time,
        params=run.data.params,
        tags=run.data.tags,
        metrics=metrics,
    )
