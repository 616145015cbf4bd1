"""Each variable of each sample set to each category in turn: what IndeCateR evaluates."""

from __future__ import annotations

import torch

from estimators.score_function.objective import Objective, States, checked_losses, evaluate
from estimators.score_function.samples import mean_over_samples, one_hot
from estimators.score_function.shortcuts import OwnChanges, SingleChanges


def means_per_category(
    f: Objective,
    categories: torch.Tensor,
    like: torch.Tensor,
    chunk_size: int | None,
    *,
    is_shared: bool,
) -> torch.Tensor:
    """Average f over samples whose variable d is set to v, for every d and v: L·C·N evaluations.

        F_dv = (1/N) Σ_n f(x_n with variable d set to v)

    Args:
        f: The objective; where it has the method `single_changes` or `own_changes`, that is asked instead.
        categories: N samples, shape (N, ..., L); or, not shared, N for each variable, shape (L·N, ..., L),
            the first N for the first variable.
        like: Tensor of shape (..., L, C) whose dtype the one-hot samples take.
        chunk_size: Most samples that f is called with at once.
        is_shared: Whether all variables are set in the same samples.
    Returns:
        F, shape (..., L, C), with the graph that f gives it.
    """
    latent_dim, categorical_dim = like.shape[-2:]
    if is_shared and isinstance(f, SingleChanges):
        shape = (*categories.shape, categorical_dim)
        changed = checked_losses(f.single_changes(categories), shape, "f.single_changes must return")
        return mean_over_samples(changed).contiguous()
    if not is_shared and isinstance(f, OwnChanges):
        by_variable = categories.reshape(latent_dim, -1, *categories.shape[1:])
        shape = (*by_variable.shape[:-1], categorical_dim)
        changed = checked_losses(f.own_changes(by_variable), shape, "f.own_changes must return")
        return mean_over_samples(changed.movedim(1, 0)).movedim(0, -2).contiguous()
    num_samples = len(categories) if is_shared else len(categories) // latent_dim
    count = latent_dim * categorical_dim * num_samples
    losses = evaluate(f, _substituted(categories, like, num_samples, is_shared), count, chunk_size)
    by_sample = losses.view(latent_dim, categorical_dim, num_samples, *losses.shape[1:]).movedim(2, 0)
    return mean_over_samples(by_sample).movedim((0, 1), (-2, -1)).contiguous()


def _substituted(categories: torch.Tensor, like: torch.Tensor, num_samples: int, is_shared: bool) -> States:
    """Number the states (variable, category, sample), the last running fastest."""
    categorical_dim = like.shape[-1]

    def states(start: int, stop: int) -> torch.Tensor:
        number = torch.arange(start, stop, device=categories.device)
        variable = number // (categorical_dim * num_samples)
        category = number // num_samples % categorical_dim
        sample = number % num_samples
        row = sample if is_shared else variable * num_samples + sample
        chosen = categories.index_select(0, row)
        one_each = (-1, *(1 for _ in chosen.shape[1:]))
        shape = (*chosen.shape[:-1], 1)
        chosen.scatter_(-1, variable.view(one_each).expand(shape), category.view(one_each).expand(shape))
        return one_hot(chosen, categorical_dim, like.dtype)

    return states
