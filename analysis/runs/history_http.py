"""Histories read from a tracking server through MLflow's client: one request for each run and metric."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product

from analysis.runs.logged_values import LoggedRow, row_code

_AT_A_TIME = 8


def read_rows(
    tracking_uri: str, run_ids: Sequence[str], metrics: Sequence[str]
) -> Iterator[Iterable[LoggedRow]]:
    """Yield what a tracking server holds of some runs and metrics, in parts.

    Args:
        tracking_uri: http or https address of the server.
        run_ids: The runs wanted.
        metrics: The metrics wanted.
    Raises:
        mlflow.exceptions.MlflowException: If the server cannot be reached or refuses.
    """
    from mlflow import MlflowClient  # imports for seconds, so only where a server is read

    client = MlflowClient(tracking_uri=tracking_uri)

    def read(places: tuple[int, int]) -> list[LoggedRow]:
        run, metric = places
        code = row_code(run, metric, len(metrics), 0)
        history = client.get_metric_history(run_ids[run], metrics[metric])
        return [(code, one.step, one.timestamp, one.value) for one in history]

    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        yield from pool.map(read, product(range(len(run_ids)), range(len(metrics))))
