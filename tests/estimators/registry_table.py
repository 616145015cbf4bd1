"""Tables over the registry: what tests of every estimator are parametrised by, and how they call one."""

import dataclasses

import pytest
import torch
from torch import Tensor

from estimators import REGISTRY, Estimator

from .oracles import Hyperparameters, one_hot

FEW = Hyperparameters(temperature=0.5, eta=1.0, gap=1.0, num_mc_samples=3)

every = pytest.mark.parametrize("estimator", REGISTRY.values(), ids=REGISTRY)
every_one_hot = pytest.mark.parametrize(
    "estimator", [pytest.param(e, id=name) for name, e in REGISTRY.items() if e.is_one_hot]
)
dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])


def hyperparameter_names(estimator: Estimator) -> tuple[str, ...]:
    return tuple(hyperparameter.name for hyperparameter in estimator.hyperparameters)


def sample_of(estimator: Estimator, logits: Tensor, generator, h: Hyperparameters = FEW) -> Tensor:
    return estimator.function(logits, **h.select(hyperparameter_names(estimator)), generator=generator)


def gradient_of(estimator: Estimator, logits: Tensor, grad_sample: Tensor, generator, h=FEW) -> Tensor:
    logits = logits.detach().clone().requires_grad_()
    sample_of(estimator, logits, generator, h).backward(grad_sample)
    return logits.grad


def planted_estimator(function) -> Estimator:
    """An estimator with straight-through's traits and another function: how tests test themselves."""
    return dataclasses.replace(REGISTRY["st"], function=function)


def planted_straight_through(logits: Tensor, noise: Tensor, surrogate: Tensor) -> Tensor:
    """A sample with the surrogate's gradient, by the usual one-liner: right up to rounding."""
    sample = one_hot((logits.detach() + noise).argmax(-1), logits)
    return sample + surrogate - surrogate.detach()


def planted_gumbels(shape, logits: Tensor, generator) -> Tensor:
    return -torch.log(-torch.log(torch.rand(shape, dtype=logits.dtype, generator=generator)))
