"""The tracking store's histories: a metric's value at every step, of the runs that are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

from trainables.store.database import opened
from trainables.store.run_client import read_history
from trainables.store.run_reader import is_server
from trainables.store.run_record import MLFLOW_INFINITY

_RUNS_PER_QUERY = 500
_COLUMNS = ("run_id", "metric", "step", "timestamp", "value")
_QUERY = """
SELECT run_uuid AS run_id, key AS metric, step, timestamp, CASE WHEN is_nan THEN NULL ELSE value END AS value
FROM metrics WHERE run_uuid IN :runs AND key || '' IN :metrics
"""
"""The empty text keeps SQLite from the index of the keys, in which all runs' rows of a metric stand."""


def load_history(
    tracking_uri: str, metrics: Sequence[str] | str, run_ids: Sequence[str] | pd.Series[str]
) -> pd.DataFrame:
    """Return the columns `run_id, metric, step, value`, ordered by them, one row for every step.

    Of several values that a run logged of a metric at one step, the one with the latest time stamp counts.
    What a run never logged has no rows. Run and metric are categories.

    Args:
        tracking_uri: Of a database (read through SQL) or of a server (read through MLflow's client); both
            give identical frames.
        metrics: The metrics wanted.
        run_ids: The runs wanted, for example the column of a frame of `load_runs`.
    Raises:
        ValueError: If the URI is neither of a database nor of a server.
    """
    names = sorted({metrics} if isinstance(metrics, str) else set(metrics))
    runs = sorted(set(run_ids))
    if is_server(tracking_uri):
        rows = read_history(tracking_uri, runs, names)
        parts = [_typed(pd.DataFrame(rows, columns=list(_COLUMNS)), runs, names)]
    else:
        parts = list(_tables(tracking_uri, runs, names))
    empty = _typed(pd.DataFrame(columns=list(_COLUMNS)), runs, names)
    return _latest(pd.concat(parts) if parts else empty)


def _tables(tracking_uri: str, runs: Sequence[str], names: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Yield what a database holds of some runs and metrics, some runs at a time."""
    with opened(tracking_uri) as connection:
        if connection is None or not names:
            return
        import sqlalchemy as sa

        query = sa.text(_QUERY).bindparams(
            *(sa.bindparam(name, expanding=True) for name in ("runs", "metrics"))
        )
        for start in range(0, len(runs), _RUNS_PER_QUERY):
            wanted = {"runs": list(runs[start : start + _RUNS_PER_QUERY]), "metrics": list(names)}
            yield _typed(pd.read_sql_query(query, connection, params=wanted), runs, names)


def _typed(rows: pd.DataFrame, runs: Sequence[str], names: Sequence[str]) -> pd.DataFrame:
    """Give every column its type; MLflow stores the largest float for infinity."""
    types = {"step": "int64", "timestamp": "int64", "value": "float64"}
    of_names = {"run_id": pd.CategoricalDtype(list(runs)), "metric": pd.CategoricalDtype(list(names))}
    typed = rows.astype({**types, **of_names})
    infinite = typed["value"].abs() >= MLFLOW_INFINITY
    return typed.assign(value=typed["value"].mask(infinite, np.sign(typed["value"]) * np.inf))


def _latest(logged: pd.DataFrame) -> pd.DataFrame:
    """Return of every step the value with the latest time stamp, in order."""
    order = ["run_id", "metric", "step"]
    latest = logged.sort_values([*order, "timestamp", "value"]).drop_duplicates(order, keep="last")
    used = {name: latest[name].cat.remove_unused_categories() for name in order[:2]}
    return latest.drop(columns="timestamp").assign(**used).reset_index(drop=True)
