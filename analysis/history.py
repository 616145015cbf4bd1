"""The tracking store's histories: a metric's value at every step, of the runs that are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from analysis import history_http, history_sql
from analysis.logged_values import LoggedValues
from analysis.store import is_server


def load_history(tracking_uri: str, metrics: Sequence[str], run_ids: Sequence[str]) -> pd.DataFrame:
    """Return the columns `run_id, metric, step, value`, ordered by them, one row for every step.

    Of several values that a run logged of a metric at one step, the one with the latest time stamp counts.
    What a run never logged has no rows. Run and metric are categories.

    Args:
        tracking_uri: Of a database (read through SQL) or of a server (read through MLflow's client); both
            give identical frames.
        metrics: The metrics wanted.
        run_ids: The runs wanted.
    Raises:
        ValueError: If the URI is neither of a database nor of a server.
    """
    reader = history_http if is_server(tracking_uri) else history_sql
    return _frame(list(reader.read_values(tracking_uri, tuple(metrics), tuple(run_ids))))


def _frame(parts: Sequence[LoggedValues]) -> pd.DataFrame:
    run_ids = pd.Categorical(_joined([np.array(part.run_ids, dtype="object") for part in parts], "str"))
    names = np.repeat([part.metric for part in parts], [len(part.steps) for part in parts])
    frame = pd.DataFrame(
        {
            "run_id": run_ids,
            "metric": pd.Categorical(names.astype("str")),
            "step": _joined([part.steps for part in parts], "int64"),
            "value": _joined([part.values for part in parts], "float64"),
        }
    )
    timestamps = _joined([part.timestamps for part in parts], "int64")
    codes = frame["metric"].cat.codes, frame["run_id"].cat.codes
    order = np.lexsort((frame["value"], timestamps, frame["step"], *codes))
    latest = frame.iloc[order].drop_duplicates(["run_id", "metric", "step"], keep="last")
    return latest.reset_index(drop=True)


def _joined(arrays: Sequence[npt.NDArray[Any]], dtype: str) -> npt.NDArray[Any]:
    return np.concatenate(arrays) if arrays else np.array([], dtype=dtype)
