"""Straight-through: what it equals in expectation, and where it is exact."""

import pytest
import torch

from estimators import st
from estimators.pathwise.st import st_gradient
from tests.estimators.objectives import OBJECTIVES, cubic, linear, mlp, multilinear, quadratic
from tests.estimators.oracles import (
    exact_gradient,
    expected_estimate,
    first_order,
    normal,
    objective_gradient,
)
from tests.estimators.rule_table import seeded

LOGITS = [normal(1, 2, seed=1), normal(1, 5, seed=2), normal(2, 3, seed=3), normal(3, 2, seed=4, scale=2)]


def rule(d, g):
    return st_gradient(d.logits, g, 1.0)


def check_expectation(estimate, f, logits, expected):
    torch.testing.assert_close(expected_estimate(estimate, f, logits), expected, rtol=0, atol=1e-10)


@pytest.mark.parametrize("logits", LOGITS, ids=lambda x: f"{x.shape[-1]}x{x.shape[-2]}")
@pytest.mark.parametrize("f", OBJECTIVES.values(), ids=OBJECTIVES)
def test_expectation_is_first_order_approximation(f, logits):
    check_expectation(rule, f, logits, first_order(f, logits))


@pytest.mark.parametrize("logits", LOGITS, ids=lambda x: f"{x.shape[-1]}x{x.shape[-2]}")
@pytest.mark.parametrize("f", [linear, multilinear])
def test_is_exact_for_functions_linear_in_each_variable(f, logits):
    check_expectation(rule, f, logits, exact_gradient(f, logits))


@pytest.mark.parametrize("f", [quadratic, cubic, mlp])
def test_is_biased_for_higher_orders(f):
    logits = normal(2, 3, seed=3)
    with pytest.raises(AssertionError):
        check_expectation(rule, f, logits, exact_gradient(f, logits))


@pytest.mark.parametrize(
    "planted",
    [
        pytest.param(lambda d, g: st_gradient(d.logits, g, 2.0), id="another temperature"),
        pytest.param(lambda d, g: 0.5 * st_gradient(d.logits, g, 1.0), id="halved"),
        pytest.param(lambda d, g: st_gradient(d.sample, g, 1.0), id="J at D"),
    ],
)
def test_check_rejects(planted):
    logits = normal(2, 3, seed=3)
    with pytest.raises(AssertionError):
        check_expectation(planted, mlp, logits, first_order(mlp, logits))


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("f", OBJECTIVES.values(), ids=OBJECTIVES)
def test_backward_is_the_rule_at_the_gradient_of_f(f, temperature):
    logits = normal(6, 2, 3, seed=5).requires_grad_()
    sample = st(logits, temperature=temperature, generator=seeded(1))
    f(sample).sum().backward()
    g = objective_gradient(f, sample.detach())
    torch.testing.assert_close(logits.grad, st_gradient(logits.detach(), g, temperature), rtol=0, atol=1e-12)
