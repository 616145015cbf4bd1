"""Concrete: a relaxed sample whose gradient is one, that of f at the sample."""

import pytest
import torch

from estimators import concrete, stgs
from estimators.softmax_vjp import softmax_vjp
from tests.estimators.objectives import OBJECTIVES, mlp
from tests.estimators.oracles import normal, one_hot
from tests.estimators.rule_table import seeded

STEP = 1e-6


def finite_difference(function, at):
    """Central differences of a scalar function, coordinate by coordinate."""
    gradient = torch.zeros_like(at)
    for index in range(at.numel()):
        change = torch.zeros_like(at)
        change.view(-1)[index] = STEP
        gradient.view(-1)[index] = (function(at + change) - function(at - change)) / (2 * STEP)
    return gradient


def check_is_gradient(estimator, f, temperature):
    """With the noise fixed, the backward pass gives the derivative of f at the sample."""
    logits = normal(2, 3, seed=1).requires_grad_()
    f(estimator(logits, temperature=temperature, generator=seeded(1))).backward()
    expected = finite_difference(
        lambda x: f(estimator(x, temperature=temperature, generator=seeded(1))), logits.detach()
    )
    torch.testing.assert_close(logits.grad, expected, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("temperature", [0.3, 1.0, 2.5])
@pytest.mark.parametrize("f", OBJECTIVES.values(), ids=OBJECTIVES)
def test_gradient_is_that_of_f_at_the_sample(f, temperature):
    check_is_gradient(concrete, f, temperature)


def planted(rule):
    def estimator(logits, *, temperature, generator):
        sample = torch.softmax(perturbed(logits, generator) / temperature, -1)
        result = sample.detach().clone().requires_grad_(logits.requires_grad)
        if logits.requires_grad:
            result.register_hook(lambda g: logits.backward(rule(sample.detach(), g, temperature)))
        return result

    return estimator


def perturbed(logits, generator):
    noise = torch.rand(logits.shape, dtype=torch.float64, generator=generator)
    return logits.detach() - torch.log(-torch.log(noise))


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(lambda s, g, t: softmax_vjp(s, g), id="no 1/τ"),
        pytest.param(lambda s, g, t: softmax_vjp(one_hot(s.argmax(-1), s), g) / t, id="J at the one-hot"),
        pytest.param(lambda s, g, t: s * g / t, id="diagonal alone"),
    ],
)
def test_check_rejects(rule):
    with pytest.raises(AssertionError):
        check_is_gradient(planted(rule), mlp, 0.6)


def test_planted_check_accepts_the_right_rule():
    check_is_gradient(planted(lambda s, g, t: softmax_vjp(s, g) / t), mlp, 0.6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sample_is_inside_the_simplex_and_sharpens_to_stgs(dtype):
    logits = normal(200, 3, 4, seed=2, dtype=dtype)
    sample = concrete(logits, temperature=0.7, generator=seeded(1))
    assert sample.min() > 0
    torch.testing.assert_close(sample.sum(-1), torch.ones(200, 3, dtype=dtype))
    hard = stgs(logits, generator=seeded(1))
    assert torch.equal(one_hot(sample.argmax(-1), sample), hard)
    assert (sample - hard).abs().max() > 0.5
    cold = concrete(logits, temperature=1e-6, generator=seeded(1))
    torch.testing.assert_close(cold, hard, rtol=0, atol=1e-6)
