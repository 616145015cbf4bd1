"""The tracking store's histories: a metric's value at every step, of the runs that are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import product

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis.runs import history_sql
from analysis.runs.logged_values import LoggedRow, LoggedValues, row_code
from trainables.store.run_client import read_series
from trainables.store.run_reader import is_server


def load_history(
    tracking_uri: str, metrics: Sequence[str] | str, run_ids: Sequence[str] | pd.Series[str]
) -> pd.DataFrame:
    """Return the columns `run_id, metric, step, value`, ordered by them, one row for every step.

    Of several values that a run logged of a metric at one step, the one with the latest time stamp counts.
    What a run never logged has no rows. Run and metric are categories.

    Args:
        tracking_uri: Of a database (read through SQL) or of a server (read through MLflow's client); both
            give identical frames.
        metrics: The metrics wanted.
        run_ids: The runs wanted, for example the column of a frame of `load_runs`.
    Raises:
        ValueError: If the URI is neither of a database nor of a server.
    """
    read_rows = _of_server if is_server(tracking_uri) else history_sql.read_rows
    names = sorted({metrics} if isinstance(metrics, str) else set(metrics))
    runs = sorted(set(run_ids))
    return _frame(LoggedValues.from_rows(read_rows(tracking_uri, runs, names)), names, runs)


def _of_server(tracking_uri: str, runs: Sequence[str], names: Sequence[str]) -> Iterator[Iterable[LoggedRow]]:
    wanted = list(product(range(len(runs)), range(len(names))))
    found = read_series(tracking_uri, [(runs[run], names[metric]) for run, metric in wanted])
    for places, series in zip(wanted, found, strict=True):
        code = row_code(*places, len(names))
        yield [(code, *one) for one in series]


def _frame(logged: LoggedValues, names: Sequence[str], runs: Sequence[str]) -> pd.DataFrame:
    """Return the frame of the series of these metrics and runs, both ascending."""
    order = _order(logged)
    series, steps = logged.series[order], logged.steps[order]
    is_latest = np.ones(len(order), dtype="bool")
    is_latest[:-1] = (np.diff(series) != 0) | (np.diff(steps) != 0)
    run_places, metric_places = np.divmod(series[is_latest], max(len(names), 1))
    return pd.DataFrame(
        {
            "run_id": _categories(run_places, runs),
            "metric": _categories(metric_places, names),
            "step": steps[is_latest],
            "value": logged.values[order][is_latest],
        }
    )


def _order(logged: LoggedValues) -> npt.NDArray[np.int64]:
    """Return the order by series, step, time and value; most often it is the one that the rows are in."""
    series_gaps, step_gaps = np.diff(logged.series), np.diff(logged.steps)
    if np.all((series_gaps > 0) | ((series_gaps == 0) & (step_gaps > 0))):
        return np.arange(len(logged.series))
    return np.lexsort((logged.values, logged.timestamps, logged.steps, logged.series))


def _categories(places: npt.NDArray[np.int64], names: Sequence[str]) -> pd.Categorical:
    """Return the names at these places; a name that is at none is no category."""
    is_used = np.bincount(places, minlength=len(names)) > 0
    used = [name for name, is_one in zip(names, is_used, strict=True) if is_one]
    return pd.Categorical.from_codes((np.cumsum(is_used) - 1)[places], pd.Index(used, dtype="str"))
