"""Pairs of binary samples from one uniform number and its mirror image, and what uses them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch

from estimators.hyperparameter import Hyperparameter
from estimators.randomness import Generators, uniform
from estimators.sampling import check_logits
from estimators.score_function.objective import Estimate, Objective, ObjectiveDraw, estimate_with_objective
from estimators.score_function.samples import one_hot


def estimate_of_binary(
    draw: Callable[..., ObjectiveDraw],
    logits: torch.Tensor,
    f: Objective,
    hyperparameters: Mapping[Hyperparameter, float | torch.Tensor],
    generator: Generators,
    chunk_size: int | None,
) -> Estimate:
    """Refuse variables that are not binary; then as `estimate_with_objective`.

    Raises:
        ValueError: If logits are not of two categories, or another argument breaks its rule.
    """
    check_logits(logits)
    if logits.shape[-1] != 2:
        name = draw.__name__.removeprefix("draw_")
        raise ValueError(
            f"logits must have 2 categories for {name}, whose variables are binary, "
            f"got shape {tuple(logits.shape)}"
        )
    return estimate_with_objective(draw, logits, f, hyperparameters, generator, chunk_size)


def antithetic(probs: torch.Tensor, noise: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return b = 1[u >= 1 - p] and b̃ = 1[u < p], int64, shape (N, ..., L).

    Each is category 1 with its probability p, and never a category of probability zero.

    Args:
        probs: Probabilities, shape (..., L, 2).
        noise: Uniform draws u from [0, 1), shape (N, ..., L).
    """
    return (noise >= probs[..., 0]).long(), (noise < probs[..., 1]).long()


def first_uniform(logits: torch.Tensor, generator: Generators) -> torch.Tensor:
    """Draw one uniform number for each variable, shape (..., L)."""
    return uniform(logits.shape[:-1], generator, like=logits)


def uniforms_with(
    first: torch.Tensor, logits: torch.Tensor, num_samples: int, generator: Generators
) -> torch.Tensor:
    """Draw all but the first of several uniform numbers a variable, and return all, shape (N, ..., L)."""
    # Draws are the last axis, so that the first one stays the members', each with a generator of its own.
    more = uniform((*logits.shape[:-1], num_samples - 1), generator, like=logits).movedim(-1, 0)
    return torch.cat((first.unsqueeze(0), more))


def sample_of(categories: torch.Tensor, probs: torch.Tensor) -> torch.Tensor:
    """Return categories (..., L) one-hot, the first entry NaN where probabilities, (..., L, C), are."""
    sample = one_hot(categories, probs.shape[-1], probs.dtype)
    sample.narrow(-1, 0, 1).add_(probs.narrow(-1, 0, 1), alpha=0)
    return sample


def of_logits(gradient: torch.Tensor, probs: torch.Tensor) -> torch.Tensor:
    """Map the gradient of φ = θ_1 - θ_0, (..., L), to that of θ, (..., L, 2); none where p is 0 or 1."""
    known = gradient.masked_fill((probs == 0).any(-1), 0)
    return torch.stack((-known, known), -1)
