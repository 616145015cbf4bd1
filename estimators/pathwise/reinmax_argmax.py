"""The ReinMax-Argmax estimator."""

from __future__ import annotations

import torch

from estimators.hyperparameter import TEMPERATURE
from estimators.named_arguments import named_arguments
from estimators.pathwise.differentiable import sample_with_gradient
from estimators.pathwise.reinmax import reinmax_gradient
from estimators.randomness import Generators
from estimators.sampling import Draw, one_hot_argmax, sample_one_hot


@named_arguments
def reinmax_argmax(
    logits: torch.Tensor, *, temperature: float | torch.Tensor = 1.0, generator: Generators = None
) -> torch.Tensor:
    """ReinMax with the likeliest category in place of the draw in its backward pass (ReinMax-Argmax).

        grad = 2 * vjp((π_τ + onehot(argmax θ)) / 2, g) - 0.5 * vjp(π, g)

    Made to show where ReinMax's variance comes from: without the random D in its bracket there is little
    more than straight-through has. Strongly biased, also for linear f; no estimator to train with. The
    forward sample stays random.

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
    Use: To measure how much of ReinMax's variance comes from the D in its backward pass.
    Source: Beyond ReinMax, Section 3 and Table 1.
    """
    return sample_with_gradient(draw_reinmax_argmax, logits, {TEMPERATURE: temperature}, generator)


def draw_reinmax_argmax(
    logits: torch.Tensor, *, temperature: float | torch.Tensor, generator: Generators
) -> Draw:
    """Draw, and the rule that `reinmax_argmax` attaches; arguments as there, unchecked, without a graph."""
    sample = sample_one_hot(logits, generator)
    return Draw(sample, lambda g: reinmax_argmax_gradient(logits, g, temperature))


def reinmax_argmax_gradient(
    logits: torch.Tensor, grad_sample: torch.Tensor, temperature: float | torch.Tensor
) -> torch.Tensor:
    """Return the gradient in `reinmax_argmax`'s docstring, shape (..., L, C)."""
    return reinmax_gradient(logits, one_hot_argmax(logits), grad_sample, temperature)
