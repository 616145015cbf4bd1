"""The ARM estimator."""

from __future__ import annotations

import torch

from estimators.hyperparameter import NUM_SAMPLES
from estimators.named_arguments import named_arguments
from estimators.randomness import Generators
from estimators.score_function.antithetic import (
    antithetic,
    estimate_of_binary,
    first_uniform,
    of_logits,
    sample_of,
    uniforms_with,
)
from estimators.score_function.objective import (
    Estimate,
    Objective,
    ObjectiveDraw,
    ObjectiveGradient,
)
from estimators.score_function.samples import losses_of_draws, mean_over_samples
from estimators.softmax import softmax


@named_arguments
def arm(
    logits: torch.Tensor,
    f: Objective,
    *,
    num_samples: int = 2,
    generator: Generators = None,
    chunk_size: int | None = None,
) -> Estimate:
    """Antithetic pairs of binary samples, weighed by the uniform number that made them (ARM).

    With φ = θ_1 - θ_0, p = σ(φ), u uniform and one pair of whole samples for all variables,

        b = 1[u >= 1-p],   b̃ = 1[u < p],   grad_φ = (f(b) - f(b̃)) (u - ½)

    and grad = (-grad_φ, grad_φ). Averaged over N pairs. Unbiased. What is left out is a constant: f + c has
    the gradient of f. A variable of which one category has probability zero gets no gradient.

    Args:
        logits: Unnormalised log-probabilities, shape (..., L, 2), float.
        f: Maps one-hot samples (S, ..., L, 2) to losses (S, ...), each that of its own sample.
        num_samples: Number N of antithetic pairs, each two evaluations of f, >= 1.
        generator: Source of randomness, or one for each index of the first axis; PyTorch's default generator
            where none is given.
        chunk_size: Most samples, S, that f is called with at once; all where none is given.
    Returns:
        The mean loss of all samples, shape (...), and the surrogate that equals it and has the gradient.
    Raises:
        ValueError: If num_samples < 1, f's result has another shape, or logits has fewer than two
            dimensions or other than two categories.
    Cost: 2·N evaluations of f, forward only; N·L random numbers; memory for 2·N samples of L numbers,
        and for f with `chunk_size` of them.
    Use: To compare with published results; `disarm` has less variance for the same evaluations.
    Source: Yin and Zhou (2019).
    """
    return estimate_of_binary(draw_arm, logits, f, {NUM_SAMPLES: num_samples}, generator, chunk_size)


def draw_arm(logits: torch.Tensor, *, num_samples: int, generator: Generators) -> ObjectiveDraw:
    """Draw, and the rule behind `arm`; arguments as there, unchecked, and without a graph."""
    probs, first = softmax(logits), first_uniform(logits, generator)

    def rule(f: Objective, chunk_size: int | None) -> ObjectiveGradient:
        noise = uniforms_with(first, logits, num_samples, generator)
        categories = torch.cat(antithetic(probs, noise))
        losses = losses_of_draws(f, categories, logits, chunk_size)
        gradient = arm_gradient(logits, noise, losses.detach())
        return ObjectiveGradient(mean_over_samples(losses), gradient)

    return ObjectiveDraw(sample_of(antithetic(probs, first)[0], probs), rule)


def arm_gradient(logits: torch.Tensor, noise: torch.Tensor, losses: torch.Tensor) -> torch.Tensor:
    """Return the estimate, shape (..., L, 2).

    Args:
        logits: Shape (..., L, 2).
        noise: u of every pair, shape (N, ..., L).
        losses: f of all b, then of all b̃, shape (2·N, ...).
    """
    of_draw, of_mirrored = losses.chunk(2)
    weights = (of_draw - of_mirrored).unsqueeze(-1) * (noise - 0.5)
    return of_logits(mean_over_samples(weights), softmax(logits))
