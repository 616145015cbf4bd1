"""The vector-Jacobian product of softmax, of which every pathwise estimator here is a sum."""

from __future__ import annotations

import torch

from estimators.softmax import softmax


def softmax_vjp(probs: torch.Tensor, grad: torch.Tensor) -> torch.Tensor:
    """Multiply the Jacobian of softmax by a vector, in O(C) and without building the C×C matrix.

        softmax_vjp(p, g) = (diag(p) - p pᵀ) g = p * g - p * sum(p * g)

    Args:
        probs: Output of a softmax over the last axis, shape (..., C).
        grad: Gradient with respect to that output, shape (..., C).
    Returns:
        Gradient with respect to the softmax's input, shape (..., C).
    """
    weighted = probs * grad
    return torch.addcmul(weighted, probs, weighted.sum(-1, keepdim=True), value=-1)


def less_common_part(probs: torch.Tensor, grad: torch.Tensor) -> torch.Tensor:
    """Subtract the entry of the most probable category, as `softmax_vjp` may have any constant subtracted.

    Probabilities of float32 sum to one but for 6e-8, and what they lack would be multiplied by all that the
    entries have in common. Of a nearly certain category the gradient is the small difference from all others:
    whatever constant its own entry kept would be rounded into it.

    Args:
        probs: Output of a softmax over the last axis, shape (..., C).
        grad: Gradient with respect to that output, shape (..., C).
    Returns:
        Shape (..., C).
    """
    return grad - grad.gather(-1, probs.argmax(-1, keepdim=True))


def possible_part(probs: torch.Tensor, terms: torch.Tensor) -> torch.Tensor:
    """Return the terms, and zero where the probability is zero, which 0 times what is not finite is not.

    Args:
        probs: Probabilities, shape (..., C).
        terms: What they are to be multiplied by, same shape.
    """
    return terms.masked_fill(probs == 0, 0)


def tempered_softmax_vjp(
    logits: torch.Tensor, grad: torch.Tensor, temperature: float | torch.Tensor
) -> torch.Tensor:
    """Multiply the Jacobian of softmax(logits / temperature) with respect to logits by a vector.

    This is J_τ of Beyond ReinMax, Appendix B, with its factor 1/τ.

    Args:
        logits: Unnormalised log-probabilities, shape (..., C).
        grad: Gradient with respect to the softmax's output, shape (..., C).
        temperature: Softmax temperature τ > 0, broadcastable to (..., 1).
    Returns:
        Gradient with respect to logits, shape (..., C).
    """
    return softmax_vjp(softmax(logits / temperature), grad) / temperature
