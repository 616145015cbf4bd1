import math

import numpy as np
import pytest

from analysis.bootstrap import mean_interval
from analysis.statistics import mean_and_spread

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
