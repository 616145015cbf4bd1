"""ReinMax-RK2: what it equals in expectation, and the member of the family that is ReinMax."""

import pytest
import torch

from estimators import reinmax, reinmax_rk2
from estimators.pathwise.reinmax_rk2 import reinmax_rk2_gradient
from tests.estimators.objectives import OBJECTIVES, linear, mlp, multilinear, quadratic
from tests.estimators.oracles import (
    exact_gradient,
    expected_estimate,
    normal,
    runge_kutta,
    runge_kutta_of_the_proof,
)
from tests.estimators.rule_table import seeded

LOGITS = [normal(1, 2, seed=1), normal(1, 5, seed=2), normal(2, 3, seed=3), normal(3, 2, seed=4, scale=2)]
BETAS = [-0.2, 0.3, 0.5, 1.0]


def rule(beta):
    return lambda d, g: reinmax_rk2_gradient(d.logits, d.sample, g, beta)


def check_expectation(estimate, f, logits, expected):
    torch.testing.assert_close(expected_estimate(estimate, f, logits), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("logits", LOGITS, ids=lambda x: f"{x.shape[-1]}x{x.shape[-2]}")
@pytest.mark.parametrize("f", OBJECTIVES.values(), ids=OBJECTIVES)
def test_expectation_is_that_of_the_proof(f, logits, beta):
    check_expectation(rule(beta), f, logits, runge_kutta_of_the_proof(f, logits, beta))


@pytest.mark.parametrize("logits", LOGITS, ids=lambda x: f"{x.shape[-1]}x{x.shape[-2]}")
@pytest.mark.parametrize("f", OBJECTIVES.values(), ids=OBJECTIVES)
def test_at_one_half_the_expectation_is_that_of_the_theorem(f, logits):
    check_expectation(rule(0.5), f, logits, runge_kutta(f, logits, 0.5))


@pytest.mark.parametrize("beta", [beta for beta in BETAS if beta != 0.5])
def test_elsewhere_the_theorem_misses_a_multiple_of_the_probabilities(beta):
    """Eq. 26 sums to zero over categories, and the expectation of Eq. 27 does not."""
    logits = LOGITS[2]
    missed = expected_estimate(rule(beta), mlp, logits) - runge_kutta(mlp, logits, beta)
    assert missed.abs().max() > 1e-3
    multiple = missed / torch.softmax(logits, -1)
    torch.testing.assert_close(multiple, multiple[:, :1].expand(2, 3), rtol=0, atol=1e-10)
    check_expectation(rule(beta), linear, logits, runge_kutta(linear, logits, beta))


@pytest.mark.parametrize("beta", BETAS)
@pytest.mark.parametrize("f", [linear, multilinear])
def test_is_exact_for_functions_linear_in_each_variable(f, beta):
    check_expectation(rule(beta), f, LOGITS[2], exact_gradient(f, LOGITS[2]))


@pytest.mark.parametrize("beta", [beta for beta in BETAS if beta != 0.5])
def test_is_exact_for_quadratic_f_at_one_half_alone(beta):
    expected = exact_gradient(quadratic, LOGITS[2])
    check_expectation(rule(0.5), quadratic, LOGITS[2], expected)
    with pytest.raises(AssertionError):
        check_expectation(rule(beta), quadratic, LOGITS[2], expected)


@pytest.mark.parametrize(
    "planted",
    [
        pytest.param(rule(0.7), id="β and 1 - β exchanged"),
        pytest.param(lambda d, g: rule(0.3)(d, g) - 0.2 * rule(0.0)(d, g), id="halved last term"),
        pytest.param(lambda d, g: rule(0.3)(d, g) / 2, id="missing factor 2"),
    ],
)
def test_check_rejects(planted):
    with pytest.raises(AssertionError):
        check_expectation(planted, mlp, LOGITS[2], runge_kutta_of_the_proof(mlp, LOGITS[2], 0.3))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_at_one_half_is_reinmax_to_the_last_bit(dtype):
    gradients = []
    for estimator in (reinmax_rk2, reinmax):
        logits = normal(50, 4, 8, seed=5, scale=3, dtype=dtype).requires_grad_()
        sample = estimator(logits, generator=seeded(1))
        (sample * normal(50, 4, 8, seed=6, dtype=dtype)).sum().backward()
        gradients.append(logits.grad)
    assert torch.equal(*gradients)
