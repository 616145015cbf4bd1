"""Tables over the registry: what tests of every estimator are parametrised by, and how they call one."""

import dataclasses
from collections.abc import Callable, Iterable

import pytest
import torch
from torch import Tensor

from estimators import REGISTRY, Estimate, Estimator
from tests.estimators.oracles import Hyperparameters, Objective, one_hot

FEW = Hyperparameters(temperature=0.5, eta=1.0, gap=1.0, beta=0.5, num_mc_samples=3, num_samples=3)


def hyperparameter_names(estimator: Estimator) -> tuple[str, ...]:
    return tuple(hyperparameter.name for hyperparameter in estimator.hyperparameters)


def every_with(has_trait: Callable[[Estimator], bool]) -> pytest.MarkDecorator:
    """Those with the trait that take any number of categories; `every_binary` has the others."""
    chosen = [e for e in REGISTRY.values() if e.categorical_dim is None and has_trait(e)]
    return _each_of(chosen)


def _each_of(estimators: Iterable[Estimator]) -> pytest.MarkDecorator:
    chosen = [pytest.param(e, id=e.name) for e in estimators]
    return pytest.mark.parametrize("estimator", chosen)


every = every_with(lambda e: True)
every_pathwise = every_with(lambda e: not e.needs_objective)
every_with_objective = every_with(lambda e: e.needs_objective)
every_one_hot = every_with(lambda e: e.is_one_hot)
every_random = every_with(lambda e: e.is_random)
every_tempered = every_with(lambda e: "temperature" in hyperparameter_names(e))
every_binary = _each_of(e for e in REGISTRY.values() if e.categorical_dim == 2)
PATHWISE = [name for name, e in REGISTRY.items() if not e.needs_objective]
dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])


def sample_of(estimator: Estimator, logits: Tensor, generator, h: Hyperparameters = FEW) -> Tensor:
    """The sample of the forward pass; of an estimator that needs the objective, the one that training has."""
    values = h.select(estimator.hyperparameters)
    if estimator.needs_objective:
        return estimator.draw(logits.detach(), **values, generator=generator).sample
    return estimator.function(logits, **values, generator=generator)


def output_of(estimator: Estimator, logits: Tensor, f: Objective, generator, h=FEW) -> Tensor:
    """What a user differentiates, shape (...), for f that maps samples (..., L, C) to losses (...)."""
    if not estimator.needs_objective:
        return f(sample_of(estimator, logits, generator, h))
    return estimate_of(estimator, logits, f, generator, h).surrogate


def estimate_of(estimator: Estimator, logits: Tensor, f: Objective, generator, h=FEW, **options) -> Estimate:
    values = h.select(estimator.hyperparameters)
    return estimator.function(logits, f, **values, generator=generator, **options)


def with_slope(g: Tensor) -> Objective:
    """The linear f whose gradient is g at every sample."""
    return lambda x: (x * g).sum((-1, -2))


def gradient_of(estimator: Estimator, logits: Tensor, grad_sample: Tensor, generator, h=FEW) -> Tensor:
    """The estimate for the linear f with that gradient."""
    logits = logits.detach().clone().requires_grad_()
    output_of(estimator, logits, with_slope(grad_sample), generator, h).sum().backward()
    return logits.grad


def planted_estimator(function, **traits) -> Estimator:
    """An estimator with another function, and straight-through's traits but for those given."""
    planted = dataclasses.replace(REGISTRY["st"], **traits)
    vars(planted)["function"] = function  # where the real one would be kept once it is imported
    return planted


def planted_straight_through(logits: Tensor, noise: Tensor, surrogate: Tensor) -> Tensor:
    """A sample with the surrogate's gradient, by the usual one-liner: right up to rounding."""
    sample = one_hot((logits.detach() + noise).argmax(-1), logits)
    return sample + surrogate - surrogate.detach()


def planted_gumbels(shape, logits: Tensor, generator) -> Tensor:
    return -torch.log(-torch.log(torch.rand(shape, dtype=logits.dtype, generator=generator)))
