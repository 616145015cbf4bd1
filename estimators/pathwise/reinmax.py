"""The ReinMax estimator."""

from __future__ import annotations

import torch

from estimators.hyperparameter import TEMPERATURE
from estimators.named_arguments import named_arguments
from estimators.pathwise.differentiable import sample_with_gradient
from estimators.randomness import Generators
from estimators.sampling import Draw, sample_one_hot
from estimators.softmax import softmax
from estimators.softmax_vjp import softmax_vjp


@named_arguments
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
        generator: Source of randomness, or one for each index of the first axis; PyTorch's default generator
            where none is given.
    Returns:
        One-hot sample, shape and dtype of logits.
    Raises:
        ValueError: If temperature <= 0 or logits has fewer than two dimensions.
    Cost: One evaluation of f, forward and backward; L random numbers; memory O(L·C).
    Use: First choice where f is differentiable and evaluated once: as cheap as `st`, of higher order, and at
        its default of τ without anything to tune.
    Source: Beyond ReinMax, Eq. 12; Liu et al. (2023).
    """
    return sample_with_gradient(draw_reinmax, logits, {TEMPERATURE: temperature}, generator)


def draw_reinmax(logits: torch.Tensor, *, temperature: float | torch.Tensor, generator: Generators) -> Draw:
    """Draw, and the rule that `reinmax` attaches; arguments as there, unchecked, and without a graph."""
    sample = sample_one_hot(logits, generator)
    return Draw(sample, lambda g: reinmax_gradient(logits, sample, g, temperature))


def reinmax_gradient(
    logits: torch.Tensor,
    sample: torch.Tensor,
    grad_sample: torch.Tensor,
    temperature: float | torch.Tensor,
) -> torch.Tensor:
    """Return the gradient of Eq. 12, shape (..., L, C); arguments as in `reinmax`."""
    probs_tau = softmax(logits / temperature)
    second_order = softmax_vjp((probs_tau + sample) / 2, grad_sample)
    first_order = softmax_vjp(softmax(logits), grad_sample)
    return 2 * second_order - 0.5 * first_order
