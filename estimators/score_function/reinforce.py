"""The REINFORCE estimator."""

from __future__ import annotations

import torch

from estimators.hyperparameter import NUM_SAMPLES
from estimators.named_arguments import named_arguments
from estimators.randomness import Generators
from estimators.score_function.objective import (
    Estimate,
    Objective,
    ObjectiveDraw,
    estimate_with_objective,
)
from estimators.score_function.samples import draw_of_samples, sum_over_samples, weighted_sum
from estimators.softmax import softmax


@named_arguments
def reinforce(
    logits: torch.Tensor,
    f: Objective,
    *,
    num_samples: int = 2,
    generator: Generators = None,
    chunk_size: int | None = None,
) -> Estimate:
    """Score-function gradient without a baseline (REINFORCE).

        grad = (1/N) Σ_n f(x_n) ∇log p(x_n),   x_n ~ p

    Unbiased for any f, differentiable or not. Not blind to a constant added to f, whose variance it pays for:
    `rloo` is.

    Args:
        logits: Unnormalised log-probabilities, shape (..., L, C), float.
        f: Maps one-hot samples (S, ..., L, C) to losses (S, ...), each that of its own sample.
        num_samples: Number N of samples, each one evaluation of f, >= 1.
        generator: Source of randomness, or one for each index of the first axis; PyTorch's default generator
            where none is given.
        chunk_size: Most samples, S, that f is called with at once; all where none is given.
    Returns:
        The mean loss, shape (...), and the surrogate that equals it and has the gradient.
    Raises:
        ValueError: If num_samples < 1, f's result has another shape or logits has fewer than two dimensions.
    Cost: N evaluations of f, forward only; N·L random numbers; memory for N samples of L numbers, and for f
        with `chunk_size` of them.
    Use: As the baseline of the unbiased estimators, or where f can be evaluated only once; from two
        evaluations on, `rloo` does not pay for a constant in f.
    Source: CatLog-Derivative trick, Eq. 2.4; Williams (1992).
    """
    return estimate_with_objective(
        draw_reinforce, logits, f, {NUM_SAMPLES: num_samples}, generator, chunk_size
    )


def draw_reinforce(logits: torch.Tensor, *, num_samples: int, generator: Generators) -> ObjectiveDraw:
    """Draw, and the rule behind `reinforce`; arguments as there, unchecked, and without a graph."""
    return draw_of_samples(reinforce_gradient, logits, num_samples, generator)


def reinforce_gradient(
    logits: torch.Tensor, categories: torch.Tensor, losses: torch.Tensor, chunk_size: int | None = None
) -> torch.Tensor:
    """Return (1/N) Σ_n f(x_n) (x_n - π) for samples (N, ..., L) and losses (N, ...), shape (..., L, C)."""
    weights = losses / len(losses)
    drawn = weighted_sum(weights, categories, logits, chunk_size)
    return drawn - softmax(logits) * sum_over_samples(weights)[..., None, None]
