"""Which runs count: the state of a member in a mean, and how a cell's states read in a table."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from analysis.runs.frame import step_column
from trainables.store.member_state import MISSING, STATES, member_state

COMPLETE = "complete"


def member_states(members: pd.DataFrame, metric: str) -> pd.Series[str]:
    """Return what `trainables.store.member_state.member_state` says of each member, for a mean of a metric.

    Args:
        members: Rows of a frame of runs; where `status` is missing the member has no run.
        metric: The metric that the mean is of.
    """
    at_end = (members[step_column(metric)] == members["epochs"]).fillna(False).astype(bool)
    columns = (
        members["status"].astype("object").where(members["status"].notna(), None),
        members["diverged"].notna(),
        members["pruned"].notna(),
        at_end,
        np.isfinite(members[metric]),
    )
    states = [
        member_state(status, is_diverged=diverged, is_pruned=pruned, is_at_end=ended, is_finite=finite)
        for status, diverged, pruned, ended, finite in zip(*columns, strict=True)
    ]
    return pd.Series(states, index=members.index, dtype="str")


def status_text(num_counted: int, num_requested: int, states: Mapping[str, int]) -> str:
    """Return how complete a cell is: "complete", "missing", or "8 of 10; 1 failed, 1 missing".

    Args:
        num_counted: Members in the mean.
        num_requested: Members asked for.
        states: How many members are in each of `STATES`.
    """
    if num_counted == num_requested:
        return COMPLETE
    if states.get(MISSING, 0) == num_requested:
        return MISSING
    parts = ", ".join(f"{states[state]} {state}" for state in STATES if states.get(state))
    return f"{num_counted} of {num_requested}; {parts}"
