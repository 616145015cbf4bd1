"""The ReinMax estimator."""

from __future__ import annotations

import torch

from estimators.hyperparameter import TEMPERATURE
from estimators.randomness import Generators
from estimators.sampling import attach_gradient, check_logits, sample_one_hot
from estimators.softmax_vjp import softmax_vjp


def reinmax(
    logits: torch.Tensor, *, temperature: float | torch.Tensor = 1.0, generator: Generators = None
) -> torch.Tensor:
    """Second-order straight-through gradient (ReinMax).

        grad = 2 * vjp((π_τ + D) / 2, g) - 0.5 * vjp(π, g)

    No factor 1/τ anywhere. At temperature 1 its expectation is the second-order (Heun) approximation of the
    gradient: exact for linear and quadratic f, biased otherwise. Not a score-function estimator.

    Args:
        logits: Unnormalised log-probabilities, shape (..., L, C), float.
        temperature: Softmax temperature τ of the first term, > 0; a number, or a tensor broadcastable to
            (..., 1, 1).
        generator: Source of randomness, or one for each index of the first axis; the global generator is
            never used.
    Returns:
        One-hot sample, shape and dtype of logits.
    Raises:
        ValueError: If temperature <= 0 or logits has fewer than two dimensions.
    Source: Beyond ReinMax, Eq. 12; Liu et al. (2023).
    """
    check_logits(logits)
    TEMPERATURE.check(temperature, logits)
    theta = logits.detach()
    sample = sample_one_hot(theta, generator)
    return attach_gradient(sample, logits, lambda g: reinmax_gradient(theta, sample, g, temperature))


def reinmax_gradient(
    logits: torch.Tensor,
    sample: torch.Tensor,
    grad_sample: torch.Tensor,
    temperature: float | torch.Tensor,
) -> torch.Tensor:
    """Return the gradient of Eq. 12, shape (..., L, C); arguments as in `reinmax`."""
    probs_tau = torch.softmax(logits / temperature, -1)
    second_order = softmax_vjp((probs_tau + sample) / 2, grad_sample)
    first_order = softmax_vjp(torch.softmax(logits, -1), grad_sample)
    return 2 * second_order - 0.5 * first_order
