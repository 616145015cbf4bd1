"""Member runs and histories read from a tracking server through MLflow's client."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from trainables import schema
from trainables.store.run_record import LastValue, RunRecord

_PAGE = 1000
_AT_A_TIME = 8
_ORDER = ["attributes.start_time ASC"]
"""Pages are counted from the start: newest first, a run that begins meanwhile would push one to the next."""
_FILTER = f"tags.`{schema.TAG_KIND}` = '{schema.KIND_MEMBER}'"


def read_records(tracking_uri: str, metrics: Sequence[str] | None) -> list[RunRecord]:
    """Return every member run of a tracking server that is not deleted.

    Args:
        tracking_uri: http or https address of the server.
        metrics: The metrics wanted; none stands for all.
    Raises:
        mlflow.exceptions.MlflowException: If the server cannot be reached or refuses.
    """
    client = _client(tracking_uri)
    names = _experiment_names(client)
    records: list[RunRecord] = []
    token: str | None = None
    while names:
        page = client.search_runs(list(names), _FILTER, max_results=_PAGE, order_by=_ORDER, page_token=token)
        records.extend(_record(run, names[run.info.experiment_id], metrics) for run in page)
        token = page.token
        if not token:
            break
    return records


def read_series(
    tracking_uri: str, wanted: Sequence[tuple[str, str]]
) -> Iterator[list[tuple[int, int, float]]]:
    """Yield step, milliseconds since 1970 and value of each time that a run logged a metric.

    Args:
        tracking_uri: http or https address of the server, which gets a request for each.
        wanted: Runs and metrics; what is yielded is in their order.
    Raises:
        mlflow.exceptions.MlflowException: If the server cannot be reached or refuses.
    """
    client = _client(tracking_uri)
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        for history in pool.map(lambda one: client.get_metric_history(*one), wanted):
            yield [(one.step, one.timestamp, one.value) for one in history]


def _client(tracking_uri: str) -> Any:
    from mlflow import MlflowClient  # imports for seconds, so only where a server is read

    return MlflowClient(tracking_uri=tracking_uri)


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


def _record(run: Any, experiment: str, metrics: Sequence[str] | None) -> RunRecord:
    # RunData's dictionaries drop the steps; its wire form keeps them.
    values = {
        metric.key: LastValue.from_store(metric.value, metric.step)
        for metric in run.data.to_proto().metrics
        if metrics is None or metric.key in metrics
    }
    info, data = run.info, run.data
    times = (info.start_time, info.end_time)
    return RunRecord(info.run_id, experiment, info.status, *times, data.params, data.tags, values)
