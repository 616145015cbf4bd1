"""The DisARM estimator."""

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
def disarm(
    logits: torch.Tensor,
    f: Objective,
    *,
    num_samples: int = 2,
    generator: Generators = None,
    chunk_size: int | None = None,
) -> Estimate:
    """Antithetic pairs of binary samples with their randomness averaged over (DisARM, also U2G).

    With φ = θ_1 - θ_0, p = σ(φ), u uniform and one pair of whole samples for all variables,

        b = 1[u >= 1-p],   b̃ = 1[u < p],   grad_φ = ½ (f(b) - f(b̃)) (-1)^b̃ 1[b ≠ b̃] σ(|φ|)

    and grad = (-grad_φ, grad_φ). Averaged over N pairs. Unbiased; it is `arm` with u averaged over given the
    pair, so that its variance is at most that of `arm`. What is left out is a constant: f + c has the
    gradient of f.

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
    Use: Binary variables whose f is not differentiable, with few evaluations; `arms` where there are
        more than two samples to a gradient, `disarm_tree` for more categories.
    Source: Dong, Mnih and Tucker (2020); Yin et al. (2020).
    """
    return estimate_of_binary(draw_disarm, logits, f, {NUM_SAMPLES: num_samples}, generator, chunk_size)


def draw_disarm(logits: torch.Tensor, *, num_samples: int, generator: Generators) -> ObjectiveDraw:
    """Draw, and the rule behind `disarm`; arguments as there, unchecked, and without a graph."""
    probs, first = softmax(logits), first_uniform(logits, generator)

    def rule(f: Objective, chunk_size: int | None) -> ObjectiveGradient:
        noise = uniforms_with(first, logits, num_samples, generator)
        categories = torch.cat(antithetic(probs, noise))
        losses = losses_of_draws(f, categories, logits, chunk_size)
        gradient = disarm_gradient(logits, categories, losses.detach())
        return ObjectiveGradient(mean_over_samples(losses), gradient)

    return ObjectiveDraw(sample_of(antithetic(probs, first)[0], probs), rule)


def disarm_gradient(logits: torch.Tensor, categories: torch.Tensor, losses: torch.Tensor) -> torch.Tensor:
    """Return the estimate, shape (..., L, 2).

    Args:
        logits: Shape (..., L, 2).
        categories: All b, then all b̃, shape (2·N, ..., L).
        losses: f of each, shape (2·N, ...).
    """
    probs = softmax(logits)
    (draw, mirrored), (of_draw, of_mirrored) = categories.chunk(2), losses.chunk(2)
    sign = (draw - mirrored).to(logits.dtype)  # (-1)^b̃ where they differ, or 0
    weights = (of_draw - of_mirrored).unsqueeze(-1) * sign
    return of_logits(mean_over_samples(weights) * probs.amax(-1) / 2, probs)
