"""A bootstrap interval of a mean: asymmetric where the values are, and the same whenever it is asked for."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

CONFIDENCE = 0.95
NUM_RESAMPLES = 9_999
FEWEST_VALUES = 5
"""With fewer, an interval is the range of the values or nearly so, and covers the mean too seldom: the least
value alone is drawn n times in a row with probability n^-n, which for n = 2 and 3 is more than 2.5 %."""
_SEED = 0


def distances(mean: npt.ArrayLike, low: npt.ArrayLike, high: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return how far intervals reach below and above their means, shape (2, n); never less than nothing.

    Args:
        mean: Shape (n,).
        low: Lower bounds, shape (n,); NaN where there is none.
        high: Upper bounds, shape (n,).
    """
    below_and_above = np.stack([np.subtract(mean, low), np.subtract(high, mean)])
    # A mean in floating point may lie beside an interval of no width.
    return np.asarray(np.maximum(below_and_above, 0.0), dtype="float64")


def mean_interval(values: npt.NDArray[np.float64]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of a mean (BCa: bias-corrected and accelerated).

    The resamples come from a generator of a fixed seed, and the values are sorted first, so that the interval
    depends on the values alone. Values that are all equal give an interval of no width.

    Args:
        values: Finite values in the metric's unit, shape (n,).
    Returns:
        The lower and the upper bound, in the metric's unit; both NaN for n < 2.
    Source: Efron (1987), Better bootstrap confidence intervals; `scipy.stats.bootstrap`.
    """
    if len(values) < 2:
        return math.nan, math.nan
    ordered = np.sort(values)
    if ordered[0] == ordered[-1]:  # BCa divides by the spread of the resampled means
        mean = float(np.mean(values))  # which may differ from each of them in the last digit
        return mean, mean
    from scipy.stats import bootstrap  # a second of import that other spreads need not wait for

    interval = bootstrap(
        (ordered,),
        np.mean,
        n_resamples=NUM_RESAMPLES,
        confidence_level=CONFIDENCE,
        method="BCa",
        rng=np.random.default_rng(_SEED),
    ).confidence_interval
    return float(interval.low), float(interval.high)
