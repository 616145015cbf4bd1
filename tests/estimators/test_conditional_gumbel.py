"""Conditional Gumbels as a function of the logits: their distribution, and their derivative."""

import pytest
import torch

from estimators.conditional_gumbel import conditional_gumbels
from tests.estimators.oracles import normal, one_hot, rejected_gumbels
from tests.estimators.pathwise.test_concrete import finite_difference
from tests.estimators.rule_table import seeded
from tests.estimators.statistical_checks import check_gumbel_marginals, check_same_marginals

LOGITS = torch.tensor([1.0, 0.2, -0.7, 1.5], dtype=torch.float64)


def exponentials(*shape, seed, dtype=torch.float64):
    return -torch.log(torch.rand(shape, dtype=dtype, generator=seeded(seed)).clamp(min=1e-30))


def draws_given(category, count, seed):
    log_probs = torch.log_softmax(LOGITS, -1).expand(count, 4)
    sample = one_hot(torch.full((count,), category), log_probs)
    return conditional_gumbels(log_probs, sample, exponentials(count, 4, seed=seed))


@pytest.mark.parametrize("category", range(4))
def test_draws_are_those_that_rejection_keeps(category):
    draws, _ = draws_given(category, 5000, seed=1)
    assert (draws.argmax(-1) == category).all()
    reference, _ = rejected_gumbels(LOGITS, category, 40_000, seed=2)
    check_same_marginals(draws, reference)


def test_mixed_over_the_winner_they_are_free_gumbels():
    log_probs = torch.log_softmax(LOGITS, -1)
    winners = torch.multinomial(log_probs.exp(), 10_000, replacement=True, generator=seeded(3))
    sample = one_hot(winners, log_probs)
    draws, _ = conditional_gumbels(log_probs.expand(10_000, 4), sample, exponentials(10_000, 4, seed=4))
    check_gumbel_marginals(draws, log_probs)


def check_derivative(function):
    """Through log p, each draw depends on its own coordinate alone."""
    log_probs, noise = torch.log_softmax(normal(3, 4, seed=5), -1), exponentials(3, 4, seed=6)
    sample = one_hot(torch.tensor([0, 2, 3]), log_probs)
    _, slopes = function(log_probs, sample, noise)
    weights = normal(3, 4, seed=7)
    expected = finite_difference(lambda x: (weights * function(x, sample, noise)[0]).sum(), log_probs)
    torch.testing.assert_close(weights * slopes, expected, rtol=1e-6, atol=1e-7)


def test_slopes_are_the_derivative():
    check_derivative(conditional_gumbels)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(lambda y, s, d: torch.ones_like(s), id="as of free Gumbels"),
        pytest.param(lambda y, s, d: torch.zeros_like(s), id="held constant"),
        pytest.param(lambda y, s, d: s + d, id="of the winner too"),
        pytest.param(lambda y, s, d: (1 - s) * (1 - d), id="the other share"),
    ],
)
def test_derivative_check_rejects(wrong):
    def planted(log_probs, sample, noise):
        draws, slopes = conditional_gumbels(log_probs, sample, noise)
        return draws, wrong(draws, slopes, sample)

    with pytest.raises(AssertionError):
        check_derivative(planted)


def test_is_finite_where_probabilities_underflow():
    log_probs = torch.log_softmax(torch.tensor([[80.0, -80.0, 0.0], [-80.0, 80.0, 79.0]]), -1)
    for category in range(3):
        sample = one_hot(torch.full((2,), category), log_probs)
        for noise in (1e-9, 1.0, 80.0):
            draws, slopes = conditional_gumbels(log_probs, sample, torch.full((2, 3), noise))
            assert draws.isfinite().all()
            assert ((slopes >= 0) & (slopes <= 1)).all()
