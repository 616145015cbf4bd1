"""Histories read directly from MLflow's database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from analysis.logged_values import LoggedValues
from trainables.run_tables import METRIC_HISTORY, connected

_RUNS_PER_QUERY = 500
_COLUMNS = ("run_uuid", "step", "timestamp", "value", "is_nan")
_INDEX = "index_metrics_run_uuid_key_step"


def read_values(tracking_uri: str, metrics: Sequence[str], run_ids: Sequence[str]) -> Iterator[LoggedValues]:
    """Yield what a database store holds of these metrics and runs, in parts.

    Args:
        tracking_uri: SQLAlchemy URL of the tracking database.
        metrics: The metrics wanted.
        run_ids: The runs wanted.
    Raises:
        sqlalchemy.exc.SQLAlchemyError: If the database cannot be reached or is no MLflow store.
    """
    with connected(tracking_uri) as connection:
        if connection is None:
            return
        source = _source(connection)
        for metric in metrics:
            for start in range(0, len(run_ids), _RUNS_PER_QUERY):
                statement = _wanted(source, metric, run_ids[start : start + _RUNS_PER_QUERY])
                rows = _rows(connection.execute(statement))
                if rows:
                    yield LoggedValues.from_store(metric, *zip(*rows, strict=True))


def _source(connection: sa.Connection) -> sa.FromClause | sa.TextClause:
    """Return the table of all logged values.

    SQLite has to be told the index: without statistics it would read all runs' rows of a metric.
    """
    if connection.dialect.name == "sqlite":
        known = {index["name"] for index in sa.inspect(connection).get_indexes(METRIC_HISTORY.name)}
        if _INDEX in known:
            return sa.text(f"{METRIC_HISTORY.name} INDEXED BY {_INDEX}")
    return METRIC_HISTORY


def _wanted(source: sa.FromClause | sa.TextClause, metric: str, run_ids: Sequence[str]) -> sa.Select[Any]:
    run: sa.ColumnClause[str] = sa.column("run_uuid")
    key: sa.ColumnClause[str] = sa.column("key")
    columns: list[sa.ColumnClause[Any]] = [sa.column(name) for name in _COLUMNS]
    return sa.select(*columns).select_from(source).where(run.in_(run_ids), key == metric)


def _rows(result: sa.CursorResult[Any]) -> Sequence[Sequence[Any]]:
    """Return the rows as the driver gives them: SQLAlchemy's own would take as long again."""
    return result.all() if result.cursor is None else result.cursor.fetchall()
