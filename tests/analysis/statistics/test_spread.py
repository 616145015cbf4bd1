import math

import pytest

from analysis.statistics.spread import mean_and_spread, sample_sem, z_score

VALUES = [1.0, 2.0, 3.0, 6.0]  # mean 3, squared deviations 4 + 1 + 0 + 9 = 14


@pytest.mark.parametrize(
    ("spread", "error"),
    [
        ("std", math.sqrt(14 / 3)),
        ("sem", math.sqrt(14 / 3) / 2),
        ("sem-population", math.sqrt(14 / 4) / 2),
    ],
)
def test_spread_is_what_its_name_says(spread, error):
    summary = mean_and_spread(VALUES, spread)
    assert (summary.n, summary.mean, summary.error_kind) == (4, 3.0, spread)
    assert summary.error == pytest.approx(error, rel=1e-15)


@pytest.mark.parametrize("spread", ["std", "sem", "sem-population"])
def test_one_value_has_a_mean_and_no_spread(spread):
    summary = mean_and_spread([5.0], spread)
    assert (summary.n, summary.mean) == (1, 5.0)
    assert math.isnan(summary.error)


def test_no_value_has_neither_mean_nor_spread():
    summary = mean_and_spread([])
    assert summary.n == 0
    assert math.isnan(summary.mean)
    assert math.isnan(summary.error)


def test_equal_values_have_a_spread_of_zero():
    assert mean_and_spread([2.0, 2.0]).error == 0.0


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_values_that_are_not_finite_are_refused(bad):
    with pytest.raises(ValueError, match="values must be finite"):
        mean_and_spread([1.0, bad])


def test_unknown_spread_names_the_allowed_and_the_nearest():
    message = (
        "unknown spread 'sem-pop'; allowed: std, sem, sem-population, ci; did you mean 'sem-population'\\?"
    )
    with pytest.raises(ValueError, match=message):
        mean_and_spread([1.0], "sem-pop")


def test_population_standard_error_becomes_the_sample_standard_error():
    population = mean_and_spread(VALUES, "sem-population").error
    assert sample_sem(population, 4) == pytest.approx(mean_and_spread(VALUES, "sem").error, rel=1e-15)
    assert math.isnan(sample_sem(population, 1))


def test_z_score_divides_by_both_standard_errors():
    assert z_score(1.0, 0.3, 0.4) == pytest.approx(2.0)
    assert math.isnan(z_score(1.0, math.nan, 0.4))
    assert math.isnan(z_score(1.0, 0.0, 0.0))
