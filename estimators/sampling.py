"""Forward passes of the pathwise family: one-hot draws, and how a gradient is attached to them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.autograd.function import FunctionCtx, once_differentiable

from estimators.gumbel import sample_gumbel
from estimators.randomness import Generators

GradientRule = Callable[[torch.Tensor], torch.Tensor]
"""Maps ∂f/∂D, shape (..., L, C), to the estimate of ∂E[f]/∂θ, shape (..., L, C)."""


def check_logits(logits: torch.Tensor) -> None:
    """Raise unless logits have shape (..., L, C) and a floating dtype.

    Raises:
        ValueError: If they do not.
    """
    if logits.ndim < 2:
        raise ValueError(f"logits must have shape (..., L, C), got shape {tuple(logits.shape)}")
    if logits.shape[-1] < 1:
        raise ValueError(f"logits must have at least one category, got shape {tuple(logits.shape)}")
    if not logits.is_floating_point():
        raise ValueError(f"logits must be floating, got {logits.dtype}")


def one_hot_argmax(scores: torch.Tensor) -> torch.Tensor:
    """Return the one-hot vector of the largest score, shape and dtype of scores, (..., C)."""
    return torch.zeros_like(scores).scatter_(-1, scores.argmax(-1, keepdim=True), 1.0)


def sample_one_hot(logits: torch.Tensor, generator: Generators) -> torch.Tensor:
    """Draw D ~ softmax(logits) by the Gumbel-max trick.

    Args:
        logits: Unnormalised log-probabilities, shape (..., L, C).
        generator: Source of randomness; the global generator is never used.
    Returns:
        One-hot draw, shape and dtype of logits, without a graph.
    """
    logits = logits.detach()
    return one_hot_argmax(logits + sample_gumbel(logits.shape, generator, like=logits))


def attach_gradient(sample: torch.Tensor, logits: torch.Tensor, rule: GradientRule) -> torch.Tensor:
    """Return the sample unchanged, with `rule` as its gradient with respect to logits.

    Args:
        sample: Value of the forward pass, shape (..., L, C).
        logits: What the gradient flows to, shape (..., L, C).
        rule: Called once in the backward pass; it must not refer to a tensor that carries a graph.
    """
    result: torch.Tensor = _SampleWithGradient.apply(logits, sample, rule)  # type: ignore[no-untyped-call]
    return result


class _SampleWithGradient(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx, logits: torch.Tensor, sample: torch.Tensor, rule: GradientRule
    ) -> torch.Tensor:
        ctx.rule = rule  # type: ignore[attr-defined]
        ctx.save_for_backward(logits)
        return sample.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad_sample: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        # The rule has the logits already; unpacking them raises if they were changed in place meanwhile.
        _ = ctx.saved_tensors  # type: ignore[attr-defined]
        return ctx.rule(grad_sample), None, None  # type: ignore[attr-defined]
