"""Values of metrics as a store has them: every time that one was logged, in any order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trainables.run_record import MLFLOW_INFINITY

LoggedRow = tuple[int, int, int, int, float, bool]
"""Places of the run and of the metric among those asked for, step, milliseconds since 1970, value, and whether
the value is NaN, which MLflow stores as a zero."""

_ROW = np.dtype(
    [("run", "i8"), ("metric", "i8"), ("step", "i8"), ("timestamp", "i8"), ("value", "f8"), ("is_nan", "?")]
)


@dataclass(frozen=True)
class LoggedValues:
    """Values of metrics, one for each time that one was logged.

    Args:
        runs: Place of the run among those asked for, shape (n,).
        metrics: Place of the metric among those asked for, shape (n,).
        steps: Shape (n,).
        timestamps: Milliseconds since 1970, shape (n,).
        values: In the metric's unit, shape (n,); may be NaN or infinite.
    """

    runs: npt.NDArray[np.int64]
    metrics: npt.NDArray[np.int64]
    steps: npt.NDArray[np.int64]
    timestamps: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]

    @classmethod
    def from_rows(cls, parts: Iterable[Iterable[LoggedRow]]) -> LoggedValues:
        """Read rows as a store has them: NaN is a flag beside a zero, infinity the largest float.

        Args:
            parts: Rows in parts, which are read one after the other and not kept as Python's objects.
        """
        rows = np.concatenate([np.empty(0, _ROW), *(np.fromiter(part, _ROW) for part in parts)])
        values = rows["value"].copy()
        infinite = np.abs(values) >= MLFLOW_INFINITY
        values[infinite] = np.copysign(np.inf, values[infinite])
        values[rows["is_nan"]] = np.nan
        return cls(*(rows[name].copy() for name in ("run", "metric", "step", "timestamp")), values)
