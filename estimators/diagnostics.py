"""How good an estimator's gradient is: the moments of many draws, and bias and variance from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce

import torch
from torch.nn import functional

from estimators.hyperparameter import Hyperparameter
from estimators.randomness import Generators
from estimators.registry import Estimator, get
from estimators.sampling import Draw, check_logits, checked_arguments, pathwise_gradient, widened
from estimators.score_function.exact import draw_exact
from estimators.score_function.objective import (
    Objective,
    ObjectiveDraw,
    ObjectiveGradient,
    check_objective,
    chunks,
    is_count,
    losses_of,
)
from estimators.softmax import with_cheap_softmax

_TINY = 1e-300


@dataclass(frozen=True)
class GradientMoments:
    """Mean and spread of draws of a gradient, accumulated in float64 by Welford's method.

    Args:
        count: Number N of draws.
        mean: Their mean, shape (..., L, C).
        squared_deviations: Their sum of squared deviations from the mean, coordinate by coordinate.
    Source: Chan, Golub & LeVeque (1983), Eq. 1.5, for adding many draws at once.
    """

    count: int
    mean: torch.Tensor
    squared_deviations: torch.Tensor

    @classmethod
    def of(cls, draws: torch.Tensor) -> GradientMoments:
        """Return the moments of draws, shape (N, ..., L, C), N at least one."""
        mean = draws.mean(0, dtype=torch.float64)
        return cls(len(draws), mean, (draws - mean).square_().sum(0))

    def joined(self, other: GradientMoments) -> GradientMoments:
        """Return the moments of both sets of draws."""
        count = self.count + other.count
        difference = other.mean - self.mean
        mean = self.mean + difference * (other.count / count)
        between = difference.square_() * (self.count * other.count / count)
        return GradientMoments(count, mean, self.squared_deviations + other.squared_deviations + between)

    @property
    def variance(self) -> torch.Tensor:
        """Mean squared deviation of each coordinate, shape (..., L, C). Source: Beyond ReinMax, Eq. 39."""
        return self.squared_deviations / self.count


def gradient_moments(
    estimator: str | Estimator,
    logits: torch.Tensor,
    f: Objective,
    *,
    num_draws: int = 1024,
    generator: Generators = None,
    chunk_size: int | None = None,
    **hyperparameters: float | torch.Tensor,
) -> GradientMoments:
    """Estimate ∂E[f]/∂θ many times at fixed logits, and return the moments of the estimates.

    Draws lie along the batch, so that a chunk of them costs one call of f and, of a pathwise estimator, one
    backward pass through it; what made the logits is not run again.

    Args:
        estimator: The estimator or its id.
        logits: Unnormalised log-probabilities, shape (..., L, C), float.
        f: Maps samples (S, ..., L, C) to losses (S, ...), each that of its own sample; for a pathwise
            estimator differentiable with respect to the samples.
        num_draws: Number of estimates.
        generator: Source of randomness, or one for each index of the first axis of logits; PyTorch's default
            generator where none is given.
        chunk_size: Most estimates made at once, and most samples, S, that f is called with; all where none
            is given. The numbers depend on it, as they are drawn chunk by chunk.
        **hyperparameters: The estimator's, by name; what is left out is at its default.
    Raises:
        ValueError: If an argument breaks its rule, or f's result has another shape.
        RuntimeError: If the estimator is pathwise and f has no gradient with respect to the samples.
    Source: Beyond ReinMax, Appendix C.
    """
    entry = get(estimator) if isinstance(estimator, str) else estimator
    named = checked_arguments(logits, _values_of(entry, hyperparameters), generator)
    check_objective(f, chunk_size, logits)
    if not is_count(num_draws):
        raise ValueError(f"num_draws must be an integer >= 1, got {num_draws!r}")
    if logits.ndim < 3 and not isinstance(generator, torch.Generator | None):
        raise ValueError(f"generator must be one generator for logits of shape {tuple(logits.shape)}")
    if not entry.is_random:
        gradients = _draws(entry, logits, f, named, generator, 1, chunk_size)
        return replace(GradientMoments.of(gradients), count=num_draws)
    sizes = (stop - start for start, stop in chunks(num_draws, chunk_size))
    inner = 1 if chunk_size else None
    parts = (_draws(entry, logits, f, named, generator, size, inner) for size in sizes)
    return reduce(GradientMoments.joined, map(GradientMoments.of, parts))


def exact_gradient(logits: torch.Tensor, f: Objective, *, chunk_size: int | None = None) -> torch.Tensor:
    """Return ∂E[f]/∂θ by enumeration of all states, summed in float64.

    Args:
        logits: Unnormalised log-probabilities, shape (..., L, C), float.
        f: Maps one-hot samples (S, ..., L, C) to losses (S, ...), each that of its own sample.
        chunk_size: Most samples, S, that f is called with at once; all where none is given.
    Returns:
        The gradient, shape (..., L, C), float64.
    Raises:
        ValueError: If there are more states than `exact` enumerates, or f's result has another shape.
    Source: Beyond ReinMax, Eq. 2.
    """
    check_logits(logits)
    check_objective(f, chunk_size, logits)
    # Of the sample, which is not used; the default generator is not to notice.
    unused = torch.Generator(logits.device)
    draw = draw_exact(logits.detach().double(), generator=unused)
    with torch.no_grad():
        estimate: ObjectiveGradient = draw.rule(
            lambda samples: losses_of(f, samples.to(logits.dtype)).double(), chunk_size
        )
        return estimate.gradient


def gradient_cosine(mean: torch.Tensor, exact: torch.Tensor) -> torch.Tensor:
    """Return cos(mean, exact) of each data point, averaged over the batch: one number for each leading index.

    The cosine with a gradient of zero counts as zero.

    Args:
        mean: Mean of an estimator's draws, shape (..., B, L, C).
        exact: The exact gradient, same shape.
    Source: Beyond ReinMax, Eq. 38.
    """
    return _cosine(mean.flatten(-2), exact.flatten(-2)).mean(-1)


def gradient_cosine_batch(mean: torch.Tensor, exact: torch.Tensor) -> torch.Tensor:
    """Return cos(mean, exact) with the batch as one vector; arguments as for `gradient_cosine`.

    Source: Beyond ReinMax, Figure 1 (left), which was drawn from this one.
    """
    return _cosine(mean.flatten(-3), exact.flatten(-3))


def gradient_variance(moments: GradientMoments) -> torch.Tensor:
    """Return ‖variance‖ / ‖mean‖ of each data point, averaged over the batch.

    It has the unit of the gradient: unlike `gradient_relative_std` it grows with f.

    Args:
        moments: Of gradients of shape (..., B, L, C).
    Returns:
        One number for each leading index; infinite where a mean is zero and its variance is not.
    Source: Beyond ReinMax, Eq. 39 and 40.
    """
    return _mean_ratio(moments.variance, moments.mean)


def gradient_relative_std(moments: GradientMoments) -> torch.Tensor:
    """Return ‖standard deviation‖ / ‖mean‖ of each data point, averaged over the batch.

    Args:
        moments: Of gradients of shape (..., B, L, C).
    Returns:
        One number for each leading index; infinite where a mean is zero and its deviation is not.
    Source: Beyond ReinMax, Figure 1 (right), which was drawn from this one.
    """
    return _mean_ratio(moments.variance.sqrt(), moments.mean)


def gradient_std(moments: GradientMoments) -> torch.Tensor:
    """Return ‖standard deviation‖ of each data point, averaged over the batch, in the unit of the gradient.

    Args:
        moments: Of gradients of shape (..., B, L, C).
    Source: Beyond ReinMax, Table 1.
    """
    return moments.variance.sum((-1, -2)).sqrt().mean(-1)


def _cosine(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    return functional.cosine_similarity(first.double(), second.double(), dim=-1, eps=_TINY)


def _mean_ratio(spread: torch.Tensor, mean: torch.Tensor) -> torch.Tensor:
    of_spread, of_mean = (torch.linalg.vector_norm(one, dim=(-1, -2)) for one in (spread, mean))
    is_constant_zero = (of_spread == 0) & (of_mean == 0)  # nothing over nothing is no spread
    return torch.where(is_constant_zero, 0.0, of_spread / of_mean).mean(-1)


def _values_of(
    entry: Estimator, stated: Mapping[str, float | torch.Tensor]
) -> dict[Hyperparameter, float | torch.Tensor]:
    """Return every hyperparameter's value.

    Raises:
        ValueError: If one is stated that the estimator does not take.
    """
    unknown = stated.keys() - {own.name for own in entry.hyperparameters}
    if unknown:
        takes = ", ".join(own.name for own in entry.hyperparameters) or "none"
        raise ValueError(f"hyperparameters of {entry.name} are {takes}, got {', '.join(sorted(unknown))}")
    return {own: stated.get(own.name, own.default) for own in entry.hyperparameters}


def _with_draws_axis(value: float | torch.Tensor) -> float | torch.Tensor:
    return value.unsqueeze(-3) if isinstance(value, torch.Tensor) and value.ndim > 2 else value


def _repeated(f: Objective, dtype: torch.dtype) -> Objective:
    """Return f for samples (S, ..., R, L, C) with R draws of each data point, of which it sees S·R."""

    def losses(samples: torch.Tensor) -> torch.Tensor:
        draws_first = samples.movedim(-3, 1).to(dtype)
        found = losses_of(f, draws_first.flatten(0, 1))
        return found.reshape(*draws_first.shape[:2], *found.shape[1:]).movedim(1, -1)

    return losses


def _draws(
    entry: Estimator,
    logits: torch.Tensor,
    f: Objective,
    hyperparameters: Mapping[str, float | torch.Tensor],
    generator: Generators,
    count: int,
    chunk_size: int | None,
) -> torch.Tensor:
    """Return so many estimates, shape (count, ..., L, C)."""
    shape = (*logits.shape[:-2], count, *logits.shape[-2:])
    repeated = widened(logits.detach()).unsqueeze(-3).expand(shape)
    values = {name: _with_draws_axis(value) for name, value in hyperparameters.items()}
    draw = entry.draw(with_cheap_softmax(repeated), **values, generator=generator)
    return _gradients(draw, _repeated(f, logits.dtype), chunk_size).movedim(-3, 0)


def _gradients(draw: Draw | ObjectiveDraw, f: Objective, chunk_size: int | None) -> torch.Tensor:
    """Return the estimates that a draw's rule gives, shape (..., R, L, C)."""
    if isinstance(draw, ObjectiveDraw):
        return draw.rule(f, chunk_size).gradient.detach()
    # f may work in place, on what is no leaf of a graph.
    return pathwise_gradient(draw, lambda sample: f(sample.unsqueeze(0).clone()))
