"""The Concrete (relaxed Gumbel-Softmax) estimator."""

from __future__ import annotations

import torch

from estimators.gumbel import sample_gumbel
from estimators.hyperparameter import TEMPERATURE
from estimators.named_arguments import named_arguments
from estimators.pathwise.differentiable import sample_with_gradient
from estimators.randomness import Generators
from estimators.sampling import Draw
from estimators.softmax import softmax
from estimators.softmax_vjp import softmax_vjp


@named_arguments
def concrete(
    logits: torch.Tensor, *, temperature: float | torch.Tensor = 1.0, generator: Generators = None
) -> torch.Tensor:
    """Relaxed Gumbel-Softmax sample, also called Concrete, with its own gradient.

        S = softmax((θ + G) / τ),   grad = (1/τ) vjp(S, g),   G ~ Gumbel(0, 1)

    The only estimator here whose sample is not one-hot: f meets points inside the simplex, and losses are
    those of relaxed samples. The gradient is exact for E[f(S)], hence biased for E[f(D)]. Not `stgs`, which
    hands f the one-hot vector at S's largest entry.

    Args:
        logits: Unnormalised log-probabilities, shape (..., L, C), float.
        temperature: Softmax temperature τ of the sample and of the backward pass, > 0; a number, or a tensor
            broadcastable to (..., 1, 1).
        generator: Source of randomness, or one for each index of the first axis; PyTorch's default generator
            where none is given.
    Returns:
        Relaxed sample with entries in [0, 1] that sum to 1 over categories, shape and dtype of logits.
    Raises:
        ValueError: If temperature <= 0 or logits has fewer than two dimensions.
    Cost: One evaluation of f, forward and backward, at a relaxed sample; L·C random numbers; memory O(L·C).
    Use: Where f is defined inside the simplex, and the value that is wanted is that at relaxed samples;
        where it is that at one-hot ones, `stgs`.
    Source: Jang et al. (2017); Maddison et al. (2017).
    """
    return sample_with_gradient(draw_concrete, logits, {TEMPERATURE: temperature}, generator)


def draw_concrete(logits: torch.Tensor, *, temperature: float | torch.Tensor, generator: Generators) -> Draw:
    """Draw, and the rule that `concrete` attaches; arguments as there, unchecked, and without a graph."""
    sample = softmax((logits + sample_gumbel(logits.shape, generator, like=logits)) / temperature)
    return Draw(sample, lambda g: concrete_gradient(sample, g, temperature))


def concrete_gradient(
    relaxed_sample: torch.Tensor, grad_sample: torch.Tensor, temperature: float | torch.Tensor
) -> torch.Tensor:
    """Return (1/τ) vjp(S, g) for a relaxed sample S, shape (..., L, C)."""
    return softmax_vjp(relaxed_sample, grad_sample) / temperature
