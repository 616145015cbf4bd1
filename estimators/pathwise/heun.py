"""The second evaluation point of ReinMax (Heun's method)."""

from __future__ import annotations

import math

import torch

from estimators.softmax import log_softmax


def heun_logits(logits: torch.Tensor, sample: torch.Tensor) -> torch.Tensor:
    """Return θ_D = log((softmax(logits) + sample) / 2), finite where a probability underflows.

        θ_D,j = log π_j - log 2  for j ≠ i,        θ_D,i = log(1 + π_i) - log 2  for the sampled i

    Never the logarithm of a rounded probability, which is -inf as soon as π_j is 0 in floating point.

    Args:
        logits: Unnormalised log-probabilities, shape (..., L, C).
        sample: One-hot draw, shape (..., L, C).
    Returns:
        Normalised log-probabilities, shape (..., L, C).
    Source: Beyond ReinMax, Eq. 16 at temperature 1.
    """
    log_probs = log_softmax(logits)
    return torch.where(sample > 0, torch.log1p(log_probs.exp()), log_probs) - math.log(2)
