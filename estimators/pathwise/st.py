"""The straight-through estimator."""

from __future__ import annotations

import torch

from estimators.hyperparameter import TEMPERATURE
from estimators.named_arguments import named_arguments
from estimators.pathwise.differentiable import sample_with_gradient
from estimators.randomness import Generators
from estimators.sampling import Draw, sample_one_hot
from estimators.softmax_vjp import tempered_softmax_vjp


@named_arguments
def st(
    logits: torch.Tensor, *, temperature: float | torch.Tensor = 1.0, generator: Generators = None
) -> torch.Tensor:
    """Straight-through gradient (ST): the draw counts as if it were the tempered softmax itself.

        grad = J_τ(θ) g

    At temperature 1 its expectation is the first-order (forward Euler) approximation of the gradient: exact
    for linear f, biased otherwise. Lowest variance of the family.

    Args:
        logits: Unnormalised log-probabilities, shape (..., L, C), float.
        temperature: Softmax temperature of the backward pass, > 0; a number, or a tensor broadcastable to
            (..., 1, 1). The draw itself is always from softmax(logits).
        generator: Source of randomness, or one for each index of the first axis; PyTorch's default generator
            where none is given.
    Returns:
        One-hot sample, shape and dtype of logits.
    Raises:
        ValueError: If temperature <= 0 or logits has fewer than two dimensions.
    Cost: One evaluation of f, forward and backward; L random numbers; memory O(L·C).
    Use: As the baseline that others are to beat, or where f is nearly linear. Elsewhere its bias remains
        however many samples are averaged.
    Source: Beyond ReinMax, Eq. 3; Bengio et al. (2013).
    """
    return sample_with_gradient(draw_st, logits, {TEMPERATURE: temperature}, generator)


def draw_st(logits: torch.Tensor, *, temperature: float | torch.Tensor, generator: Generators) -> Draw:
    """Draw, and the rule that `st` attaches; arguments as there, unchecked, and without a graph."""
    sample = sample_one_hot(logits, generator)
    return Draw(sample, lambda g: st_gradient(logits, g, temperature))


def st_gradient(
    logits: torch.Tensor, grad_sample: torch.Tensor, temperature: float | torch.Tensor
) -> torch.Tensor:
    """Return J_τ(θ) g; every argument and the result as in `st`, shape (..., L, C)."""
    return tempered_softmax_vjp(logits, grad_sample, temperature)
