"""Values of metrics as a store has them: every time that one was logged, in any order."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from trainables.store.run_record import MLFLOW_INFINITY

LoggedRow = tuple[int, int, int, float]
"""`row_code`, step, milliseconds since 1970, value. A row costs what its parts cost, so they are few."""

_PARTS_OF_A_ROW = 4


def row_code(run: int, metric: int, num_metrics: int, is_nan: int = 0) -> int:
    """Return what a row is of in one number: a sum of what run, metric and flag add, which SQL can make too.

    Args:
        run: Place of the run among those asked for.
        metric: Place of the metric among those asked for.
        num_metrics: How many these are.
        is_nan: 1 where the value is NaN, for which MLflow stores a zero, else 0.
    """
    return (run * num_metrics + metric) * 2 + is_nan


@dataclass(frozen=True)
class LoggedValues:
    """Values of series, one for each time that one was logged. A series is a metric of a run.

    Args:
        series: Place of the series among those asked for, run by run, shape (n,).
        steps: Shape (n,).
        timestamps: Milliseconds since 1970, shape (n,).
        values: In the metric's unit, shape (n,); may be NaN or infinite.
    """

    series: npt.NDArray[np.int64]
    steps: npt.NDArray[np.int64]
    timestamps: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]

    @classmethod
    def from_rows(cls, parts: Iterable[Iterable[LoggedRow]]) -> LoggedValues:
        """Read rows as a store has them: NaN is a flag, infinity the largest float.

        Args:
            parts: Rows in parts, which are read one after the other and not kept as Python's objects.
        """
        # As floats all, which are exact to 2^53: NumPy reads a row of several types half as fast.
        numbers = np.fromiter(chain.from_iterable(chain.from_iterable(parts)), np.float64)
        codes, steps, timestamps, values = numbers.reshape(-1, _PARTS_OF_A_ROW).T.copy()
        series, is_nan = np.divmod(codes.astype(np.int64), 2)
        infinite = np.abs(values) >= MLFLOW_INFINITY
        values[infinite] = np.copysign(np.inf, values[infinite])
        values[is_nan == 1] = np.nan
        return cls(series, steps.astype(np.int64), timestamps.astype(np.int64), values)
