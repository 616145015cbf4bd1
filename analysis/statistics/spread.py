"""Mean and spread over seeds. What ± can mean is told apart by name; an interval is no ± at all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.choices import check_choice
from analysis.statistics.bootstrap import CONFIDENCE, NUM_RESAMPLES, mean_interval

SPREADS: Mapping[str, str] = {
    "std": "sample standard deviation (ddof=1)",
    "sem": "standard error of the mean (sample standard deviation, ddof=1, divided by the square root of n)",
    "sem-population": (
        "population standard error (population standard deviation, ddof=0, divided by the square root of n)"
    ),
}
"""What each `error_kind` that is a ± means, in the words that a table prints."""
INTERVAL = "ci"
TABLE_SPREADS: Mapping[str, str] = {
    **SPREADS,
    INTERVAL: (
        f"{CONFIDENCE:.0%} bootstrap interval of the mean (BCa, {NUM_RESAMPLES:,} resamples of the runs, "
        "always the same ones)"
    ),
}
"""What each `error_kind` of a table means, the interval among them."""


@dataclass(frozen=True)
class MeanAndSpread:
    """Statistics of one metric over the seeds of a cell.

    Args:
        n: How many values went in.
        mean: Their mean, in the metric's unit; NaN for n = 0.
        error: Their spread, in the metric's unit; NaN for n < 2, where no spread is defined, and for an
            interval, which has two bounds instead.
        error_kind: Which spread, a key of `TABLE_SPREADS`.
        low: The lower bound of the interval, in the metric's unit; NaN for n < 2 and for every other spread.
        high: Its upper bound.
    """

    n: int
    mean: float
    error: float
    error_kind: str
    low: float = math.nan
    high: float = math.nan


def mean_and_spread(values: Sequence[float] | pd.Series[float], spread: str = "std") -> MeanAndSpread:
    """Return the mean and the spread of finite values.

    One value has no spread: its error is NaN for every kind, also for the population's, which would be 0.

    Args:
        values: One value per seed, all finite.
        spread: A key of `TABLE_SPREADS`.
    Raises:
        ValueError: If the spread is unknown or a value is not finite.
    """
    check_choice("spread", spread, TABLE_SPREADS)
    array = np.asarray(values, dtype=np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"values must be finite, got {array.tolist()}")
    n = len(array)
    if n == 0:
        return MeanAndSpread(0, math.nan, math.nan, spread)
    mean = float(array.mean())
    if spread == INTERVAL:
        return MeanAndSpread(n, mean, math.nan, spread, *mean_interval(array))
    return MeanAndSpread(n, mean, _spread(array, spread), spread)


def _spread(array: np.ndarray, spread: str) -> float:
    n = len(array)
    if n < 2:
        return math.nan
    if spread == "std":
        return float(array.std(ddof=1))
    return float(array.std(ddof=1 if spread == "sem" else 0)) / math.sqrt(n)


def spread_from_std(std: np.ndarray, n: np.ndarray, spread: str) -> np.ndarray:
    """Turn sample standard deviations (ddof=1) over n values into another spread; NaN for n < 2.

    Args:
        std: Sample standard deviations, any shape.
        n: How many values each is of, same shape.
        spread: A key of `SPREADS`.
    """
    check_choice("spread", spread, SPREADS)
    n = np.asarray(n, dtype=np.float64)
    factor = {
        "std": np.ones_like(n),
        "sem": 1 / np.sqrt(n),
        "sem-population": np.sqrt((n - 1) / n) / np.sqrt(n),
    }
    return np.asarray(np.where(n > 1, std, math.nan) * factor[spread])


def sample_sem(population_sem: float, n: int) -> float:
    """Turn a population standard error over n values into the sample standard error; NaN for n < 2."""
    return population_sem * math.sqrt(n / (n - 1)) if n > 1 else math.nan


def z_score(difference: float, sem_a: float, sem_b: float) -> float:
    """Return difference / sqrt(sem_a² + sem_b²), both sample standard errors; NaN where that is undefined."""
    scale = math.hypot(sem_a, sem_b)
    return difference / scale if scale > 0 else math.nan
