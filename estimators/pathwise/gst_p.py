"""The gapped straight-through estimator whose gap follows from the draw's probability."""

from __future__ import annotations

import torch

from estimators.hyperparameter import TEMPERATURE
from estimators.named_arguments import named_arguments
from estimators.pathwise.differentiable import sample_with_gradient
from estimators.pathwise.gst import gst_gradient
from estimators.randomness import Generators
from estimators.sampling import Draw, sample_one_hot
from estimators.softmax import log_softmax

_LEAST_LOG_REST = -1e4
"""Below this log(1 - π_D) the gap is cut off: no softmax at a τ of up to 10 notices."""


@named_arguments
def gst_p(
    logits: torch.Tensor, *, temperature: float | torch.Tensor = 1.0, generator: Generators = None
) -> torch.Tensor:
    """Gapped straight-through gradient whose gap grows with the probability of the draw (GST-p).

    With i the sampled category, `gst` with

        gap = -log(1 - π_i) / π_i,   grad = J_τ(θ') g

    The gap is 1 for a draw that was improbable, and grows without bound for one that was certain. No gradient
    goes through it.

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
    Cost: One evaluation of f, forward and backward; L random numbers; memory O(L·C).
    Use: As `gst`, where no gap is to be chosen.
    Source: Fan et al. (2022), "Training discrete deep generative models via gapped straight-through
        estimator".
    """
    return sample_with_gradient(draw_gst_p, logits, {TEMPERATURE: temperature}, generator)


def draw_gst_p(logits: torch.Tensor, *, temperature: float | torch.Tensor, generator: Generators) -> Draw:
    """Draw, and the rule that `gst_p` attaches; arguments as there, unchecked, and without a graph."""
    sample = sample_one_hot(logits, generator)
    return Draw(sample, lambda g: gst_p_gradient(logits, sample, g, temperature))


def gst_p_gradient(
    logits: torch.Tensor,
    sample: torch.Tensor,
    grad_sample: torch.Tensor,
    temperature: float | torch.Tensor,
) -> torch.Tensor:
    """Return J_τ(θ') g, shape (..., L, C); arguments as in `gst_p`."""
    return gst_gradient(logits, sample, grad_sample, temperature, _gap(logits, sample))


def _gap(logits: torch.Tensor, sample: torch.Tensor) -> torch.Tensor:
    """Return -log(1 - π_D) / π_D, shape (..., L, 1), wherever π_D lies between 0 and 1."""
    log_probs, is_drawn = log_softmax(logits), sample > 0
    drawn = log_probs.where(is_drawn, 0).sum(-1, keepdim=True).exp()
    drawn = drawn.clamp(min=torch.finfo(drawn.dtype).tiny)  # there the quotient is 1
    others = log_probs.masked_fill(is_drawn, -torch.inf).logsumexp(-1, keepdim=True)
    log_rest = torch.where(drawn < 0.5, torch.log1p(-drawn), others).clamp(min=_LEAST_LOG_REST)
    return -log_rest / drawn
