"""Member runs read directly from MLflow's database: four queries, whatever the number of runs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from analysis.run_record import TAG_PREFIX, LastValue, RunRecord
from trainables import schema


def read_records(tracking_uri: str, metrics: Sequence[str]) -> list[RunRecord]:
    """Return every member run of a database store that is not deleted.

    A SQLite file that does not exist is an empty store and is not created; so is a database without tables.

    Args:
        tracking_uri: SQLAlchemy URL of the tracking database.
        metrics: The metrics wanted.
    Raises:
        sqlalchemy.exc.SQLAlchemyError: If the database cannot be reached or is no MLflow store.
    """
    url = sa.make_url(tracking_uri)
    is_sqlite = url.get_backend_name() == "sqlite"
    if is_sqlite and not (url.database and Path(url.database).is_file()):
        return []
    engine = sa.create_engine(url, connect_args={"timeout": 60} if is_sqlite else {})
    try:
        with engine.connect() as connection:
            return _read(connection, metrics) if sa.inspect(connection).has_table("runs") else []
    finally:
        engine.dispose()


def _read(connection: sa.Connection, metrics: Sequence[str]) -> list[RunRecord]:
    from mlflow.store.tracking.dbmodels import models  # imports for seconds, so only where a store is read

    tag, param, latest = models.SqlTag, models.SqlParam, models.SqlLatestMetric
    runs = connection.execute(_member_runs(models)).all()
    members = sa.select(tag.run_uuid).where(tag.key == schema.TAG_KIND, tag.value == schema.KIND_MEMBER)
    tags = _by_run(
        connection,
        sa.select(tag.run_uuid, tag.key, tag.value).where(
            tag.run_uuid.in_(members), tag.key.startswith(TAG_PREFIX)
        ),
    )
    params = _by_run(
        connection, sa.select(param.run_uuid, param.key, param.value).where(param.run_uuid.in_(members))
    )
    values: dict[str, dict[str, LastValue]] = defaultdict(dict)
    statement = sa.select(latest.run_uuid, latest.key, latest.value, latest.step, latest.is_nan).where(
        latest.run_uuid.in_(members), latest.key.in_(metrics)
    )
    for run_id, key, value, step, is_nan in connection.execute(statement):
        values[run_id][key] = LastValue.from_store(value, step, bool(is_nan))
    return [
        RunRecord(run_id, name, status, start, end, params[run_id], tags[run_id], values[run_id])
        for run_id, name, status, start, end in runs
    ]


def _member_runs(models: Any) -> sa.Select[Any]:
    """Select id, experiment, status and times of the member runs that are not deleted."""
    run, experiment, tag = models.SqlRun, models.SqlExperiment, models.SqlTag
    return (
        sa.select(run.run_uuid, experiment.name, run.status, run.start_time, run.end_time)
        .join(experiment, experiment.experiment_id == run.experiment_id)
        .join(tag, tag.run_uuid == run.run_uuid)
        .where(
            tag.key == schema.TAG_KIND,
            tag.value == schema.KIND_MEMBER,
            run.lifecycle_stage == "active",
            experiment.lifecycle_stage == "active",
        )
    )


def _by_run(connection: sa.Connection, statement: sa.Select[Any]) -> dict[str, dict[str, str]]:
    """Collect (run, key, value) rows into one dictionary per run; a run without rows has an empty one."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for run_id, key, value in connection.execute(statement):
        found[run_id][key] = value
    return found
