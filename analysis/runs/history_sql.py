"""Histories read directly from MLflow's database.

By hand: curves of a latent are to take 5 s, and `pandas.read_sql_query` takes twice the time for these rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from analysis.runs.logged_values import LoggedRow, row_code
from trainables.store.database import opened

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
    with opened(tracking_uri) as connection:
        if connection is None or not metrics:
            return
        source, is_nan = _source(connection), _is_nan(connection)
        for start in range(0, len(run_ids), _RUNS_PER_QUERY):
            places = list(enumerate(run_ids[start : start + _RUNS_PER_QUERY], start))
            yield _rows(connection.execute(_wanted(source, is_nan, places, metrics)))


def _source(connection: sa.Connection) -> str:
    """Return the table of all logged values.

    SQLite has to be told the index: without statistics it would read all runs' rows of a metric.
    """
    if connection.dialect.name == "sqlite":
        known = {index["name"] for index in sa.inspect(connection).get_indexes(_TABLE)}
        if _INDEX in known:
            return f"{_TABLE} INDEXED BY {_INDEX}"
    return _TABLE


def _is_nan(connection: sa.Connection) -> sa.ColumnElement[int]:
    """Return the flag of NaN as a number, which SQLite has anyway: a cast costs a tenth of a row's time."""
    flag = sa.column("is_nan", sa.Integer)
    return flag if connection.dialect.name == "sqlite" else sa.cast(flag, sa.Integer)


def _wanted(
    source: str, is_nan: sa.ColumnElement[int], places: Sequence[tuple[int, str]], metrics: Sequence[str]
) -> sa.Select[Any]:
    """Select the rows of some runs, which come back as their places, as metrics do.

    The joins are CROSS JOIN since SQLite keeps these in order: run by run it reads twice as fast as metric
    by metric, and rows come as they are wanted.
    """
    count = len(metrics)
    run = _coded("run", [(row_code(place, 0, count), run_id) for place, run_id in places])
    metric = _coded("metric", [(row_code(0, place, count), name) for place, name in enumerate(metrics)])
    of_run, of_metric = (sa.literal_column(f"{one}.code", sa.BigInteger) for one in ("run", "metric"))
    return (
        sa.select(
            of_run + of_metric + is_nan,
            sa.column("step"),
            sa.column("timestamp"),
            sa.column("value", sa.Float),
        )
        .select_from(sa.text(f"run CROSS JOIN metric CROSS JOIN {source}"))
        .where(sa.text("run_uuid = run.name AND key = metric.name"))
        .add_cte(run, metric)
    )


def _coded(table: str, codes: Sequence[tuple[int, str]]) -> sa.CTE:
    """Return a table of names and what each adds to `row_code`; `case` would cost half of a row's time."""
    columns = sa.column("code", sa.BigInteger), sa.column("name", sa.String)
    return sa.values(*columns).data(codes).cte(table)


def _rows(result: sa.CursorResult[Any]) -> Iterable[LoggedRow]:
    """Return the rows as the driver gives them: SQLAlchemy's own would take as long again."""
    return result.all() if result.cursor is None else result.cursor  # type: ignore[return-value]
