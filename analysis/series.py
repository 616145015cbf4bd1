"""One metric of one run over its steps, as either reader of a store gives it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trainables.run_record import LastValue


@dataclass(frozen=True)
class Point:
    """A logged value; points of one step are ordered by time stamp, then by value."""

    step: int
    timestamp: int
    value: float


@dataclass(frozen=True)
class Series:
    """One metric of one run.

    Args:
        run_id: MLflow's id.
        metric: The metric's name.
        steps: Steps in ascending order, each once.
        values: The value at each step, in the metric's unit; may be NaN or infinite.
    """

    run_id: str
    metric: str
    steps: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]

    @classmethod
    def from_points(cls, run_id: str, metric: str, points: Iterable[Point]) -> Series:
        """Build a series from points in any order; of one step the last by time stamp counts."""
        latest: dict[int, float] = {}
        for point in sorted(points, key=lambda one: (one.step, one.timestamp, one.value)):
            latest[point.step] = LastValue.from_store(point.value, point.step).value
        steps, values = np.array(list(latest), "int64"), np.array(list(latest.values()), "float64")
        return cls(run_id, metric, steps, values)
