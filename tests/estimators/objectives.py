"""Test functions f of one-hot samples (..., L, C), from linear to a small network, with known orders."""

from collections.abc import Callable

import torch
from torch import Tensor

from tests.estimators.oracles import normal


def _weights(x: Tensor, *leading: int, seed: int) -> Tensor:
    return normal(*leading, *x.shape[-2:], seed=seed)


def linear(x: Tensor) -> Tensor:
    return (x * _weights(x, seed=1)).sum((-1, -2)) + 0.7


def multilinear(x: Tensor) -> Tensor:
    """Linear in each variable with the others held: a product over variables."""
    return (x * _weights(x, seed=2)).sum(-1).prod(-1)


def quadratic(x: Tensor) -> Tensor:
    """Every pair of coordinates, within one variable and across variables."""
    flat = x.flatten(-2)
    matrix = normal(flat.shape[-1], flat.shape[-1], seed=3)
    return torch.einsum("...i,ij,...j->...", flat, matrix, flat) + linear(x)


def cubic(x: Tensor) -> Tensor:
    projections = torch.einsum("...lc,mlc->...m", x, _weights(x, 3, seed=4))
    return projections.pow(3).sum(-1) + quadratic(x)


def mlp(x: Tensor) -> Tensor:
    hidden = torch.tanh(torch.einsum("...lc,mlc->...m", x, _weights(x, 8, seed=5)))
    return hidden @ normal(8, seed=6)


OBJECTIVES: dict[str, Callable[[Tensor], Tensor]] = {
    f.__name__: f for f in (linear, multilinear, quadratic, cubic, mlp)
}
