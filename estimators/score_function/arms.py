"""The ARMS estimator."""

from __future__ import annotations

import torch

from estimators.hyperparameter import NUM_SAMPLES_OF_RLOO
from estimators.named_arguments import named_arguments
from estimators.randomness import Generators, exponential
from estimators.score_function.antithetic import (
    estimate_of_binary,
    of_logits,
    sample_of,
)
from estimators.score_function.objective import (
    Estimate,
    Objective,
    ObjectiveDraw,
    ObjectiveGradient,
)
from estimators.score_function.samples import losses_of_draws, mean_over_samples, sum_over_samples
from estimators.softmax import softmax


@named_arguments
def arms(
    logits: torch.Tensor,
    f: Objective,
    *,
    num_samples: int = 2,
    generator: Generators = None,
    chunk_size: int | None = None,
) -> Estimate:
    """Several binary samples that repel each other, with the leave-one-out baseline (ARMS).

    With φ = θ_1 - θ_0, p = σ(φ), q = min(p, 1-p), and for each variable d ~ Dirichlet(1, ..., 1) over the N
    samples, sample s has the less probable category where (1-d_s)^(N-1) < q. Then

        grad_φ = Σ_s (f(b_s) - f̄)(b_s - p) / (N-1) · p(1-p) / (p-ρ),
        p - ρ = q - max(2 q^(1/(N-1)) - 1, 0)^(N-1)

    and grad = (-grad_φ, grad_φ), with ρ the probability that two samples are both of category 1. Unbiased;
    for N = 2 it is `disarm` of one pair. What is left out is a constant: f + c has the gradient of f.

    Args:
        logits: Unnormalised log-probabilities, shape (..., L, 2), float.
        f: Maps one-hot samples (S, ..., L, 2) to losses (S, ...), each that of its own sample.
        num_samples: Number N of samples, each one evaluation of f, >= 2.
        generator: Source of randomness, or one for each index of the first axis; PyTorch's default generator
            where none is given.
        chunk_size: Most samples, S, that f is called with at once; all where none is given.
    Returns:
        The mean loss of all samples, shape (...), and the surrogate that equals it and has the gradient.
    Raises:
        ValueError: If num_samples < 2, f's result has another shape, or logits has fewer than two
            dimensions or other than two categories.
    Cost: N evaluations of f, forward only; N·L random numbers; memory for N samples of L numbers, and for f
        with `chunk_size` of them.
    Use: Binary variables whose f is not differentiable, with more than two evaluations to a gradient.
    Source: Dimitriev and Zhou (2021), with a Dirichlet copula.
    """
    return estimate_of_binary(draw_arms, logits, f, {NUM_SAMPLES_OF_RLOO: num_samples}, generator, chunk_size)


def draw_arms(logits: torch.Tensor, *, num_samples: int, generator: Generators) -> ObjectiveDraw:
    """Draw, and the rule behind `arms`; arguments as there, unchecked, and without a graph."""
    probs = softmax(logits)
    noise = exponential((*logits.shape[:-1], num_samples), generator, like=logits)
    categories = repelling(probs, noise)

    def rule(f: Objective, chunk_size: int | None) -> ObjectiveGradient:
        losses = losses_of_draws(f, categories, logits, chunk_size)
        gradient = arms_gradient(logits, categories, losses.detach())
        return ObjectiveGradient(mean_over_samples(losses), gradient)

    return ObjectiveDraw(sample_of(categories[0], probs), rule)


def repelling(probs: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Map Exp(1) noise, shape (..., L, N), and probabilities, (..., L, 2), to categories, (N, ..., L)."""
    total = noise.sum(-1, keepdim=True)
    # In logarithms, since powers of the last few of a tensor's numbers are rounded in another way.
    log_uniform = ((total - noise) / total).clamp(min=0).log() * (noise.shape[-1] - 1)
    is_rare = log_uniform < probs.amin(-1, keepdim=True).log()
    is_one_rare = probs[..., 1:] < probs[..., :1]
    return (is_rare == is_one_rare).long().movedim(-1, 0)


def arms_gradient(logits: torch.Tensor, categories: torch.Tensor, losses: torch.Tensor) -> torch.Tensor:
    """Return the estimate, shape (..., L, 2).

    Args:
        logits: Shape (..., L, 2).
        categories: The samples, shape (N, ..., L).
        losses: f of each, shape (N, ...).
    """
    probs, others = softmax(logits), len(categories) - 1
    weights = (losses - mean_over_samples(losses)) / others
    # Σ_s (f_s - f̄) p = 0.
    gradient = sum_over_samples(weights.unsqueeze(-1) * categories.to(logits.dtype))
    rare = probs.amin(-1)
    # p(1-p) / (p-ρ) = (1-q) / (1 - max(2 - q^(-1/(N-1)), 0)^(N-1)), which is finite where q is zero.
    shared = ((2 - (rare.log() / -others).exp()).clamp(min=0).log() * others).exp()
    return of_logits(gradient * (1 - rare) / (1 - shared), probs)
