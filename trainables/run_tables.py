"""Member runs read directly from MLflow's database: four queries, whatever the number of runs.

MLflow's client takes some 8 ms a run. MLflow's tables are named here once more, since to import its models
takes seconds; a test compares the two.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from trainables import metrics as known
from trainables import schema
from trainables.run_record import TAG_PREFIX, LastValue, RunRecord


def _table(name: str, *columns: str) -> sa.TableClause:
    return sa.table(name, *(sa.column(column) for column in columns))


EXPERIMENTS = _table("experiments", "experiment_id", "name", "lifecycle_stage")
RUNS = _table("runs", "run_uuid", "experiment_id", "status", "start_time", "end_time", "lifecycle_stage")
TAGS = _table("tags", "run_uuid", "key", "value")
PARAMS = _table("params", "run_uuid", "key", "value")
LATEST_METRICS = _table("latest_metrics", "run_uuid", "key", "value", "step", "is_nan")
METRIC_HISTORY = _table("metrics", "run_uuid", "key", "value", "step", "timestamp", "is_nan")

_WAIT_SECONDS = 60


def read_records(tracking_uri: str, metrics: Sequence[str]) -> list[RunRecord]:
    """Return every member run of a database store that is not deleted.

    A SQLite file that does not exist is an empty store and is not created; so is a database without tables.

    Args:
        tracking_uri: SQLAlchemy URL of the tracking database.
        metrics: The metrics wanted.
    Raises:
        sqlalchemy.exc.SQLAlchemyError: If the database cannot be reached or is no MLflow store.
    """
    with connected(tracking_uri) as connection:
        return [] if connection is None else _read(connection, metrics)


@contextmanager
def connected(tracking_uri: str) -> Iterator[sa.Connection | None]:
    """Open a database store for reading; None stands for an empty one, which is not created.

    Args:
        tracking_uri: SQLAlchemy URL of the tracking database.
    Raises:
        sqlalchemy.exc.SQLAlchemyError: If the database cannot be reached.
    """
    url = sa.make_url(tracking_uri)
    is_sqlite = url.get_backend_name() == "sqlite"
    if is_sqlite and not (url.database and Path(url.database).is_file()):
        yield None
        return
    engine = sa.create_engine(url, connect_args={"timeout": _WAIT_SECONDS} if is_sqlite else {})
    try:
        with engine.connect() as connection:
            yield connection if sa.inspect(connection).has_table(RUNS.name) else None
    finally:
        engine.dispose()


def _read(connection: sa.Connection, metrics: Sequence[str]) -> list[RunRecord]:
    # Runs first: of one that is being written, what is read later is at least as new as its status.
    runs = connection.execute(_member_runs()).all()
    tag, param, latest = TAGS.c, PARAMS.c, LATEST_METRICS.c
    members = sa.select(tag.run_uuid).where(tag.key == schema.TAG_KIND, tag.value == schema.KIND_MEMBER)
    tags = _by_run(connection, TAGS, tag.run_uuid.in_(members), tag.key.startswith(TAG_PREFIX))
    params = _by_run(connection, PARAMS, param.run_uuid.in_(members))
    values: dict[str, dict[str, LastValue]] = defaultdict(dict)
    statement = sa.select(latest.run_uuid, latest.key, latest.value, latest.step, latest.is_nan).where(
        latest.run_uuid.in_(members), *_is_any_of(latest.key, metrics)
    )
    for run_id, key, value, step, is_nan in connection.execute(statement).all():
        values[run_id][key] = LastValue.from_store(value, step, bool(is_nan))
    return [
        RunRecord(run_id, name, status, start, end, params[run_id], tags[run_id], values[run_id])
        for run_id, name, status, start, end in runs
    ]


def _member_runs() -> sa.Select[Any]:
    """Select id, experiment, status and times of the member runs that are not deleted."""
    run, experiment, tag = RUNS.c, EXPERIMENTS.c, TAGS.c
    joined = RUNS.join(EXPERIMENTS, experiment.experiment_id == run.experiment_id).join(
        TAGS, tag.run_uuid == run.run_uuid
    )
    return (
        sa.select(run.run_uuid, experiment.name, run.status, run.start_time, run.end_time)
        .select_from(joined)
        .where(
            tag.key == schema.TAG_KIND,
            tag.value == schema.KIND_MEMBER,
            run.lifecycle_stage == "active",
            experiment.lifecycle_stage == "active",
        )
    )


def _is_any_of(key: sa.ColumnClause[Any], metrics: Sequence[str]) -> list[sa.ColumnElement[bool]]:
    """Return the condition for these metrics; none for all of the schema, which nearly all rows are of."""
    return [] if set(metrics) == set(known.METRICS) else [key.in_(metrics)]


def _by_run(
    connection: sa.Connection, table: sa.TableClause, *conditions: sa.ColumnElement[bool]
) -> dict[str, dict[str, str]]:
    """Collect the keys and values of each run into a dictionary; of a run without any it is empty."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    run_id, key, value = table.c.run_uuid, table.c.key, table.c.value
    if connection.dialect.name == "sqlite":  # with a third of the time that its rows take one by one
        objects = sa.select(run_id, sa.func.json_group_object(key, value)).where(*conditions)
        for one, text in connection.execute(objects.group_by(run_id)).all():
            found[one] = json.loads(text)
        return found
    for one, name, content in connection.execute(sa.select(run_id, key, value).where(*conditions)).all():
        found[one][name] = content
    return found
