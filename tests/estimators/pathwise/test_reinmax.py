"""ReinMax: what it equals in expectation, where it is exact, and its two forms."""

import pytest
import torch

from estimators import reinmax
from estimators.pathwise.heun import heun_logits
from estimators.pathwise.reinmax import reinmax_gradient
from estimators.softmax_vjp import softmax_vjp
from tests.estimators import oracles
from tests.estimators.objectives import OBJECTIVES, cubic, linear, mlp, multilinear, quadratic
from tests.estimators.oracles import (
    Draw,
    exact_gradient,
    expected_estimate,
    normal,
    objective_gradient,
    second_order,
)
from tests.estimators.rule_table import seeded

LOGITS = [normal(1, 2, seed=1), normal(1, 5, seed=2), normal(2, 3, seed=3), normal(3, 2, seed=4, scale=2)]


def rule(d: Draw, g):
    return reinmax_gradient(d.logits, d.sample, g, 1.0)


def check_expectation(estimate, f, logits, expected):
    torch.testing.assert_close(expected_estimate(estimate, f, logits), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("logits", LOGITS, ids=lambda x: f"{x.shape[-1]}x{x.shape[-2]}")
@pytest.mark.parametrize("f", OBJECTIVES.values(), ids=OBJECTIVES)
def test_expectation_is_second_order_approximation(f, logits):
    check_expectation(rule, f, logits, second_order(f, logits))


@pytest.mark.parametrize("logits", LOGITS, ids=lambda x: f"{x.shape[-1]}x{x.shape[-2]}")
@pytest.mark.parametrize("f", [linear, multilinear, quadratic])
def test_is_exact_up_to_second_order(f, logits):
    check_expectation(rule, f, logits, exact_gradient(f, logits))


@pytest.mark.parametrize("f", [cubic, mlp])
def test_is_biased_for_higher_orders(f):
    logits = normal(2, 3, seed=3)
    with pytest.raises(AssertionError):
        check_expectation(rule, f, logits, exact_gradient(f, logits))


@pytest.mark.parametrize(
    "planted",
    [
        pytest.param(lambda d, g: reinmax_gradient(d.logits, d.sample, g, 1.1), id="another temperature"),
        pytest.param(lambda d, g: rule(d, g) / 2, id="halved"),
        pytest.param(
            lambda d, g: (
                softmax_vjp((d.logits.softmax(-1) + d.sample) / 2, g)
                - 0.5 * softmax_vjp(d.logits.softmax(-1), g)
            ),
            id="missing factor 2",
        ),
        pytest.param(
            lambda d, g: (
                2 * softmax_vjp((d.logits.softmax(-1) + d.sample) / 2, g)
                - softmax_vjp(d.logits.softmax(-1), g)
            ),
            id="second term not halved",
        ),
        pytest.param(
            lambda d, g: 2 * softmax_vjp((d.logits.softmax(-1) + d.sample) / 2, g), id="no second term"
        ),
    ],
)
def test_check_rejects(planted):
    logits = normal(2, 3, seed=3)
    with pytest.raises(AssertionError):
        check_expectation(planted, quadratic, logits, exact_gradient(quadratic, logits))


def test_at_temperature_one_is_two_straight_through_terms():
    """Eq. 16: 2 J_1(θ_D) - ½ J_1(θ), for every sample."""
    every = oracles.states(2, 4)
    logits, g = normal(2, 4, seed=6).expand(every.shape), normal(*every.shape, seed=7)
    literal = oracles.apply(
        2 * oracles.softmax_jacobian(oracles.theta_d(logits, every)) - 0.5 * oracles.softmax_jacobian(logits),
        g,
    )
    stable = 2 * softmax_vjp(torch.softmax(heun_logits(logits, every), -1), g) - 0.5 * softmax_vjp(
        torch.softmax(logits, -1), g
    )
    actual = reinmax_gradient(logits, every, g, 1.0)
    torch.testing.assert_close(actual, literal, rtol=0, atol=1e-12)
    torch.testing.assert_close(actual, stable, rtol=0, atol=1e-12)


def test_has_no_inverse_temperature():
    """As τ grows the gradient tends to a limit other than 0, and as τ falls it stays bounded."""
    every = oracles.states(1, 3)
    logits, g = normal(1, 3, seed=8).expand(every.shape), normal(*every.shape, seed=9)
    uniform = torch.full_like(logits, 1 / 3)
    limit = 2 * softmax_vjp((uniform + every) / 2, g) - 0.5 * softmax_vjp(torch.softmax(logits, -1), g)
    torch.testing.assert_close(reinmax_gradient(logits, every, g, 1e9), limit, rtol=0, atol=1e-8)
    assert reinmax_gradient(logits, every, g, 1e-3).abs().max() < 2 * g.abs().max()


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("f", OBJECTIVES.values(), ids=OBJECTIVES)
def test_backward_is_the_rule_at_the_gradient_of_f(f, temperature):
    logits = normal(6, 2, 3, seed=5).requires_grad_()
    sample = reinmax(logits, temperature=temperature, generator=seeded(1))
    f(sample).sum().backward()
    g = objective_gradient(f, sample.detach())
    expected = reinmax_gradient(logits.detach(), sample.detach(), g, temperature)
    torch.testing.assert_close(logits.grad, expected, rtol=0, atol=1e-12)
