"""Categories of probability zero, such as masked ones: nothing of an estimate is theirs."""

import math

import pytest
import torch

from estimators import exact
from tests.estimators.oracles import Hyperparameters, normal
from tests.estimators.registry_table import dtypes, estimate_of, every_with_objective
from tests.estimators.rule_table import seeded
from tests.estimators.statistical_checks import check_mean_is

L, C = 3, 4
H = Hyperparameters(temperature=0.7, eta=0.8, num_samples=3)
IS_MASKED = torch.zeros(3, 1, L, C, dtype=torch.bool)
IS_MASKED[0, :, 0, 2] = True
IS_MASKED[1, :, 1, 1:] = True
IS_MASKED[1, :, 2, 0] = True
"""Of a pack of three: one category; all but one of a variable, and one of another; none."""
masks = pytest.mark.parametrize("mask", [-math.inf, -1e5], ids=["masked", "underflow"])


def f(x):
    """A product over the variables, in which every row is calculated in the same order."""
    return (x * normal(*x.shape[-2:], seed=5).to(x.dtype)).sum(-1).prod(-1) + 1.5


def masked_logits(dtype=torch.float64, mask=-math.inf):
    return normal(3, 5, L, C, seed=1, dtype=dtype).masked_fill(IS_MASKED, mask)


def with_masked(value, is_masked=IS_MASKED):
    """f, and another value of a sample that is masked."""

    def objective(x):
        return f(x).where(~((x > 0) & is_masked).any(-1).any(-1), value)

    return objective


def result_of(estimator, logits, objective, generator):
    """Value, and the gradient of a function of the expectation."""
    leaf = logits.clone().requires_grad_()
    estimate = estimate_of(estimator, leaf, objective, generator, H)
    assert torch.equal(estimate.surrogate, estimate.value)
    estimate.surrogate.square().sum().backward()
    return estimate.value, leaf.grad


@every_with_objective
@dtypes
@masks
def test_surrogate_is_the_value_and_a_masked_category_has_no_gradient(estimator, dtype, mask):
    value, gradient = result_of(estimator, masked_logits(dtype, mask), with_masked(0.0), seeded(1))
    assert value.isfinite().all()
    assert gradient.isfinite().all()
    assert not gradient[IS_MASKED.expand_as(gradient)].any()
    assert gradient[0].any()


@every_with_objective
@dtypes
@masks
@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_what_f_is_at_a_masked_category_does_not_matter(estimator, dtype, mask, value):
    logits = masked_logits(dtype, mask)
    expected = result_of(estimator, logits, with_masked(0.0), seeded(1))
    for found, other in zip(
        result_of(estimator, logits, with_masked(value), seeded(1)), expected, strict=True
    ):
        assert torch.equal(found, other)


@every_with_objective
@masks
def test_slope_of_f_at_a_masked_category_does_not_matter(estimator, mask):
    """That of a square root is infinite where a relaxed sample is zero."""

    def roots(x):
        return (x.sqrt() * normal(L, C, seed=2)).sum((-1, -2))

    _, gradient = result_of(estimator, masked_logits(mask=mask), roots, seeded(1))
    assert gradient.isfinite().all()


@every_with_objective
@dtypes
def test_member_of_a_pack_with_masks_of_its_own_equals_the_member_alone_bit_for_bit(estimator, dtype):
    logits, generators = masked_logits(dtype), [seeded(p) for p in range(3)]
    value, gradient = result_of(estimator, logits, with_masked(math.inf), generators)
    for p in range(3):
        own = slice(p, p + 1)
        objective = with_masked(math.inf, IS_MASKED[own])
        alone, own_gradient = result_of(estimator, logits[own], objective, [seeded(p)])
        assert torch.equal(value[own], alone)
        assert torch.equal(gradient[own], own_gradient)


def gradient_without_category(logits, category):
    """The exact gradient of variables that do not have the category at all, and zero for it."""
    kept = [c for c in range(C) if c != category]
    leaf = logits[..., kept].clone().requires_grad_()
    pad = torch.eye(C, dtype=logits.dtype)[kept]
    exact(leaf, lambda x: f(x @ pad)).surrogate.sum().backward()
    return leaf.grad @ pad


@every_with_objective
def test_mean_is_the_exact_gradient_of_variables_without_the_category(estimator):
    one = normal(2, C, seed=4)
    expected = gradient_without_category(one, 2)
    one[:, 2] = -math.inf
    logits = one.expand(10_000, 2, C).clone().requires_grad_()
    objective = with_masked(math.inf, torch.arange(C) == 2)
    estimate_of(estimator, logits, objective, seeded(3), H).surrogate.sum().backward()
    if estimator.is_random:
        check_mean_is(logits.grad, expected)
    else:
        torch.testing.assert_close(logits.grad[0], expected)
