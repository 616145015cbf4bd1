"""The tracking store as a frame: one row per member run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from analysis.names import applicable_defaults
from trainables import schema
from trainables.schema import PARAMS, Cell, Kind
from trainables.store.member_state import FINISHED, is_whole, precedence
from trainables.store.run_reader import read_records
from trainables.store.run_record import MemberReader, RunRecord
from trainables.task_registry import METRIC

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
_DECISIVE = ("status", "run_id", *_TIMES, "diverged", "epoch", "epochs")
"""What says which of a member's runs counts."""
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
    return runs_frame(read_records(tracking_uri, wanted), wanted)


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


@dataclass(frozen=True)
class Resolved:
    """The members of a store, of each the run that counts.

    Args:
        runs: A frame of `load_runs`, with one row per member.
        duplicates: How many finished runs the members have that have several, by hash.
        skipped: How many runs are in no frame, by the reason.
    """

    runs: pd.DataFrame
    duplicates: Mapping[str, int]
    skipped: Mapping[str, int]


def resolve_duplicates(runs: pd.DataFrame) -> Resolved:
    """Return of each member the run that `trainables.store.member_state.precedence` says.

    Args:
        runs: A frame of `load_runs`.
    """
    columns = [_plain(runs[name]) for name in _DECISIVE]
    keys = [
        precedence(status, start, end, run_id, whole=is_whole(status, *epochs))
        for status, run_id, start, end, *epochs in zip(*columns, strict=True)
    ]
    latest = pd.Series(keys, runs.index, "object").sort_values(ascending=False)
    resolved = runs.loc[latest.index].drop_duplicates("member").sort_index().reset_index(drop=True)
    finished = runs.loc[runs["status"] == FINISHED, "member"].value_counts()
    duplicates = {str(member): int(count) for member, count in finished.items() if count > 1}
    return Resolved(resolved, duplicates, runs.attrs.get("skipped", {}))


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


def _plain(column: pd.Series[Any]) -> list[Any]:
    """Return a column's values, integers for times, and None for what is missing."""
    values = column.astype("int64") if isinstance(column.dtype, pd.DatetimeTZDtype) else column
    return values.astype("object").where(column.notna(), None).tolist()


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
