"""Histories read directly from MLflow's database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from analysis.logged_values import LoggedRow
from trainables.run_tables import METRIC_HISTORY, connected

_RUNS_PER_QUERY = 500
_COLUMNS = ("step", "timestamp", "value", "is_nan")
_INDEX = "index_metrics_run_uuid_key_step"


def read_rows(
    tracking_uri: str, metrics: Sequence[str], run_ids: Sequence[str]
) -> Iterator[Iterable[LoggedRow]]:
    """Yield what a database store holds of these metrics and runs, in parts to be read one after the other.

    Args:
        tracking_uri: SQLAlchemy URL of the tracking database.
        metrics: The metrics wanted.
        run_ids: The runs wanted.
    Raises:
        sqlalchemy.exc.SQLAlchemyError: If the database cannot be reached or is no MLflow store.
    """
    with connected(tracking_uri) as connection:
        if connection is None or not metrics:
            return
        source = _source(connection)
        for start in range(0, len(run_ids), _RUNS_PER_QUERY):
            part = range(start, min(start + _RUNS_PER_QUERY, len(run_ids)))
            yield _rows(
                connection.execute(_wanted(source, metrics, {run_ids[place]: place for place in part}))
            )


def _source(connection: sa.Connection) -> sa.TextClause:
    """Return the table of all logged values.

    SQLite has to be told the index: without statistics it would read all runs' rows of a metric.
    """
    if connection.dialect.name == "sqlite":
        known = {index["name"] for index in sa.inspect(connection).get_indexes(METRIC_HISTORY.name)}
        if _INDEX in known:
            return sa.text(f"{METRIC_HISTORY.name} INDEXED BY {_INDEX}")
    return sa.text(METRIC_HISTORY.name)


def _wanted(source: sa.TextClause, metrics: Sequence[str], places: Mapping[str, int]) -> sa.Select[Any]:
    """Select the rows of some runs. Runs and metrics come back as numbers, which are read in half the time."""
    run = sa.values(sa.column("place", sa.Integer), sa.column("id", sa.String)).data(
        [(place, run_id) for run_id, place in places.items()]
    ).cte("run")  # fmt: skip
    key = sa.column("key", sa.String)
    metric = sa.case({name: place for place, name in enumerate(metrics)}, value=key)
    columns: list[sa.ColumnClause[Any]] = [sa.column(name) for name in _COLUMNS]
    statement = sa.select(run.c.place, metric, *columns).select_from(run, source)
    return statement.where(sa.column("run_uuid") == run.c.id, key.in_(metrics))


def _rows(result: sa.CursorResult[Any]) -> Iterable[LoggedRow]:
    """Return the rows as the driver gives them: SQLAlchemy's own would take as long again."""
    rows: Iterable[Any] = result.all() if result.cursor is None else result.cursor
    return rows
