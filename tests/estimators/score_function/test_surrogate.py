"""Surrogates of the score-function family under torch.func: what works, and what is refused."""

import pytest
import torch

from estimators import REGISTRY
from tests.estimators.oracles import Hyperparameters, normal
from tests.estimators.registry_table import estimate_of
from tests.estimators.rule_table import seeded
from tests.rounding import check_equal_but_for_rounding

H = Hyperparameters(temperature=0.7, eta=0.8, num_samples=3)
CASES = [
    pytest.param(estimator, categorical_dim, id=f"{estimator.name}-{categorical_dim}")
    for estimator in REGISTRY.values()
    if estimator.needs_objective
    for categorical_dim in ((2, 3, 8) if estimator.categorical_dim is None else (estimator.categorical_dim,))
]
each = pytest.mark.parametrize(("estimator", "categorical_dim"), CASES)


def f(x):
    return (x * torch.arange(x.shape[-1], dtype=x.dtype)).sum((-1, -2)).square()


def surrogate_of(estimator, generator=None):
    """Maps logits (..., L, C) to the surrogate, of the same draws each time where no generator is given."""
    return lambda logits: estimate_of(estimator, logits, f, generator or seeded(3), H).surrogate


def logits_of(categorical_dim):
    return normal(5, 3, categorical_dim, seed=1)


def gradient_of(estimator, logits):
    leaf = logits.clone().requires_grad_()
    surrogate_of(estimator)(leaf).sum().backward()
    return leaf.grad


@each
def test_func_grad_is_the_gradient_of_autograd(estimator, categorical_dim):
    logits, surrogate = logits_of(categorical_dim), surrogate_of(estimator)
    gradient = torch.func.grad(lambda one: surrogate(one).sum())(logits)
    assert gradient.abs().max() > 0
    assert torch.equal(gradient, gradient_of(estimator, logits))


@each
@pytest.mark.parametrize("jacobian", [torch.func.jacrev, torch.func.jacfwd])
def test_jacobian_has_a_row_s_gradient_where_the_row_is_its_own(estimator, categorical_dim, jacobian):
    logits = logits_of(categorical_dim)
    options = {"randomness": "same"} if jacobian is torch.func.jacfwd else {}
    matrix = jacobian(surrogate_of(estimator), **options)(logits)
    expected = torch.zeros_like(matrix)
    expected[torch.arange(5), torch.arange(5)] = gradient_of(estimator, logits)
    check_equal_but_for_rounding(matrix, expected, length=H.num_samples + 3 * categorical_dim)


@each
def test_jvp_is_the_product_with_the_gradient(estimator, categorical_dim):
    logits, tangent = logits_of(categorical_dim), normal(5, 3, categorical_dim, seed=2)
    value, pushed = torch.func.jvp(surrogate_of(estimator), (logits,), (tangent,))
    assert torch.equal(value, surrogate_of(estimator)(logits))
    terms = tangent * gradient_of(estimator, logits)
    size = terms.abs().sum((-1, -2)).max().item()
    length = H.num_samples + 3 * categorical_dim
    check_equal_but_for_rounding(pushed, terms.sum((-1, -2)), length=length, size=size)


def _twice(function, logits):
    leaf = logits.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(function(leaf), leaf, create_graph=True)
    (gradient.sum() + leaf.sum()).backward()


SECOND_DERIVATIVES = {
    "autograd": _twice,
    "hessian": lambda function, logits: torch.func.jacfwd(torch.func.jacrev(function), randomness="same")(
        logits
    ),
    "jvp of grad": lambda function, logits: torch.func.jvp(torch.func.grad(function), (logits,), (logits,)),
    "grad of jvp": lambda function, logits: torch.func.grad(
        lambda one: torch.func.jvp(function, (one,), (torch.ones_like(one),))[1]
    )(logits),
}


@each
@pytest.mark.parametrize("derivative", SECOND_DERIVATIVES.values(), ids=SECOND_DERIVATIVES)
def test_second_derivative_is_refused(estimator, categorical_dim, derivative):
    """Of the surrogate, in which it would be zero, and of a function of it."""
    surrogate = surrogate_of(estimator)
    for function in (lambda one: surrogate(one).sum(), lambda one: surrogate(one).square().sum()):
        with pytest.raises(RuntimeError, match="no derivative of its own"):
            derivative(function, logits_of(categorical_dim))


@each
@pytest.mark.parametrize("randomness", ["different", "same", "error"])
def test_vmap_over_logits_is_refused_with_what_to_do_instead(estimator, categorical_dim, randomness):
    surrogate = surrogate_of(estimator)
    for function in (surrogate, torch.func.grad(surrogate)):
        with pytest.raises(RuntimeError, match=r"vmap must not map over the logits .* give it a batch"):
            torch.vmap(function, randomness=randomness)(logits_of(categorical_dim))


@each
def test_logits_may_be_changed_in_place_before_the_backward_pass(estimator, categorical_dim):
    logits = logits_of(categorical_dim)
    leaf = logits.clone().requires_grad_()
    changed = leaf + 0.0
    output = surrogate_of(estimator)(changed)
    changed.mul_(-3.0)
    output.sum().backward()
    assert torch.equal(leaf.grad, gradient_of(estimator, logits))


@pytest.mark.parametrize("function", [lambda x: x.detach().sum((-1, -2)), lambda x: x[..., 0, 0] * 0 > 1])
def test_rebar_s_f_must_be_differentiable_within_transformations_too(function):
    rebar = lambda one: estimate_of(REGISTRY["rebar"], one, function, seeded(3), H).surrogate.sum()  # noqa: E731
    with pytest.raises(ValueError, match="f must"):
        torch.func.grad(rebar)(logits_of(4))
