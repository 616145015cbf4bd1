"""The tracking store as a frame: one row per member run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

import pandas as pd

from analysis.names import applicable_defaults
from analysis.runs import store_http
from trainables import schema
from trainables.schema import PARAMS, Cell, Kind
from trainables.store import run_tables
from trainables.store.database import sqlite_path
from trainables.store.run_record import MemberReader, RunRecord
from trainables.tasks import METRIC

_TEXT = (
    "run_id", "experiment", "member", "cell", "status", "error", "note", "latent", "dataset_content",
    *(name for name, one in PARAMS.items() if one.is_text),
)  # fmt: skip
_FLOAT = tuple(name for name, one in PARAMS.items() if one.kind is Kind.FLOAT)
_INTEGER = (
    "diverged", "pruned", "epoch", *(name for name, one in PARAMS.items() if one.kind is Kind.INTEGER),
)  # fmt: skip
_TIMES = ("start_time", "end_time")
_LEADING = (
    "run_id", "experiment", "member", "cell", "status", "diverged", "pruned", "error", "note",
    *_TIMES, *schema.MEMBER_PARAMS, "latent", "dataset_content", "epoch",
)  # fmt: skip
_BY_STATUS = {"FINISHED": 0, "RUNNING": 1, "SCHEDULED": 1}
_OTHER_STATUS = 2
_LARGEST = 2**63 - 1
_LAST_MS = _LARGEST // 10**6
"""In the year 2262: pandas counts nanoseconds in 64 bits."""


def step_column(metric: str) -> str:
    """Return the name of the column that holds the step of a metric's value."""
    return f"{metric}_step"


def load_runs(tracking_uri: str, *, metrics: Sequence[str] | None = None) -> pd.DataFrame:
    """Return one row per member run of a whole store, over all experiments, deleted ones left out.

    The columns are `run_id, experiment, member, cell` (content hashes, computed from the params), `status`,
    `diverged` and `pruned` (epochs), `error`, `note`, `start_time`, `end_time` (UTC), every param of the
    schema with its type (a default that applies to the estimator is filled in, what else is not stated is
    missing), the hyperparameters that only estimators of users have, `latent` ("8x4"), `dataset_content`
    (what the images were made from, where that can differ), `epoch` (last step of the asked metrics), every
    asked metric at its last step, and `<metric>_step`, which is missing where the metric was never logged.

    `attrs["skipped"]` counts the member runs that are not in the frame, by the reason.

    Args:
        tracking_uri: Of a database (sqlite, postgresql; read through SQL) or a server (http, https; read
            through MLflow's client). Both give identical frames. A SQLite file that does not exist gives an
            empty frame and is not created.
        metrics: The metrics wanted, those of the schema by default.
    Raises:
        ValueError: If the URI is neither of a database nor of a server.
    """
    wanted = tuple(METRIC if metrics is None else (metrics,) if isinstance(metrics, str) else metrics)
    return runs_frame(read_run_records(tracking_uri, wanted), wanted)


def runs_frame(records: Iterable[RunRecord], metrics: Sequence[str]) -> pd.DataFrame:
    """Return the frame of `load_runs` from runs that were read already, ordered by start.

    Args:
        records: Member runs.
        metrics: The metrics wanted.
    """
    skipped: Counter[str] = Counter()
    rows: list[dict[str, Any]] = []
    row_of = _RowReader(metrics)
    for record in records:
        try:
            rows.append(row_of(record))
        except (ValueError, KeyError) as error:
            skipped[f"no {error.args[0]}" if isinstance(error, KeyError) else str(error)] += 1
    columns = [*_LEADING, *row_of.own, *metrics, *map(step_column, metrics)]
    frame = _typed(pd.DataFrame(rows, columns=columns), [*row_of.own, *metrics], metrics)
    frame = frame.sort_values(["start_time", "run_id"], ignore_index=True)
    frame.attrs["skipped"] = dict(skipped)
    return frame


def resolve_duplicates(runs: pd.DataFrame) -> pd.DataFrame:
    """Return one row per member: its latest finished run, else a running one, else the latest of the others.

    A run that is marked as finished and lacks its last epoch is one of the others, as for a sweep
    (`sweep.store.store`), which trains its member again.

    `attrs["duplicates"]` holds the members with several finished runs and how many each has.
    """
    rank = runs["status"].map(lambda status: _BY_STATUS.get(status, _OTHER_STATUS)).astype("int64")
    lacks_epochs = (runs["diverged"].isna() & (runs["epoch"] < runs["epochs"])).fillna(False).astype("bool")
    rank = rank.mask((runs["status"] == "FINISHED") & lacks_epochs, _OTHER_STATUS)
    latest = runs["end_time"].where(runs["status"] == "FINISHED", runs["start_time"])
    order = pd.DataFrame({"rank": rank, "latest": latest, "start": runs["start_time"], "id": runs["run_id"]})
    order = order.sort_values(["rank", "latest", "start", "id"], ascending=[True, False, False, False])
    resolved = runs.loc[order.index].drop_duplicates("member").sort_index().reset_index(drop=True)
    finished = runs.loc[runs["status"] == "FINISHED", "member"].value_counts()
    resolved.attrs = {**runs.attrs, "duplicates": finished[finished > 1].to_dict()}
    return resolved


def is_server(tracking_uri: str) -> bool:
    """Tell whether a store is read through MLflow's client, not through SQL.

    Raises:
        ValueError: If the URI is neither of a database nor of a server.
    """
    if urlsplit(str(tracking_uri)).scheme in ("http", "https"):
        return True
    if sqlite_path(str(tracking_uri)) is not None:
        return False
    import sqlalchemy as sa  # takes longer than to read a file of ten thousand runs without it

    try:
        sa.make_url(tracking_uri).get_dialect()
    except (sa.exc.ArgumentError, sa.exc.NoSuchModuleError):
        raise ValueError(
            "tracking URI must be sqlite:///FILE, postgresql://USER@HOST/DATABASE, http://HOST "
            f"or https://HOST, got one that starts with {str(tracking_uri).partition(':')[0]!r}"
        ) from None
    return False


def read_run_records(tracking_uri: str, metrics: Sequence[str]) -> Iterable[RunRecord]:
    """Return the member runs of a store; arguments and errors as for `load_runs`."""
    if is_server(tracking_uri):
        return store_http.read_records(tracking_uri)
    return run_tables.read_records(tracking_uri, metrics)


class _RowReader:
    """Turns records into rows; what runs of one cell have in common is made once."""

    def __init__(self, metrics: Sequence[str]) -> None:
        self._metrics = metrics
        self._read_member = MemberReader()
        self._columns: dict[Cell, dict[str, Any]] = {}
        self.own: dict[str, None] = {}
        """Hyperparameters that only estimators of users have, of the runs so far."""

    def __call__(self, record: RunRecord) -> dict[str, Any]:
        """Turn a record into a row.

        Raises:
            ValueError: If the run is of another schema version or a param is not of its type.
            KeyError: If a param without which there is no cell is missing.
        """
        version = record.tags.get(schema.TAG_SCHEMA_VERSION)
        if version != schema.SCHEMA_VERSION:
            raise ValueError(f"schema version {version}" if version else "no schema version")
        member = self._read_member(record.params)
        if member.cell not in self._columns:
            self._columns[member.cell] = _cell_columns(member.cell)
        self.own |= dict.fromkeys(schema.own_names(member.cell.params))
        values = {name: record.metrics[name] for name in self._metrics if name in record.metrics}
        for time in (record.start_time, record.end_time):
            if time is not None and not 0 <= time <= _LAST_MS:
                raise ValueError("a time that is no milliseconds since 1970")
        return {
            **self._columns[member.cell],
            "run_id": record.run_id,
            "experiment": record.experiment,
            "member": member.hash,
            "seed": _integer("seed", str(member.seed)),
            "status": record.status,
            "diverged": _epoch(schema.TAG_DIVERGED, record),
            "pruned": _epoch(schema.TAG_PRUNED, record),
            "error": record.tags.get(schema.TAG_ERROR),
            "note": record.tags.get(schema.TAG_NOTE),
            "dataset_content": record.tags.get(schema.TAG_DATASET_CONTENT),
            "start_time": record.start_time,
            "end_time": record.end_time or None,
            "epoch": max((value.step for value in values.values()), default=None),
            **{name: value.value for name, value in values.items()},
            **{step_column(name): value.step for name, value in values.items()},
        }


def _cell_columns(cell: Cell) -> dict[str, Any]:
    params = {**applicable_defaults(cell), **cell.params}
    typed = {name: _typed_param(name, params[name]) for name in schema.CELL_PARAMS if name in params}
    own = {name: float(params[name]) for name in schema.own_names(params)}
    return {**typed, **own, "cell": cell.hash, "latent": cell.latent}


def _epoch(tag: str, record: RunRecord) -> int | None:
    epoch = record.tags.get(tag)
    if epoch is None:
        return None
    if not epoch.isdecimal():
        raise ValueError(f"tag {tag} must be an epoch, got {epoch!r}")
    return _integer(tag, epoch)


def _typed_param(name: str, text: str) -> str | int | float:
    if PARAMS[name].kind is Kind.INTEGER:
        return _integer(name, text)
    return text if PARAMS[name].is_text else float(text)


def _integer(name: str, text: str) -> int:
    value = int(text)
    if abs(value) > _LARGEST:
        raise ValueError(f"{name} must fit into 64 bits, got {text}")
    return value


def _typed(frame: pd.DataFrame, numbers: Sequence[str], metrics: Sequence[str]) -> pd.DataFrame:
    """Give every column its type, the same whether it has values or not."""
    types = dict.fromkeys(_TEXT, "str") | dict.fromkeys(_INTEGER, "Int64")
    types |= dict.fromkeys([*_FLOAT, *numbers], "float64")
    types |= dict.fromkeys(map(step_column, metrics), "Int64")
    times = {name: pd.to_datetime(frame[name].astype("Int64"), unit="ms", utc=True) for name in _TIMES}
    return frame.astype(types).assign(**times)
