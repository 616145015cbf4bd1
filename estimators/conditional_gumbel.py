"""Gumbel draws conditional on the category that won, as a function of the logits that they belong to."""

from __future__ import annotations

import torch


def conditional_gumbels(
    log_probs: torch.Tensor, sample: torch.Tensor, exponentials: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return draws of log p + G given the winner, and their derivatives.

    With i the category of the sample,

        Y_i = -log E_i,        Y_j = -log(E_j / p_j + E_i)  for j ≠ i,

    so that argmax Y = i always. With the noise E fixed, Y_j depends on log p_j alone, and Y_i on nothing:

        dY_i / d log p_i = 0,        dY_j / d log p_j = (E_j / p_j) / (E_j / p_j + E_i)

    Computed in logs, hence finite where p_j underflows. Only the draws of `rebar` need the derivative; the
    average that other estimators take leaves it out (`estimators.gumbel`).

    Args:
        log_probs: log p, normalised, shape (..., L, C).
        sample: One-hot category to condition on, shape (..., L, C).
        exponentials: E ~ Exp(1), > 0, shape (..., L, C).
    Returns:
        Y and dY_j / d log p_j, each of shape (..., L, C).
    Source: Beyond ReinMax, Eq. 7, with logits normalised so that Z = 1.
    """
    log_noise = exponentials.log()
    log_winner = (log_noise * sample).sum(-1, keepdim=True)
    log_loser = log_noise - log_probs
    is_winner = sample > 0
    draws = torch.where(is_winner, log_noise, torch.logaddexp(log_loser, log_winner)).neg()
    # Not torch.sigmoid, which on a CPU rounds the last few of a tensor's numbers in another way.
    slopes = (log_winner - log_loser).exp_().add_(1).reciprocal_()
    return draws, slopes.masked_fill_(is_winner, 0)
