"""The tracking store's histories: a metric's value at every step, of the runs that are asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from analysis import history_http, history_sql
from analysis.series import Series
from analysis.store import is_server

COLUMNS = ("run_id", "metric", "step", "value")


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
    return _frame(reader.read_series(tracking_uri, tuple(metrics), tuple(run_ids)))


def _frame(series: Iterable[Series]) -> pd.DataFrame:
    ordered = sorted(series, key=lambda one: (one.run_id, one.metric))
    lengths = [len(one.steps) for one in ordered]
    empty = np.array([])
    return pd.DataFrame(
        {
            "run_id": _repeated([one.run_id for one in ordered], lengths),
            "metric": _repeated([one.metric for one in ordered], lengths),
            "step": np.concatenate([empty, *(one.steps for one in ordered)]).astype("int64"),
            "value": np.concatenate([empty, *(one.values for one in ordered)]).astype("float64"),
        }
    )


def _repeated(names: Sequence[str], lengths: Sequence[int]) -> pd.Categorical:
    """Return each name as often as its length says, as categories in order."""
    categories = sorted(set(names))
    code_of = {name: code for code, name in enumerate(categories)}
    codes = np.repeat(np.array([code_of[name] for name in names], dtype="int64"), lengths)
    return pd.Categorical.from_codes(codes, categories=pd.Index(categories, dtype="str"))
