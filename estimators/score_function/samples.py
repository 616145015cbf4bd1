"""Samples kept as categories, (S, ..., L), and made one-hot a chunk at a time."""

from __future__ import annotations

from collections.abc import Callable

import torch

from estimators.randomness import Generators, uniform
from estimators.sampling import sample_one_hot, widened
from estimators.score_function.objective import (
    Objective,
    ObjectiveDraw,
    ObjectiveGradient,
    States,
    checked_losses,
    chunks,
    evaluate,
)
from estimators.score_function.shortcuts import LossesOfDraws
from estimators.softmax import softmax


def one_hot(categories: torch.Tensor, categorical_dim: int, dtype: torch.dtype) -> torch.Tensor:
    """Map categories (...) to one-hot vectors (..., C)."""
    labels = torch.arange(categorical_dim, device=categories.device)
    out = torch.empty((*categories.shape, categorical_dim), dtype=dtype, device=categories.device)
    return torch.eq(categories.unsqueeze(-1), labels, out=out)


def sample_categories(logits: torch.Tensor, num_samples: int, generator: Generators) -> torch.Tensor:
    """Draw the categories of several samples by inverting the cumulative distribution.

    Args:
        logits: Unnormalised log-probabilities, shape (..., L, C).
        num_samples: Number S of samples.
        generator: Source of randomness; PyTorch's default generator where none is given.
    Returns:
        Categories, shape (S, ..., L), int64.
    """
    # Draws are the last axis, so that the first one stays the members', each with a generator of its own.
    noise = uniform((*logits.shape[:-1], num_samples), generator, like=logits)
    return inverse_cumulative(logits, noise).movedim(-1, 0)


def inverse_cumulative(logits: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """Map uniform draws from [0, 1), shape (..., S), and logits, shape (..., C), to categories, (..., S)."""
    cumulative = softmax(widened(logits)).cumsum(-1).contiguous()
    # Below the rounded total, so that no category of probability zero is drawn, not even the last.
    return torch.searchsorted(cumulative, (noise * cumulative[..., -1:]).contiguous(), right=True)


def samples_with(
    sample: torch.Tensor, logits: torch.Tensor, num_samples: int, generator: Generators
) -> torch.Tensor:
    """Draw all but the first of several samples, and return the categories of all, shape (S, ..., L).

    Args:
        sample: The first, one-hot, shape (..., L, C).
        logits: Unnormalised log-probabilities, shape (..., L, C).
        num_samples: Number S of samples, the first included.
        generator: Source of randomness; PyTorch's default generator where none is given.
    """
    first = sample.argmax(-1).unsqueeze(0)
    return torch.cat((first, sample_categories(logits, num_samples - 1, generator)))


def losses_at(
    f: Objective, categories: torch.Tensor, like: torch.Tensor, chunk_size: int | None
) -> torch.Tensor:
    """Return f of each sample, shape (S, ...).

    Args:
        f: The objective.
        categories: The samples, shape (S, ..., L).
        like: Tensor of shape (..., L, C) whose dtype the one-hot samples take.
        chunk_size: Most samples that f is called with at once.
    """
    return evaluate(f, _one_hot_states(categories, like), len(categories), chunk_size)


def losses_of_draws(
    f: Objective, categories: torch.Tensor, like: torch.Tensor, chunk_size: int | None
) -> torch.Tensor:
    """Return f of each sample that an estimator drew; f's method of this name is asked where it has one.

    Arguments and result as for `losses_at`.
    """
    if isinstance(f, LossesOfDraws):
        losses = f.losses_of_draws(categories)
        return checked_losses(losses, categories.shape[:-1], "f.losses_of_draws must return")
    return losses_at(f, categories, like, chunk_size)


def weighted_sum(
    weights: torch.Tensor, categories: torch.Tensor, like: torch.Tensor, chunk_size: int | None
) -> torch.Tensor:
    """Return Σ_n w_n D_n, shape (..., L, C), for weights (S, ...); the rest as for `losses_at`."""
    states = _one_hot_states(categories, like)
    total = torch.zeros_like(like)
    for start, stop in chunks(len(categories), chunk_size):
        total = total + sum_over_samples(weights[start:stop, ..., None, None] * states(start, stop))
    return total


def draw_of_samples(
    gradient_of: Callable[[torch.Tensor, torch.Tensor, torch.Tensor, int | None], torch.Tensor],
    logits: torch.Tensor,
    num_samples: int,
    generator: Generators,
) -> ObjectiveDraw:
    """Draw the first of several independent samples, whose losses give the estimate.

    Args:
        gradient_of: Maps logits, categories (S, ..., L), losses (S, ...) and the most samples at once to the
            estimate, (..., L, C).
        logits: Unnormalised log-probabilities, shape (..., L, C).
        num_samples: Number S of samples.
        generator: Source of randomness; PyTorch's default generator where none is given.
    """
    sample = sample_one_hot(logits, generator)

    def rule(f: Objective, chunk_size: int | None) -> ObjectiveGradient:
        categories = samples_with(sample, logits, num_samples, generator)
        losses = losses_of_draws(f, categories, logits, chunk_size)
        gradient = gradient_of(logits, categories, losses.detach(), chunk_size)
        return ObjectiveGradient(mean_over_samples(losses), gradient)

    return ObjectiveDraw(sample, rule)


def sum_over_samples(terms: torch.Tensor) -> torch.Tensor:
    """Sum over the first axis, (S, ...) to (...), with what is added up side by side in memory.

    Only then is the order in which PyTorch adds the same for every row, and a member's sum the same in any
    pack. Down the columns, those that fill no vector register are added in another order than the rest.
    """
    return terms.movedim(0, -1).contiguous().sum(-1)


def mean_over_samples(terms: torch.Tensor) -> torch.Tensor:
    """Average over the first axis as `sum_over_samples` adds."""
    return sum_over_samples(terms) / len(terms)


def _one_hot_states(categories: torch.Tensor, like: torch.Tensor) -> States:
    return lambda start, stop: one_hot(categories[start:stop], like.shape[-1], like.dtype)
