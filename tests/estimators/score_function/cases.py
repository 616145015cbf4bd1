"""Shared by this folder's tests: one small problem, and the package's estimates of its gradient."""

import torch
from torch import Tensor

from estimators import REGISTRY
from tests.estimators.objectives import mlp
from tests.estimators.oracles import Hyperparameters, exact_gradient, normal
from tests.estimators.registry_table import estimate_of

LOGITS = normal(3, 3, seed=1)
REPEATS = 10_000


def f(x: Tensor) -> Tensor:
    """Of every order, and far enough from zero that a baseline matters."""
    return mlp(x) + 1.5


def exact_at_logits() -> Tensor:
    return exact_gradient(f, LOGITS)


def repeated() -> Tensor:
    """Logits of REPEATS independent rows, all alike."""
    return LOGITS.expand(REPEATS, *LOGITS.shape).clone().requires_grad_()


def estimates(name: str, h: Hyperparameters, generator: torch.Generator) -> Tensor:
    """Independent estimates of one gradient, shape (REPEATS, L, C)."""
    logits = repeated()
    estimate_of(REGISTRY[name], logits, f, generator, h).surrogate.sum().backward()
    return logits.grad
