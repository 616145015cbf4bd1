"""The score-function family's interface: estimators that are given f itself, and how they call it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from numbers import Integral

import torch

from estimators.hyperparameter import Hyperparameter
from estimators.randomness import Generators
from estimators.sampling import checked_arguments, widened
from estimators.score_function.surrogate import check_not_mapped_over, surrogate_of
from estimators.softmax import softmax

Objective = Callable[[torch.Tensor], torch.Tensor]
"""f: maps samples (S, ..., L, C) to losses (S, ...), the loss of each sample being its own affair."""

States = Callable[[int, int], torch.Tensor]
"""Maps start and stop to that part of a row of states: samples (stop - start, ..., L, C), in memory of their
own, since f may work in place."""


@dataclass(frozen=True)
class Estimate:
    """What a score-function estimator returns for a user.

    Args:
        value: Estimate of E[f], shape (...). Its graph leads to what f depends on besides the samples, such
            as a decoder's parameters, and never to logits; f under `torch.no_grad` has none.
        surrogate: The same numbers; its gradient with respect to logits is the estimate of ∂E[f]/∂θ, and it
            depends on nothing else. Any function of E[f] may be differentiated through it.
    """

    value: torch.Tensor
    surrogate: torch.Tensor


@dataclass(frozen=True)
class ObjectiveGradient:
    """What the rule of an `ObjectiveDraw` returns.

    Args:
        value: Estimate of E[f], shape (...).
        gradient: Estimate of ∂E[f]/∂θ, shape (..., L, C), without a graph.
    """

    value: torch.Tensor
    gradient: torch.Tensor


ObjectiveRule = Callable[[Objective, int | None], ObjectiveGradient]
"""Maps f, and the most samples it may be called with at once, to the estimate."""


@dataclass(frozen=True)
class ObjectiveDraw:
    """What a score-function estimator is to training: a draw, and a rule that asks for f, not ∂f/∂D.

    Args:
        sample: Value of the forward pass, shape (..., L, C), without a graph.
        rule: Called once, with f; refers to no tensor with a graph.
    """

    sample: torch.Tensor
    rule: ObjectiveRule


def estimate_with_objective(
    draw: Callable[..., ObjectiveDraw],
    logits: torch.Tensor,
    f: Objective,
    hyperparameters: Mapping[Hyperparameter, float | torch.Tensor],
    generator: Generators,
    chunk_size: int | None,
) -> Estimate:
    """Check an estimator's arguments, draw, call f, and return value and surrogate.

    Args:
        draw: The estimator's draw; takes logits without a graph, at least float32, and the rest by name.
        logits: Unnormalised log-probabilities, shape (..., L, C), float.
        f: Maps samples (S, ..., L, C), of logits' dtype, to losses (S, ...).
        hyperparameters: The value of each.
        generator: Source of randomness; PyTorch's default generator where none is given.
        chunk_size: Most samples, S, that f is called with at once; all where none is given.
    Raises:
        ValueError: If an argument breaks its rule, or f's result is no tensor or has another shape.
    """
    named = checked_arguments(logits, hyperparameters, generator)
    check_objective(f, chunk_size, logits)
    wide = widened(logits.detach())
    drawn = draw(wide, **named, generator=generator)
    # f itself where it can be, since it may know more than its losses (`shortcuts`).
    is_narrow = wide.dtype != logits.dtype
    objective: Objective = (lambda samples: f(samples.to(logits.dtype))) if is_narrow else f
    estimate = where_distributed(drawn.rule(objective, chunk_size), wide)
    return Estimate(estimate.value, surrogate_of(estimate.value, estimate.gradient, logits))


def where_distributed(estimate: ObjectiveGradient, logits: torch.Tensor) -> ObjectiveGradient:
    """Return the estimate, NaN where a variable has no distribution, which its categories do not show."""
    has_none = softmax(logits).isnan().any(-1).any(-1)
    return ObjectiveGradient(
        estimate.value.masked_fill(has_none, torch.nan),
        estimate.gradient.masked_fill(has_none[..., None, None], torch.nan),
    )


def check_objective(f: Objective, chunk_size: int | None, logits: torch.Tensor) -> None:
    """Raise unless f can be called, the chunk size is none or at least one, and there is a variable to draw.

    Raises:
        ValueError: If it is not so.
        RuntimeError: If `torch.vmap` maps over the logits.
    """
    if not callable(f):
        raise ValueError(f"f must be a function of samples, got {type(f).__name__}")
    if chunk_size is not None and not is_count(chunk_size):
        raise ValueError(f"chunk_size must be an integer >= 1 or None, got {chunk_size!r}")
    if logits.shape[-2] < 1:
        raise ValueError(f"logits must have at least one variable, got shape {tuple(logits.shape)}")
    check_not_mapped_over(logits)


def is_count(value: object) -> bool:
    """Whether a value is a whole number, Python's or NumPy's, of at least one."""
    return isinstance(value, Integral) and not isinstance(value, bool) and int(value) >= 1


def evaluate(f: Objective, states: States, count: int, chunk_size: int | None) -> torch.Tensor:
    """Return the losses of a row of states, shape (count, ...), f called as few times as the chunks allow."""
    return torch.cat([losses_of(f, states(start, stop)) for start, stop in chunks(count, chunk_size)])


def chunks(count: int, chunk_size: int | None) -> Iterator[tuple[int, int]]:
    """Yield start and stop of every chunk."""
    size = count if chunk_size is None else chunk_size
    for start in range(0, count, size):
        yield start, min(start + size, count)


def losses_of(f: Objective, samples: torch.Tensor) -> torch.Tensor:
    """Call f once; return its losses, at least float32.

    Raises:
        ValueError: If the result is not one floating number for each sample.
    """
    shape = samples.shape
    return checked_losses(f(samples), shape[:-2], f"f must map samples of shape {tuple(shape)} to")


def checked_losses(losses: object, shape: tuple[int, ...], rule: str) -> torch.Tensor:
    """Return the losses, at least float32.

    Args:
        losses: What f, or one of its methods, has returned.
        shape: What their shape must be.
        rule: How an error begins.
    Raises:
        ValueError: If they are no tensor of floating numbers of this shape, which might broadcast silently.
    """
    if isinstance(losses, torch.Tensor) and losses.shape == shape and losses.is_floating_point():
        return widened(losses)
    got = type(losses).__name__
    if isinstance(losses, torch.Tensor):
        got = f"{losses.dtype} of shape {tuple(losses.shape)}"
    raise ValueError(f"{rule} floating losses of shape {tuple(shape)}, got {got}")
