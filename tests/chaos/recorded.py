"""What a tracking store holds, read from its tables themselves, and whether it is what it should be."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import NullPool, create_engine, text
from sqlalchemy.exc import OperationalError, ProgrammingError

Epoch = tuple[str, str, int]
"""Member, metric and epoch."""

_SECONDS = "epoch_seconds"
_RUNS = """
select runs.run_uuid, kind.value, coalesce(member.value, cell.value, 'sweep'), status, end_time
from runs
join tags kind on kind.run_uuid = runs.run_uuid and kind.key = 'catsweep.kind'
left join tags member on member.run_uuid = runs.run_uuid and member.key = 'catsweep.member'
left join tags cell on cell.run_uuid = runs.run_uuid and cell.key = 'catsweep.cell'
where runs.lifecycle_stage = 'active'
"""
_ROWS = "select run_uuid, key, step, value, timestamp from metrics where not is_nan"
_LATEST = "select run_uuid, key, step, value from latest_metrics where not is_nan"


@dataclass(frozen=True)
class Recorded:
    """A store as its tables show it. Numbers are hexadecimal: equal means equal in every bit.

    Args:
        runs: How many runs each member, cell and sweep has, by kind and hash.
        statuses: Status of each member's run.
        ends: When each finished member's run ended, in milliseconds since 1970.
        epochs: How many rows each metric of a member has in each epoch.
        values: Those rows' value, but for metrics that measure time.
        timing: When each epoch of a member ended, in milliseconds since 1970, and how many seconds it took.
        latest: The last epoch and value of each metric of members and cells, as the UI and the plan see it.
        sweep_status: Status of the sweep's run.
    """

    runs: Counter[tuple[str, str]]
    statuses: Mapping[str, str]
    ends: Mapping[str, int]
    epochs: Counter[Epoch]
    values: Mapping[Epoch, str]
    timing: Mapping[tuple[str, int], tuple[int, float]]
    latest: Mapping[tuple[str, str], tuple[int, str]]
    sweep_status: str | None


def read_store(database: str) -> Recorded:
    """Read a store's tables; nothing where they are not there yet.

    Args:
        database: Their URL, as SQLAlchemy is told it.
    """
    engine = create_engine(database, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            runs = connection.execute(text(_RUNS)).all()
            rows = connection.execute(text(_ROWS)).all()
            latest = connection.execute(text(_LATEST)).all()
    except (OperationalError, ProgrammingError):
        runs, rows, latest = [], [], []
    kinds = {run_id: kind for run_id, kind, *_ in runs}
    names = {run_id: name for run_id, _, name, *_ in runs}
    of_members = [row for row in rows if kinds.get(row[0]) == "member"]
    return Recorded(
        Counter((kind, name) for _, kind, name, *_ in runs),
        {name: status for _, kind, name, status, _ in runs if kind == "member"},
        {name: end for _, kind, name, status, end in runs if (kind, status) == ("member", "FINISHED")},
        Counter((names[run_id], key, step) for run_id, key, step, *_ in of_members),
        {
            (names[run_id], key, step): value.hex()
            for run_id, key, step, value, _ in of_members
            if not _is_time(key)
        },
        {
            (names[run_id], step): (moment, value)
            for run_id, key, step, value, moment in of_members
            if key == _SECONDS
        },
        {
            (names[run_id], key): (step, value.hex())
            for run_id, key, step, value in latest
            if run_id in names and not _is_time(key)
        },
        next((status for _, kind, _, status, _ in runs if kind == "sweep"), None),
    )


def check_recorded(recorded: Recorded, undisturbed: Recorded) -> None:
    """Fail unless a store holds what the undisturbed sweep's holds: all of it, once, to the last bit."""
    assert set(recorded.runs) == set(undisturbed.runs), "members or cells are missing, or too many"
    assert set(recorded.runs.values()) == {1}, "a member, a cell or the sweep has several runs"
    assert set(recorded.statuses.values()) == {"FINISHED"}, "a member has not finished"
    assert set(recorded.epochs) == set(undisturbed.epochs), "an epoch is missing, or too many"
    assert set(recorded.epochs.values()) == {1}, "an epoch is there several times"
    assert recorded.values == undisturbed.values, "a number differs"
    assert recorded.latest == undisturbed.latest, "the last numbers are others than those of the last epoch"
    assert recorded.sweep_status == "FINISHED", "the sweep has not finished"


def _is_time(metric: str) -> bool:
    return metric.startswith(_SECONDS)
