import math
from itertools import product

import numpy as np
import pytest
from scipy.stats import norm

from analysis.statistics.bootstrap import mean_interval
from analysis.statistics.spread import mean_and_spread

VALUES = np.array([100.0, 101.0, 101.5, 102.0, 102.0, 102.5, 103.0, 103.5, 104.0, 110.0])


def test_interval_holds_the_mean_and_leans_to_the_long_side():
    low, high = mean_interval(VALUES)
    mean = VALUES.mean()
    assert VALUES.min() < low < mean < high < VALUES.max()
    assert high - mean > 1.3 * (mean - low)


def test_interval_of_many_normal_values_is_that_of_the_normal_distribution():
    values = np.random.default_rng(0).normal(100.0, 2.0, size=2_000)
    low, high = mean_interval(values)
    half = 1.96 * values.std(ddof=1) / len(values) ** 0.5
    assert low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert high == pytest.approx(values.mean() + half, abs=0.1 * half)


def exact_bca(values):
    """Return the BCa interval from the means of all n^n resamples, by Efron's formulas."""
    n, mean = len(values), values.mean()
    means = np.sort(np.array(list(product(values, repeat=n))).mean(axis=1))
    left_out = np.array([np.delete(values, place).mean() for place in range(n)])
    distance = left_out.mean() - left_out
    acceleration = (distance**3).sum() / (6 * (distance**2).sum() ** 1.5)
    below = ((means < mean).sum() + (means <= mean).sum()) / (2 * len(means))
    bias = norm.ppf(below)
    ends = []
    for z in norm.ppf([0.025, 0.975]):
        level = norm.cdf(bias + (bias + z) / (1 - acceleration * (bias + z)))
        ends.append(means[min(int(level * len(means)), len(means) - 1)])
    return ends


def test_interval_is_bca_of_all_resamples():
    values = np.array([1.0, 2.0, 2.5, 3.0, 3.5, 9.0])
    low, high = exact_bca(values)  # all 46,656 of them
    assert mean_interval(values) == (pytest.approx(low, abs=0.06), pytest.approx(high, abs=0.12))
    means = np.array(list(product(values, repeat=6))).mean(axis=1)
    percentile = np.quantile(means, [0.025, 0.975])  # the plain bootstrap, which knows of no skewness
    assert abs(percentile[1] - high) > 0.3


def test_interval_depends_on_the_values_alone():
    state = np.random.get_state()[1].copy()
    assert mean_interval(VALUES) == mean_interval(VALUES[::-1]) == mean_interval(VALUES)
    assert np.array_equal(state, np.random.get_state()[1])


@pytest.mark.parametrize("values", [[], [5.0]])
def test_fewer_than_two_values_have_no_interval(values):
    assert all(map(math.isnan, mean_interval(np.array(values))))


def test_equal_values_have_an_interval_of_no_width():
    assert mean_interval(np.array([2.0, 2.0, 2.0])) == (2.0, 2.0)


def test_two_values_give_their_range_which_is_no_95_percent_interval():
    assert mean_interval(np.array([3.0, 1.0])) == (1.0, 3.0)


def test_interval_is_a_spread_with_two_bounds_and_no_error():
    summary = mean_and_spread(list(VALUES), "ci")
    assert (summary.n, summary.mean, summary.error_kind) == (10, pytest.approx(102.95), "ci")
    assert math.isnan(summary.error)
    assert (summary.low, summary.high) == mean_interval(VALUES)
