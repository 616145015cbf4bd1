"""Histories read directly from MLflow's database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from analysis.logged_values import LoggedRow, row_code
from trainables.database import connected

_RUNS_PER_QUERY = 500
_INDEX = "index_metrics_run_uuid_key_step"
_TABLE = "metrics"


def read_rows(
    tracking_uri: str, run_ids: Sequence[str], metrics: Sequence[str]
) -> Iterator[Iterable[LoggedRow]]:
    """Yield what a database store holds of some runs and metrics, in parts to be read one after the other.

    Args:
        tracking_uri: SQLAlchemy URL of the tracking database.
        run_ids: The runs wanted.
        metrics: The metrics wanted.
    Raises:
        DatabaseError: If the database cannot be reached or is no MLflow store.
    """
    with connected(tracking_uri) as connection:
        if connection is None or not metrics:
            return
        source = _source(connection)
        for start in range(0, len(run_ids), _RUNS_PER_QUERY):
            places = list(enumerate(run_ids[start : start + _RUNS_PER_QUERY], start))
            yield _rows(connection.execute(_wanted(source, places, metrics)))


def _source(connection: sa.Connection) -> sa.TextClause:
    """Return the table of all logged values.

    SQLite has to be told the index: without statistics it would read all runs' rows of a metric.
    """
    if connection.dialect.name == "sqlite":
        known = {index["name"] for index in sa.inspect(connection).get_indexes(_TABLE)}
        if _INDEX in known:
            return sa.text(f"{_TABLE} INDEXED BY {_INDEX}")
    return sa.text(_TABLE)


def _wanted(
    source: sa.TextClause, places: Sequence[tuple[int, str]], metrics: Sequence[str]
) -> sa.Select[Any]:
    """Select the rows of some runs, which come back as their places, as metrics do."""
    key, value = sa.column("key", sa.String), sa.column("value", sa.Float)
    run = sa.values(sa.column("place", sa.BigInteger), sa.column("id", sa.String)).data(places).cte("run")
    metric = sa.case({name: place for place, name in enumerate(metrics)}, value=key)
    code = row_code(run.c.place, metric, len(metrics), sa.cast(sa.column("is_nan"), sa.Integer))
    return (
        sa.select(code, sa.column("step"), sa.column("timestamp"), value)
        .select_from(run, source)
        .where(sa.column("run_uuid") == run.c.id, key.in_(metrics))
    )


def _rows(result: sa.CursorResult[Any]) -> Iterable[LoggedRow]:
    """Return the rows as the driver gives them: SQLAlchemy's own would take as long again."""
    return result.all() if result.cursor is None else result.cursor  # type: ignore[return-value]
