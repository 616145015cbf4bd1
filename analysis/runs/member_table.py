"""Members as they leave a store: what `catsweep export` writes, and `catsweep import` compares with."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from analysis.runs.frame import resolve_duplicates, runs_frame
from analysis.runs.history import load_history
from trainables import schema
from trainables.schema import MEMBER_PARAMS, format_own, format_param, own_names
from trainables.store.member_file import EPOCH, INTEGERS, LEADING
from trainables.store.run_reader import read_records
from trainables.store.run_record import RunRecord
from trainables.task_registry import METRIC

_ALWAYS = frozenset({"member", "cell", "experiment", "status", "seed"})
_OF_TAGS = {"declaration": schema.TAG_ESTIMATOR, "pack_size": schema.TAG_PACK_SIZE, "code": schema.TAG_CODE}


def load_members(tracking_uri: str, members: Collection[str] | None = None) -> pa.Table:
    """Return the members of a store with every metric of every epoch, a row for each.

    Of several runs of a member the one that counts is taken, as in tables. Params are the store's strings,
    defaults that apply filled in. Members are in the order in which their cells began, and of their seeds.

    Args:
        tracking_uri: Of a database or a server; both give equal tables.
        members: Hashes of those wanted; all where none are given.
    Returns:
        A table whose columns are those of `trainables.store.member_file.LEADING` that say anything, `epoch`
        and the metrics.
    Raises:
        ValueError: If the URI is neither of a database nor of a server.
    """
    records = read_records(tracking_uri)
    runs = resolve_duplicates(runs_frame(records, tuple(METRIC))).runs
    if members is not None:
        runs = runs[runs["member"].isin(set(members))]
    begun = runs.groupby("cell")["start_time"].transform("min")
    runs = runs.assign(begun=begun).sort_values(["begun", "cell", "seed"], kind="stable")
    runs = runs.reset_index(drop=True)
    names = _metric_names(records)
    history = load_history(tracking_uri, names, runs["run_id"])
    of_run, steps, values = _by_row(history, runs["run_id"], names)
    leading = _leading(runs, {record.run_id: record for record in records})
    names_of_columns = [*LEADING, *(str(name) for name in leading if name not in LEADING)]
    stated = [name for name in names_of_columns if name in _ALWAYS or leading[name].notna().any()]
    columns = {name: _repeated(leading[name], of_run, name) for name in stated}
    return pa.table({**columns, EPOCH: steps, **values})


def _metric_names(records: Iterable[RunRecord]) -> list[str]:
    """Return every metric that members have logged: those of the schema in its order, then others."""
    found = {name for record in records for name in record.metrics}
    return [*(name for name in METRIC if name in found), *sorted(found.difference(METRIC))]


def _by_row(
    history: pd.DataFrame, run_ids: pd.Series[str], names: Sequence[str]
) -> tuple[Any, pa.Array, dict[str, pa.Array]]:
    """Return for every row of the table the place of its run, its step, and its value of every metric."""
    places = pd.Index(run_ids).get_indexer(pd.Index(history["run_id"].astype("str")))
    steps = history["step"].to_numpy()
    keys = np.stack([places, steps], axis=1)
    without = np.setdiff1d(np.arange(len(run_ids)), places)
    rows, row_of = np.unique(keys, axis=0, return_inverse=True)
    order = np.argsort(np.concatenate([rows[:, 0], without]), kind="stable")
    row_of = np.argsort(order)[row_of.reshape(-1)]
    of_run = np.concatenate([rows[:, 0], without])[order]
    is_without = np.concatenate([np.zeros(len(rows), bool), np.ones(len(without), bool)])[order]
    all_steps = np.concatenate([rows[:, 1], np.zeros(len(without), rows.dtype)])[order]
    values = {}
    metric_of = history["metric"].astype("str").to_numpy()
    for name in names:
        is_it = metric_of == name
        column, is_missing = np.zeros(len(order)), np.ones(len(order), bool)
        column[row_of[is_it]] = history["value"].to_numpy()[is_it]
        is_missing[row_of[is_it]] = False
        values[name] = pa.array(column, mask=is_missing, from_pandas=False)
    return of_run, pa.array(all_steps, pa.int64(), mask=is_without), values


def _leading(runs: pd.DataFrame, records: Mapping[str, RunRecord]) -> pd.DataFrame:
    """Return what does not change from epoch to epoch, a row a member."""
    found = runs[["member", "cell", "experiment", "status", "error", "note", "dataset_content"]].copy()
    for name in MEMBER_PARAMS:
        found[name] = [None if pd.isna(value) else format_param(name, value) for value in runs[name]]
    stated = [records[run_id].params for run_id in runs["run_id"]]
    for name in dict.fromkeys(name for params in stated for name in own_names(params)):
        found[name] = [
            format_own(name, params[name]) if name in own_names(params) else None for params in stated
        ]
    for name, tag in _OF_TAGS.items():
        found[name] = [records[run_id].tags.get(tag) for run_id in runs["run_id"]]
    found["pack_size"] = pd.to_numeric(found["pack_size"], errors="coerce").astype("Int64")
    for name in ("start_time", "end_time"):
        times = runs[name].astype("datetime64[ms, UTC]")
        found[name] = times.astype("int64").astype("Int64").mask(times.isna())
    return found.assign(diverged=runs["diverged"], pruned=runs["pruned"])


def _repeated(column: pd.Series[Any], of_run: Any, name: str) -> pa.Array:
    """Return a member's value in each of its rows."""
    kind = pa.int64() if name in INTEGERS else pa.string()
    values = pa.array([None if pd.isna(value) else value for value in column], kind)
    taken = pa.array(of_run, pa.int64())
    if kind == pa.int64():
        return values.take(taken)
    encoded = values.dictionary_encode()
    return pa.DictionaryArray.from_arrays(encoded.indices.take(taken), encoded.dictionary)
