"""Member runs read directly from MLflow's database: four queries, whatever the number of runs.

MLflow's client takes some 8 ms a run. MLflow's tables are named here once more, since to import its models
takes seconds; a test compares the two.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from trainables import schema
from trainables.store.database import DatabaseError, opened, rows
from trainables.store.run_record import LastValue, RunRecord

if TYPE_CHECKING:
    import sqlalchemy as sa

_READ_TAGS = (
    schema.TAG_SCHEMA_VERSION,
    schema.TAG_DIVERGED,
    schema.TAG_PRUNED,
    schema.TAG_ERROR,
    schema.TAG_NOTE,
    schema.TAG_PACK_SIZE,
    schema.TAG_DATASET_CONTENT,
    schema.TAG_ESTIMATOR,
    schema.TAG_CODE,
)
_MEMBERS = "SELECT k.run_uuid FROM tags k WHERE k.key = :kind_tag AND k.value = :member"
_RUNS = """
SELECT r.run_uuid, e.name, r.status, r.start_time, r.end_time FROM tags k
JOIN runs r ON r.run_uuid = k.run_uuid JOIN experiments e ON e.experiment_id = r.experiment_id
WHERE k.key = :kind_tag AND k.value = :member
AND r.lifecycle_stage = 'active' AND e.lifecycle_stage = 'active'
"""
_PARAMS = f"SELECT p.run_uuid, p.key, p.value FROM params p WHERE p.run_uuid IN ({_MEMBERS})"
_PARAMS_OF_SQLITE = """
SELECT p.run_uuid, max(CASE p.key WHEN 'seed' THEN p.value END),
json_group_object(p.key, p.value) FILTER (WHERE p.key <> 'seed') FROM params p GROUP BY p.run_uuid
"""
_MEMBER_TAGS = f"""
SELECT h.run_uuid, h.value FROM tags h WHERE h.key = :member_tag AND h.run_uuid IN ({_MEMBERS})
"""
_KIND = {"kind_tag": schema.TAG_KIND, "member": schema.KIND_MEMBER}


def read_records(tracking_uri: str, metrics: Sequence[str] | None) -> list[RunRecord]:
    """Return every member run of a database store that is not deleted.

    A SQLite file that does not exist is an empty store and is not created; so is a database without tables.
    A run's member tag is among its tags only where its params do not say which member it is of.

    Args:
        tracking_uri: SQLAlchemy URL of the tracking database.
        metrics: The metrics wanted; none stands for all.
    Raises:
        DatabaseError: If the database cannot be reached or is no MLflow store.
    """
    with opened(tracking_uri) as connection:
        return [] if connection is None else _read(connection, metrics)


def _read(connection: sa.Connection, metrics: Sequence[str] | None) -> list[RunRecord]:
    # Runs first: of one that is being written, what is read later is at least as new as its status.
    runs = rows(connection, _RUNS, **_KIND)
    for run_id, _, _, *times in runs:
        if not all(time is None or type(time) is int for time in times):
            raise DatabaseError(f"run {run_id} has a time that is no integer")
    tags, params, values = _tags(connection), _params(connection), _last_values(connection, metrics)
    if any(run_id not in params for run_id, *_ in runs):
        for run_id, member in rows(connection, _MEMBER_TAGS, **_KIND, member_tag=schema.TAG_MEMBER):
            if run_id not in params:
                tags[run_id][schema.TAG_MEMBER] = member
    return [
        RunRecord(
            run_id, name, status, start, end, params.get(run_id, {}), tags[run_id], values.get(run_id, {})
        )
        for run_id, name, status, start, end in runs
    ]


def _tags(connection: sa.Connection) -> dict[str, dict[str, str]]:
    """Return the tags that are read of all runs that have any, and of others none."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    query, names = "SELECT t.run_uuid, t.key, t.value FROM tags t WHERE ", _numbered(_READ_TAGS)
    for run_id, key, value in rows(connection, query + _is_any_of("t.key", names, connection), **names):
        if type(value) is not str:  # SQLite keeps whatever it is given
            raise DatabaseError(f"run {run_id} has a tag {key} that is no text")
        found[run_id][key] = value
    return found


def _params(connection: sa.Connection) -> Mapping[str, Mapping[str, str]]:
    """Return the params of all member runs that have any."""
    found: dict[str, dict[str, str]] = {}
    if not _is_sqlite(connection):
        for run_id, key, value in rows(connection, _PARAMS, **_KIND):
            found.setdefault(run_id, {})[key] = value
        return found
    cells: dict[str, dict[str, str]] = {}  # runs of one cell have one text
    for run_id, seed, text in rows(connection, _PARAMS_OF_SQLITE):
        cell = cells.get(text)
        if cell is None:
            cell = cells[text] = json.loads(text)
        found[run_id] = cell if seed is None else {**cell, "seed": seed}
    return found


def _last_values(
    connection: sa.Connection, metrics: Sequence[str] | None
) -> Mapping[str, Mapping[str, LastValue]]:
    """Return the metrics wanted of all runs that have any."""
    found: dict[str, dict[str, LastValue]] = {}
    if metrics is None:
        names, condition = dict(_KIND), f"l.run_uuid IN ({_MEMBERS})"
    elif metrics:
        names = _numbered(metrics)
        condition = _is_any_of("l.key", names, connection)
    else:
        return found
    query = "SELECT l.run_uuid, l.key, l.value, l.step, l.is_nan FROM latest_metrics l WHERE "
    for run_id, key, value, step, is_nan in rows(connection, query + condition, **names):
        of_run = found.get(run_id)
        if of_run is None:
            of_run = found[run_id] = {}
        if type(step) is not int or not isinstance(value, float | int):
            raise DatabaseError(f"run {run_id} has a metric {key} that is no number")
        of_run[key] = LastValue.from_store(value, step, bool(is_nan))
    return found


def _numbered(values: Sequence[str]) -> dict[str, str]:
    """Return names for the values of a list in a query."""
    return {f"value_{index}": value for index, value in enumerate(values)}


def _is_any_of(column: str, names: Mapping[str, str], connection: sa.Connection) -> str:
    """Return the condition that a key is one of several.

    Where that is most of a table, SQLite is quicker to read it in its order than through the index of the
    keys, from which the sign keeps it.
    """
    is_many = _is_sqlite(connection) and len(names) > 2
    return f"{'+' if is_many else ''}{column} IN ({', '.join(f':{name}' for name in names)})"


def _is_sqlite(connection: sa.Connection) -> bool:
    return connection.dialect.name == "sqlite"
