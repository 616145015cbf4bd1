"""Whole runs made at once: in a database many with one statement, on a server one after the other."""

from __future__ import annotations

import math
import uuid
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweep.store.store import Store
from trainables.store.run_record import MLFLOW_INFINITY

if TYPE_CHECKING:
    import sqlalchemy as sa

Row = tuple[str, float, int, int]
"""Metric, value, milliseconds since 1970, and step."""

_RUNS_PER_STATEMENT = 500
_RUNS_PER_TRANSACTION = 10_000
_CACHE_KIB = 500_000
_METRICS_PER_BATCH = 900
_NAME_TAG = "mlflow.runName"


@dataclass(frozen=True)
class NewRun:
    """A run that a store is to have.

    Args:
        experiment_id: Of the experiment that it is in.
        name: What the UI calls it.
        status: MLflow's.
        times: Start and end, milliseconds since 1970; an end may be missing.
        tags: Its tags.
        params: Its params.
        rows: Its metrics.
    """

    experiment_id: str
    name: str
    status: str
    times: tuple[int, int | None]
    tags: Mapping[str, str]
    params: Mapping[str, str]
    rows: Sequence[Row]


class RunMaker(ABC):
    """Makes runs; all that were given are there once `flush` returns."""

    @abstractmethod
    def make(self, run: NewRun) -> str:
        """Make a run, now or with `flush`, and return its id."""

    @abstractmethod
    def flush(self) -> None:
        """See that the store holds all runs."""


def run_maker(store: Store) -> RunMaker:
    """Return what makes runs in a store."""
    return _OnServer(store) if store.home.is_server else _InDatabase(store)


class _OnServer(RunMaker):
    def __init__(self, store: Store) -> None:
        self._client = store.client

    def make(self, run: NewRun) -> str:
        from mlflow.entities import Metric, Param

        start, end = run.times
        made = self._client.create_run(run.experiment_id, start, dict(run.tags), run.name)
        run_id = str(made.info.run_id)
        params = [Param(*item) for item in run.params.items()]
        rows = [Metric(*row) for row in run.rows]
        for first in range(0, max(len(rows), 1), _METRICS_PER_BATCH):
            self._client.log_batch(run_id, rows[first:][:_METRICS_PER_BATCH], () if first else params)
        self._client.set_terminated(run_id, run.status, end)
        return run_id

    def flush(self) -> None:
        pass


class _InDatabase(RunMaker):
    """Writes MLflow's own tables: a member takes milliseconds, by its client a fifth of a second."""

    def __init__(self, store: Store) -> None:
        import sqlalchemy as sa

        store.check()  # makes the tables where there are none yet
        self._client = store.client
        self._engine = sa.create_engine(store.home.tracking_uri)
        self._connection: sa.Connection | None = None
        self._num_open = 0
        self._places: dict[str, str] = {}
        self._runs: list[tuple[str, NewRun]] = []

    def make(self, run: NewRun) -> str:
        run_id = uuid.uuid4().hex
        self._runs.append((run_id, run))
        if len(self._runs) >= _RUNS_PER_STATEMENT:
            self._insert()
        if self._num_open >= _RUNS_PER_TRANSACTION:
            self._commit()
        return run_id

    def flush(self) -> None:
        self._insert()
        self._commit()
        self._engine.dispose()

    def _insert(self) -> None:
        from mlflow.store.tracking.dbmodels import models

        made, self._runs = self._runs, []
        connection = self._transaction()
        for model, rows in (
            (models.SqlRun, [self._run_row(*one) for one in made]),
            (models.SqlTag, [row for one in made for row in _tag_rows(*one)]),
            (models.SqlParam, [row for one in made for row in _pairs(one[0], one[1].params)]),
            (models.SqlMetric, [row for one in made for row in _metric_rows(*one)]),
            (models.SqlLatestMetric, [row for one in made for row in _latest_rows(*one)]),
        ):
            if rows:
                connection.execute(model.__table__.insert(), rows)
        self._num_open += len(made)

    def _transaction(self) -> sa.Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
            if self._connection.dialect.name == "sqlite":  # rows of metrics go all over its indices
                self._connection.exec_driver_sql(f"PRAGMA cache_size = -{_CACHE_KIB}")
        return self._connection

    def _commit(self) -> None:
        if self._connection is not None:
            self._connection.commit()
            self._connection.close()
        self._connection, self._num_open = None, 0

    def _run_row(self, run_id: str, run: NewRun) -> dict[str, Any]:
        place = self._places.get(run.experiment_id)
        if place is None:
            place = self._client.get_experiment(run.experiment_id).artifact_location.rstrip("/")
            self._places[run.experiment_id] = place
        start, end = run.times
        return {
            "run_uuid": run_id,
            "name": run.name,
            "source_type": "UNKNOWN",
            "source_name": "",
            "entry_point_name": "",
            "user_id": "",
            "status": run.status,
            "start_time": start,
            "end_time": end,
            "source_version": "",
            "lifecycle_stage": "active",
            "artifact_uri": f"{place}/{run_id}/artifacts",
            "experiment_id": int(run.experiment_id),
        }


def _tag_rows(run_id: str, run: NewRun) -> list[dict[str, Any]]:
    return _pairs(run_id, {**run.tags, _NAME_TAG: run.name})


def _pairs(run_id: str, values: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"run_uuid": run_id, "key": key, "value": value} for key, value in values.items()]


def _metric_rows(run_id: str, run: NewRun) -> list[dict[str, Any]]:
    return [_metric_row(run_id, row) for row in run.rows]


def _latest_rows(run_id: str, run: NewRun) -> list[dict[str, Any]]:
    latest: dict[str, Row] = {}
    for row in run.rows:
        if row[0] not in latest or row[3] >= latest[row[0]][3]:
            latest[row[0]] = row
    return [_metric_row(run_id, row) for row in latest.values()]


def _metric_row(run_id: str, row: Row) -> dict[str, Any]:
    """Return a row in MLflow's encoding: of NaN a flag beside a zero, of infinity the largest number."""
    key, value, time, step = row
    is_nan = math.isnan(value)
    stored = 0.0 if is_nan else math.copysign(MLFLOW_INFINITY, value) if math.isinf(value) else value
    return {
        "run_uuid": run_id, "key": key, "value": stored, "timestamp": time, "step": step, "is_nan": is_nan,
    }  # fmt: skip
