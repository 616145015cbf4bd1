"""ReinMax-Argmax: ReinMax where the draw is the likeliest category, and less random elsewhere."""

import pytest
import torch

from estimators.pathwise.reinmax import reinmax_gradient
from estimators.pathwise.reinmax_argmax import reinmax_argmax_gradient
from tests.estimators.objectives import linear
from tests.estimators.oracles import exact_gradient, expected_estimate, normal, one_hot, states

LOGITS = normal(2, 4, seed=1)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
def test_is_reinmax_where_the_draw_is_the_likeliest_category(temperature):
    likeliest, g = one_hot(LOGITS.argmax(-1), LOGITS), normal(2, 4, seed=2)
    expected = reinmax_gradient(LOGITS, likeliest, g, temperature)
    assert torch.equal(reinmax_argmax_gradient(LOGITS, g, temperature), expected)


def test_does_not_depend_on_the_draw_for_linear_f():
    """What ReinMax's variance comes from is gone; the price is a bias that even a linear f shows."""
    g = normal(2, 4, seed=2)
    every = states(2, 4)
    spread = [
        torch.stack([rule(LOGITS, sample, g, 1.0) for sample in every]).std(0).max()
        for rule in (lambda x, _, slope, tau: reinmax_argmax_gradient(x, slope, tau), reinmax_gradient)
    ]
    assert spread[0] == 0
    assert spread[1] > 0.1


def test_is_biased_for_linear_f():
    estimate = expected_estimate(lambda d, g: reinmax_argmax_gradient(d.logits, g, 1.0), linear, LOGITS)
    assert (estimate - exact_gradient(linear, LOGITS)).abs().max() > 0.05
