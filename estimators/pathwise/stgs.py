"""The straight-through Gumbel-Softmax estimator."""

from __future__ import annotations

import torch

from estimators.gumbel import sample_gumbel
from estimators.hyperparameter import TEMPERATURE
from estimators.named_arguments import named_arguments
from estimators.pathwise.differentiable import sample_with_gradient
from estimators.randomness import Generators
from estimators.sampling import Draw, one_hot_argmax
from estimators.softmax_vjp import tempered_softmax_vjp


@named_arguments
def stgs(
    logits: torch.Tensor, *, temperature: float | torch.Tensor = 1.0, generator: Generators = None
) -> torch.Tensor:
    """Straight-through Gumbel-Softmax gradient (STGS): ST at the perturbed logits that made the draw.

        D = onehot(argmax(θ + G)),   grad = J_τ(θ + G) g,   the same G ~ Gumbel(0, 1) in both

    What `torch.nn.functional.gumbel_softmax(hard=True)` computes, but for where its randomness comes from.
    Small temperatures have little bias and much variance.

    Args:
        logits: Unnormalised log-probabilities, shape (..., L, C), float.
        temperature: Softmax temperature of the backward pass, > 0; a number, or a tensor broadcastable to
            (..., 1, 1).
        generator: Source of randomness, or one for each index of the first axis; PyTorch's default generator
            where none is given.
    Returns:
        One-hot sample, shape and dtype of logits.
    Raises:
        ValueError: If temperature <= 0 or logits has fewer than two dimensions.
    Cost: One evaluation of f, forward and backward; L·C random numbers; memory O(L·C).
    Use: To compare with published Gumbel-Softmax results, with τ tuned. `gumbel_rao` has less variance for
        the same evaluation of f.
    Source: Beyond ReinMax, Eq. 5; Jang et al. (2017), Maddison et al. (2017).
    """
    return sample_with_gradient(draw_stgs, logits, {TEMPERATURE: temperature}, generator)


def draw_stgs(logits: torch.Tensor, *, temperature: float | torch.Tensor, generator: Generators) -> Draw:
    """Draw, and the rule that `stgs` attaches; arguments as there, unchecked, and without a graph."""
    perturbed = logits + sample_gumbel(logits.shape, generator, like=logits)
    return Draw(one_hot_argmax(perturbed), lambda g: stgs_gradient(perturbed, g, temperature))


def stgs_gradient(
    perturbed_logits: torch.Tensor, grad_sample: torch.Tensor, temperature: float | torch.Tensor
) -> torch.Tensor:
    """Return J_τ(θ + G) g for perturbed logits θ + G, shape (..., L, C)."""
    return tempered_softmax_vjp(perturbed_logits, grad_sample, temperature)
