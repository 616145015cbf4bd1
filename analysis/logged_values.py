"""Values of one metric as a store has them: every time that one was logged, in any order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trainables.run_record import MLFLOW_INFINITY


@dataclass(frozen=True)
class LoggedValues:
    """Values of one metric, one for each time that it was logged.

    Args:
        metric: The metric's name.
        run_ids: MLflow's ids, shape (n,).
        steps: Shape (n,).
        timestamps: Milliseconds since 1970, shape (n,).
        values: In the metric's unit, shape (n,); may be NaN or infinite.
    """

    metric: str
    run_ids: Sequence[str]
    steps: npt.NDArray[np.int64]
    timestamps: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]

    @classmethod
    def from_store(
        cls,
        metric: str,
        run_ids: Sequence[str],
        steps: Sequence[int],
        timestamps: Sequence[int],
        values: Sequence[float],
        is_nan: Sequence[bool],
    ) -> LoggedValues:
        """Undo MLflow's encoding: NaN is a flag beside a zero, infinity the largest float."""
        numbers = np.array(values, dtype="float64")
        infinite = np.abs(numbers) >= MLFLOW_INFINITY
        numbers[infinite] = np.copysign(np.inf, numbers[infinite])
        numbers[np.array(is_nan, dtype="bool")] = np.nan
        return cls(metric, run_ids, np.array(steps, "int64"), np.array(timestamps, "int64"), numbers)
