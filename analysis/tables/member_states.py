"""Which runs count: the state of a member in a mean, and how a cell's states read in a table."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from analysis.runs.frame import step_column

COUNTED = "counted"
STATES = ("running", "failed", "diverged", "pruned", "incomplete", "missing")
"""Why a member does not count, in the order in which a status lists them."""
COMPLETE = "complete"
MISSING = "missing"

_RUNNING = ("RUNNING", "SCHEDULED")


def member_states(members: pd.DataFrame, metric: str) -> pd.Series[str]:
    """Return `COUNTED` or one of `STATES` for each member.

    A member counts only if it is finished, did not diverge, and has a finite value of the metric at its last
    epoch. One whose value there is not finite has diverged, tagged or not; "pruned" is one that a search gave
    up before its last epoch, and "incomplete" a finished run without a value there.

    Args:
        members: Rows of a frame of runs; where `status` is missing the member has no run.
        metric: The metric that the mean is of.
    """
    status, value = members["status"], members[metric]
    at_end = (members[step_column(metric)] == members["epochs"]).fillna(False).astype(bool)
    conditions = {
        "missing": status.isna(),
        "running": status.isin(_RUNNING),
        "pruned": members["pruned"].notna() & (status != "FINISHED"),
        "failed": status != "FINISHED",
        "diverged": members["diverged"].notna() | (at_end & ~np.isfinite(value)),
        "incomplete": ~at_end,
    }
    chosen = np.select(list(conditions.values()), list(conditions), default=COUNTED)
    return pd.Series(chosen, index=members.index, dtype="str")


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
