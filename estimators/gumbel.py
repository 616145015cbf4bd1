"""Gumbel noise: free draws, draws conditional on the category that won, and averages over the latter."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from estimators.randomness import Generators, exponential


def sample_gumbel(shape: Sequence[int], generator: Generators, *, like: torch.Tensor) -> torch.Tensor:
    """Draw from Gumbel(0, 1).

    Args:
        shape: Shape of the result.
        generator: Source of randomness; the global generator is never used.
        like: Tensor whose dtype and device the result takes.
    """
    return exponential(shape, generator, like=like).log_().neg_()


def conditional_gumbels(
    logits: torch.Tensor, sample: torch.Tensor, num_mc_samples: int, generator: Generators
) -> torch.Tensor:
    """Draw log-probabilities plus Gumbel noise, given which category has the largest sum.

    With E ~ Exp(1), log p = log_softmax(logits) and i the category of the sample,

        Y_i = -log E_i,        Y_j = -log(E_j / p_j + E_i)  for j ≠ i,

    so that argmax Y = i always. Computed in logs, hence finite where p_j underflows.

    Args:
        logits: Unnormalised log-probabilities, shape (..., L, C).
        sample: One-hot category to condition on, shape (..., L, C).
        num_mc_samples: Number K of draws for each variable.
        generator: Source of randomness; the global generator is never used.
    Returns:
        Draws of shape (..., L, C, K). The draws are the last axis because a softmax over a middle axis
        with a long contiguous last one is many times faster than over a short last one.
    Source: Beyond ReinMax, Eq. 7, with logits normalised so that Z = 1.
    """
    log_probs = torch.log_softmax(logits, -1)
    winner = sample.argmax(-1, keepdim=True).unsqueeze(-1)
    winner = winner.expand(*winner.shape[:-1], num_mc_samples)
    log_exponentials = exponential((*logits.shape, num_mc_samples), generator, like=logits).log_()
    log_winner = log_exponentials.gather(-2, winner)
    draws = torch.logaddexp(log_exponentials.sub_(log_probs.unsqueeze(-1)), log_winner)
    return draws.scatter_(-2, winner, log_winner).neg_()


def averaged_softmax_vjp(
    logits: torch.Tensor,
    sample: torch.Tensor,
    grad_sample: torch.Tensor,
    temperature: float | torch.Tensor,
    num_mc_samples: int,
    generator: Generators,
) -> torch.Tensor:
    """Average the tempered softmax's vector-Jacobian product over conditional Gumbel draws.

        (1/K) Σ_k J_τ(Y_k) g,   Y_k ~ logits + G given the sample

    The derivative through Y's own dependence on logits is left out, as in the paper.

    Args:
        logits: Unnormalised log-probabilities, shape (..., L, C).
        sample: One-hot category to condition on, shape (..., L, C).
        grad_sample: Gradient with respect to the sample, shape (..., L, C).
        temperature: Softmax temperature τ > 0, broadcastable to (..., 1, 1).
        num_mc_samples: Number K of draws.
        generator: Source of randomness; the global generator is never used.
    Returns:
        Averaged product, shape (..., L, C).
    Source: Beyond ReinMax, Eq. 6.
    """
    draws = conditional_gumbels(logits, sample, num_mc_samples, generator)
    inner_temperature = temperature.unsqueeze(-1) if isinstance(temperature, torch.Tensor) else temperature
    relaxed = torch.softmax(draws.div_(inner_temperature), -2)
    baseline = torch.matmul(grad_sample.unsqueeze(-2), relaxed)
    centred = grad_sample * relaxed.mean(-1)
    centred -= torch.matmul(relaxed, baseline.transpose(-1, -2)).squeeze(-1) / num_mc_samples
    return centred / temperature
