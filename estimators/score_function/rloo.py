"""The REINFORCE leave-one-out estimator."""

from __future__ import annotations

import torch

from estimators.hyperparameter import NUM_SAMPLES_OF_RLOO
from estimators.named_arguments import named_arguments
from estimators.randomness import Generators
from estimators.score_function.objective import (
    Estimate,
    Objective,
    ObjectiveDraw,
    estimate_with_objective,
)
from estimators.score_function.samples import draw_of_samples, mean_over_samples, weighted_sum


@named_arguments
def rloo(
    logits: torch.Tensor,
    f: Objective,
    *,
    num_samples: int = 2,
    generator: Generators = None,
    chunk_size: int | None = None,
) -> Estimate:
    """Score-function gradient with the other samples' mean loss as each one's baseline (RLOO).

        grad = (1/(N-1)) Σ_n (f(x_n) - f̄) ∇log p(x_n),   x_n ~ p,   f̄ the mean over all N

    Unbiased, although f̄ holds f(x_n) too: the factor 1/(N-1) makes up for that. What is left out is a
    constant: f + c has the gradient of f.

    Args:
        logits: Unnormalised log-probabilities, shape (..., L, C), float.
        f: Maps one-hot samples (S, ..., L, C) to losses (S, ...), each that of its own sample.
        num_samples: Number N of samples, each one evaluation of f, >= 2.
        generator: Source of randomness, or one for each index of the first axis; PyTorch's default generator
            where none is given.
        chunk_size: Most samples, S, that f is called with at once; all where none is given.
    Returns:
        The mean loss, shape (...), and the surrogate that equals it and has the gradient.
    Raises:
        ValueError: If num_samples < 2, f's result has another shape or logits has fewer than two dimensions.
    Cost: N evaluations of f, forward only; N·L random numbers; memory for N samples of L numbers, and for f
        with `chunk_size` of them.
    Use: First choice where f is not differentiable, or its gradient must be unbiased, and only a few
        evaluations can be made.
    Source: Kool et al. (2019); RLOO-S and RLOO-F of the CatLog-Derivative trick are budgets, N and L·C·N.
    """
    return estimate_with_objective(
        draw_rloo, logits, f, {NUM_SAMPLES_OF_RLOO: num_samples}, generator, chunk_size
    )


def draw_rloo(logits: torch.Tensor, *, num_samples: int, generator: Generators) -> ObjectiveDraw:
    """Draw, and the rule behind `rloo`; arguments as there, unchecked, and without a graph."""
    return draw_of_samples(rloo_gradient, logits, num_samples, generator)


def rloo_gradient(
    logits: torch.Tensor, categories: torch.Tensor, losses: torch.Tensor, chunk_size: int | None = None
) -> torch.Tensor:
    """Return (1/(N-1)) Σ_n (f(x_n) - f̄) x_n for samples (N, ..., L) and losses (N, ...), shape (..., L, C).

    The term with π in ∇log p(x) = x - π has the factor Σ_n (f(x_n) - f̄) = 0.
    """
    weights = (losses - mean_over_samples(losses)) / (len(losses) - 1)
    return weighted_sum(weights, categories, logits, chunk_size)
