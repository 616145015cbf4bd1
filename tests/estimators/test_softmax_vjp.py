"""softmax_vjp against the C x C Jacobian and against autograd."""

import pytest
import torch

from estimators.softmax_vjp import softmax_vjp
from tests.estimators import oracles
from tests.estimators.oracles import normal

SHAPES = [(4,), (3, 2), (2, 3, 8), (2, 2, 3, 5), (4, 1)]


def check_equals_jacobian(vjp, probs, grad):
    torch.testing.assert_close(
        vjp(probs, grad), oracles.apply(oracles.probs_jacobian(probs), grad), rtol=0, atol=1e-12
    )


@pytest.mark.parametrize("shape", SHAPES)
def test_equals_literal_jacobian_product(shape):
    check_equals_jacobian(softmax_vjp, torch.softmax(normal(*shape, seed=1), -1), normal(*shape, seed=2))


@pytest.mark.parametrize(
    "planted",
    [
        pytest.param(lambda p, g: p * g - (p * g).sum(-1, keepdim=True), id="forgets the second p"),
        pytest.param(lambda p, g: p * g - p * (p * g).sum(), id="sums over every axis"),
        pytest.param(lambda p, g: p * g, id="diagonal only"),
        pytest.param(lambda p, g: p * g + p * (p * g).sum(-1, keepdim=True), id="wrong sign"),
    ],
)
def test_check_rejects(planted):
    probs, grad = torch.softmax(normal(3, 4, seed=1), -1), normal(3, 4, seed=2)
    with pytest.raises(AssertionError):
        check_equals_jacobian(planted, probs, grad)


@pytest.mark.parametrize("shape", SHAPES)
def test_equals_autograd_of_softmax(shape):
    logits, grad = normal(*shape, seed=3).requires_grad_(), normal(*shape, seed=4)
    probs = torch.softmax(logits, -1)
    expected = torch.autograd.grad(probs, logits, grad)[0]
    torch.testing.assert_close(softmax_vjp(probs.detach(), grad), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_keeps_dtype_and_arguments(dtype):
    probs, grad = torch.softmax(normal(3, 4, seed=5, dtype=dtype), -1), normal(3, 4, seed=6, dtype=dtype)
    before = probs.clone(), grad.clone()
    assert softmax_vjp(probs, grad).dtype == dtype
    assert torch.equal(probs, before[0])
    assert torch.equal(grad, before[1])


def test_constant_gradient_gives_zero():
    probs = torch.softmax(normal(5, 6, seed=7), -1)
    assert softmax_vjp(probs, torch.full_like(probs, 3.0)).abs().max() < 1e-14
