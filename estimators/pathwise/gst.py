"""The gapped straight-through estimator."""

from __future__ import annotations

import torch

from estimators.hyperparameter import GAP, TEMPERATURE
from estimators.named_arguments import named_arguments
from estimators.pathwise.differentiable import sample_with_gradient
from estimators.randomness import Generators
from estimators.sampling import Draw, sample_one_hot
from estimators.softmax_vjp import tempered_softmax_vjp


@named_arguments
def gst(
    logits: torch.Tensor,
    *,
    temperature: float | torch.Tensor = 1.0,
    gap: float | torch.Tensor = 1.0,
    generator: Generators = None,
) -> torch.Tensor:
    """Gapped straight-through gradient (GST): ST at logits shifted so that the draw wins by a gap.

    With m = max θ and i the sampled category, all shifts constant:

        θ'_i = θ_i + (m - θ_i),   θ'_j = θ_j - relu(θ_j + gap - m)  for j ≠ i,   grad = J_τ(θ') g

    Deterministic given the draw, so it has less variance than STGS.

    Args:
        logits: Unnormalised log-probabilities, shape (..., L, C), float.
        temperature: Softmax temperature of the backward pass, > 0; a number, or a tensor broadcastable to
            (..., 1, 1).
        gap: Least distance between the sampled and every other shifted logit, >= 0; likewise.
        generator: Source of randomness, or one for each index of the first axis; PyTorch's default generator
            where none is given.
    Returns:
        One-hot sample, shape and dtype of logits.
    Raises:
        ValueError: If temperature <= 0, gap < 0 or logits has fewer than two dimensions.
    Cost: One evaluation of f, forward and backward; L random numbers; memory O(L·C).
    Use: Where `stgs` is too noisy and each step must stay as cheap as one of `st`.
    Source: Fan et al. (2022), "Training discrete deep generative models via gapped straight-through
        estimator"; GST-1.0 in Beyond ReinMax is gap 1.
    """
    return sample_with_gradient(draw_gst, logits, {TEMPERATURE: temperature, GAP: gap}, generator)


def draw_gst(
    logits: torch.Tensor,
    *,
    temperature: float | torch.Tensor,
    gap: float | torch.Tensor,
    generator: Generators,
) -> Draw:
    """Draw, and the rule that `gst` attaches; arguments as there, unchecked, and without a graph."""
    sample = sample_one_hot(logits, generator)
    return Draw(sample, lambda g: gst_gradient(logits, sample, g, temperature, gap))


def gst_gradient(
    logits: torch.Tensor,
    sample: torch.Tensor,
    grad_sample: torch.Tensor,
    temperature: float | torch.Tensor,
    gap: float | torch.Tensor,
) -> torch.Tensor:
    """Return J_τ(θ') g, shape (..., L, C); arguments as in `gst`."""
    largest = logits.amax(-1, keepdim=True)
    gapped = logits - torch.relu(logits + gap - largest)
    return tempered_softmax_vjp(torch.where(sample > 0, largest, gapped), grad_sample, temperature)
