"""Histories read from a tracking server through MLflow's client: one request for each run and metric."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product

from analysis.series import Point, Series

_AT_A_TIME = 8


def read_series(tracking_uri: str, metrics: Sequence[str], run_ids: Sequence[str]) -> list[Series]:
    """Return what a tracking server holds of these metrics and runs.

    Args:
        tracking_uri: http or https address of the server.
        metrics: The metrics wanted.
        run_ids: The runs wanted.
    Raises:
        mlflow.exceptions.MlflowException: If the server cannot be reached or refuses.
    """
    from mlflow import MlflowClient  # imports for seconds, so only where a server is read

    client = MlflowClient(tracking_uri=tracking_uri)

    def read(wanted: tuple[str, str]) -> Series:
        history = client.get_metric_history(*wanted)
        return Series.from_points(*wanted, [Point(one.step, one.timestamp, one.value) for one in history])

    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        return [series for series in pool.map(read, product(run_ids, metrics)) if len(series.steps)]
