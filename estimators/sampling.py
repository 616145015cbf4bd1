"""Forward passes of the pathwise family: one-hot draws, and how a gradient is attached to them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import torch
from torch.autograd.function import FunctionCtx, once_differentiable

from estimators.hyperparameter import Hyperparameter
from estimators.randomness import Generators, uniform
from estimators.softmax import softmax

GradientRule = Callable[[torch.Tensor], torch.Tensor]
"""Maps ∂f/∂D, shape (..., L, C), to the estimate of ∂E[f]/∂θ, shape (..., L, C)."""


@dataclass(frozen=True)
class Draw:
    """What a pathwise estimator is: a draw, and how the gradient comes back through it.

    Args:
        sample: Value of the forward pass, shape (..., L, C), without a graph.
        rule: Called once, with the gradient with respect to the sample; refers to no tensor with a graph.
    """

    sample: torch.Tensor
    rule: GradientRule


def sample_with_gradient(
    draw: Callable[..., Draw],
    logits: torch.Tensor,
    hyperparameters: Mapping[Hyperparameter, float | torch.Tensor],
    generator: Generators,
) -> torch.Tensor:
    """Check an estimator's arguments, draw, and return the sample with its gradient.

    Args:
        draw: The estimator's draw; takes logits without a graph, at least float32, and the rest by name.
        logits: Unnormalised log-probabilities, shape (..., L, C), float.
        hyperparameters: The value of each.
        generator: Source of randomness; the global generator is never used.
    Returns:
        The sample, shape and dtype of logits.
    Raises:
        ValueError: If logits or a value break their rule.
    """
    named = checked_arguments(logits, hyperparameters)
    return attach_gradient(draw(widened(logits.detach()), **named, generator=generator), logits)


def checked_arguments(
    logits: torch.Tensor, hyperparameters: Mapping[Hyperparameter, float | torch.Tensor]
) -> dict[str, float | torch.Tensor]:
    """Return the hyperparameters by name, or raise.

    Raises:
        ValueError: If logits or a value break their rule.
    """
    check_logits(logits)
    for hyperparameter, value in hyperparameters.items():
        hyperparameter.check(value, logits)
    return {hyperparameter.name: value for hyperparameter, value in hyperparameters.items()}


def widened(tensor: torch.Tensor) -> torch.Tensor:
    """Return the tensor in float32 where its dtype is narrower, for sums and noise that need the digits."""
    return tensor.to(_comparable(tensor.dtype))


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
    # Over an axis that is not contiguous, max is several times faster than argmax.
    return _one_hot(scores.max(-1, keepdim=True).indices, like=scores)


def sample_one_hot(logits: torch.Tensor, generator: Generators) -> torch.Tensor:
    """Draw D ~ softmax(logits) by inverting the cumulative distribution.

    One uniform number a variable, where the Gumbel-max trick takes C and two logarithms of each.

    Args:
        logits: Unnormalised log-probabilities, shape (..., L, C).
        generator: Source of randomness; the global generator is never used.
    Returns:
        One-hot draw, shape and dtype of logits, without a graph.
    """
    logits = logits.detach()
    cumulative = softmax(logits.to(_comparable(logits.dtype))).cumsum(-1)
    # Below the rounded total, so that no category of probability zero is drawn, not even the last.
    threshold = uniform(logits.shape[:-1], generator, like=cumulative).mul_(cumulative[..., -1]).unsqueeze(-1)
    is_below = torch.le(cumulative, threshold, out=torch.empty_like(cumulative))
    return _one_hot(is_below.sum(-1, keepdim=True), like=logits)


def _one_hot(index: torch.Tensor, *, like: torch.Tensor) -> torch.Tensor:
    # A comparison that writes floats takes a third of one that makes booleans, to be converted then.
    categories = _categories(like.shape[-1], _comparable(like.dtype), like.device)
    return torch.eq(categories, index.to(categories.dtype), out=torch.empty_like(like))


@cache
def _categories(count: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    return torch.arange(count, dtype=dtype, device=device)


def _comparable(dtype: torch.dtype) -> torch.dtype:
    """Return a dtype as wide, and wide enough for an index and for a sum of probabilities."""
    return torch.promote_types(dtype, torch.float32)


def attach_gradient(draw: Draw, logits: torch.Tensor) -> torch.Tensor:
    """Return the draw's sample with its rule as the gradient with respect to logits.

    Args:
        draw: The draw, whose rule is called in the backward pass.
        logits: What the gradient flows to, shape (..., L, C).
    """
    result: torch.Tensor = _SampleWithGradient.apply(logits, draw.sample, draw.rule)  # type: ignore[no-untyped-call]
    return result


class _SampleWithGradient(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx, logits: torch.Tensor, sample: torch.Tensor, rule: GradientRule
    ) -> torch.Tensor:
        ctx.rule = rule  # type: ignore[attr-defined]
        ctx.save_for_backward(logits)
        return sample.to(logits.dtype, copy=True)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad_sample: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        # The rule has the logits already; unpacking them raises if they were changed in place meanwhile.
        (logits,) = ctx.saved_tensors  # type: ignore[attr-defined]
        gradient: torch.Tensor = ctx.rule(widened(grad_sample))  # type: ignore[attr-defined]
        return gradient.to(logits.dtype), None, None
