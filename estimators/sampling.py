"""Forward passes: one-hot draws, and the arguments that every estimator checks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from estimators.hyperparameter import Hyperparameter
from estimators.randomness import Generators, check_generator, uniform
from estimators.softmax import softmax, with_cheap_softmax

GradientRule = Callable[[torch.Tensor], torch.Tensor]
"""Maps ∂f/∂D, shape (..., L, C), to the estimate of ∂E[f]/∂θ, shape (..., L, C)."""


NO_SECOND_DERIVATIVE = (
    "an estimate of a gradient has no derivative of its own: the sample is drawn, and what would come out "
    "estimates no second derivative of E[f] (docs/estimators.md)"
)
"""Of either family: what asking for a second derivative is refused with."""


@dataclass(frozen=True)
class Draw:
    """What a pathwise estimator is: a draw, and how the gradient comes back through it.

    Args:
        sample: Value of the forward pass, shape (..., L, C), without a graph. Of a variable whose logits are
            NaN, +inf or all -inf its first entry is NaN, so that no loss of it is finite.
        rule: The estimate's linear map from ∂f/∂D; refers to no tensor with a graph. Called once.
        transposed_rule: That map's transpose, for forward-mode differentiation; none where it is symmetric.
    """

    sample: torch.Tensor
    rule: GradientRule
    transposed_rule: GradientRule | None = None


def pathwise_gradient(draw: Draw, f: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
    """Return a draw's estimate of the gradient of an f that autograd can differentiate, shape (..., L, C).

    Args:
        draw: Of logits of shape (..., L, C).
        f: Maps its sample, a leaf of a graph, to losses, each that of its own part of the sample.
    """
    sample = draw.sample.detach().requires_grad_()
    with torch.enable_grad():
        (grad_sample,) = torch.autograd.grad(f(sample).sum(), sample)
    return draw.rule(with_cheap_softmax(grad_sample))


def checked_arguments(
    logits: torch.Tensor,
    hyperparameters: Mapping[Hyperparameter, float | torch.Tensor],
    generator: Generators,
) -> dict[str, float | torch.Tensor]:
    """Return the hyperparameters by name, or raise.

    Raises:
        ValueError: If logits, a value or the generator break their rule.
    """
    check_logits(logits)
    check_generator(generator)
    return {one.name: one.checked(value, logits) for one, value in hyperparameters.items()}


def widened(tensor: torch.Tensor) -> torch.Tensor:
    """Return the tensor in float32 where its dtype is narrower, for sums and noise that need the digits."""
    return tensor.to(_comparable(tensor.dtype))


def check_logits(logits: torch.Tensor) -> None:
    """Raise unless logits have shape (..., L, C) and a floating dtype.

    Raises:
        ValueError: If they do not.
    """
    if not isinstance(logits, torch.Tensor):
        raise ValueError(f"logits must be a tensor, got {type(logits).__name__}")
    if logits.ndim < 2:
        raise ValueError(f"logits must have shape (..., L, C), got shape {tuple(logits.shape)}")
    if logits.shape[-1] < 1:
        raise ValueError(f"logits must have at least one category, got shape {tuple(logits.shape)}")
    if not logits.is_floating_point():
        raise ValueError(f"logits must be floating, got {logits.dtype}")


def one_hot_argmax(scores: torch.Tensor) -> torch.Tensor:
    """Return the one-hot vector of the largest score, shape and dtype of scores, (..., C).

    Where no score is finite or one is NaN, the vector's first entry is NaN.
    """
    # Over an axis that is not contiguous, max is several times faster than argmax.
    largest, index = scores.max(-1, keepdim=True)
    return _one_hot(index, like=scores, finite=largest)


def sample_one_hot(logits: torch.Tensor, generator: Generators) -> torch.Tensor:
    """Draw D ~ softmax(logits) by inverting the cumulative distribution.

    One uniform number a variable, where the Gumbel-max trick takes C and two logarithms of each.

    Args:
        logits: Unnormalised log-probabilities, shape (..., L, C).
        generator: Source of randomness; PyTorch's default generator where none is given.
    Returns:
        One-hot draw, shape and dtype of logits, without a graph. Where softmax(logits) is NaN, its first
        entry is NaN.
    """
    logits = logits.detach()
    cumulative = softmax(logits.to(_comparable(logits.dtype))).cumsum(-1)
    # Below the rounded total, so that no category of probability zero is drawn, not even the last.
    threshold = uniform(logits.shape[:-1], generator, like=cumulative).mul_(cumulative[..., -1]).unsqueeze(-1)
    is_below = torch.le(cumulative, threshold, out=torch.empty_like(cumulative))
    return _one_hot(is_below.sum(-1, keepdim=True), like=logits, finite=threshold)


def _one_hot(index: torch.Tensor, *, like: torch.Tensor, finite: torch.Tensor) -> torch.Tensor:
    """Return one-hot vectors, (..., C), the first entry NaN where `finite`, (..., 1), is not finite."""
    # A comparison that writes floats takes a third of one that makes booleans, to be converted then.
    categories = torch.arange(like.shape[-1], dtype=_comparable(like.dtype), device=like.device)
    one_hot = torch.eq(categories, index.to(categories.dtype), out=torch.empty_like(like))
    # To one entry alone, since training would notice the time that all of them take.
    one_hot.narrow(-1, 0, 1).add_(finite, alpha=0)
    return one_hot


def _comparable(dtype: torch.dtype) -> torch.dtype:
    """Return a dtype as wide, and wide enough for an index and for a sum of probabilities."""
    return torch.promote_types(dtype, torch.float32)
