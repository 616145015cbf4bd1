"""How a user's function becomes a draw: called for each member of a pack, its result checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch

from estimators.own import EstimatorError, OwnEstimator
from estimators.pathwise.differentiable import sample_with_gradient
from estimators.randomness import Generators
from estimators.sampling import Draw, sample_one_hot
from estimators.score_function.objective import (
    Estimate,
    Objective,
    ObjectiveDraw,
    ObjectiveGradient,
    estimate_with_objective,
)


def own_sample(
    entry: OwnEstimator, logits: torch.Tensor, *, generator: Generators = None, **values: Any
) -> torch.Tensor:
    """Return the sample of a user's estimator with its gradient, as those that ship do."""
    return sample_with_gradient(entry.draw, logits, _all_values(entry, values), generator)  # type: ignore[arg-type]


def own_estimate(
    entry: OwnEstimator,
    logits: torch.Tensor,
    f: Objective,
    *,
    generator: Generators = None,
    chunk_size: int | None = None,
    **values: Any,
) -> Estimate:
    """Return the estimate of a user's score-function estimator, as those that ship do."""
    draw: Any = entry.draw
    return estimate_with_objective(draw, logits, f, _all_values(entry, values), generator, chunk_size)


def _all_values(entry: OwnEstimator, values: dict[str, Any]) -> dict[Any, Any]:
    known = {one.name for one in entry.hyperparameters}
    if unknown := values.keys() - known:
        takes = ", ".join(sorted(known)) or "no hyperparameters"
        raise ValueError(f"{entry.name} takes {takes}, got {', '.join(sorted(unknown))}")
    return {one: values.get(one.name, one.default) for one in entry.hyperparameters}


def draw_own(
    entry: OwnEstimator, logits: torch.Tensor, *, generator: Generators, **values: Any
) -> Draw | ObjectiveDraw:
    """Draw with a user's function, once for each member of a pack; arguments as for those that ship."""
    function = entry.called()
    if entry.needs_objective:
        return _objective_draw(entry, function, logits, generator, values)
    if entry.takes_packs or not isinstance(generator, Sequence):
        return _one_draw(entry, function, logits.contiguous(), generator, values)
    draws = [
        _one_draw(entry, function, part, own, values_of)
        for part, own, values_of in _members(logits, generator, values)
    ]
    sample = torch.stack([draw.sample for draw in draws])

    def rule(grad_sample: torch.Tensor) -> torch.Tensor:
        return torch.stack([draw.rule(grad) for draw, grad in zip(draws, grad_sample, strict=True)])

    return Draw(sample, rule)


def _members(
    logits: torch.Tensor, generators: Sequence[torch.Generator], values: dict[str, Any]
) -> list[tuple[torch.Tensor, torch.Generator, dict[str, Any]]]:
    """Return of each member of a pack its logits, its generator and its hyperparameters, as numbers."""
    if len(generators) != len(logits):
        raise ValueError(
            f"generator must be one generator or one for each index of the first axis, got {len(generators)} "
            f"for shape {tuple(logits.shape)}"
        )
    return [
        (
            logits[index].contiguous(),
            generators[index],
            {name: _number(value, index, len(generators)) for name, value in values.items()},
        )
        for index in range(len(generators))
    ]


def _number(value: Any, index: int, size: int) -> Any:
    """Return a member's value of a hyperparameter: a number where it has one alone."""
    if not isinstance(value, torch.Tensor):
        return value
    own = value[index] if value.ndim >= 4 and len(value) == size else value
    return own.item() if own.numel() == 1 else own


def _one_draw(
    entry: OwnEstimator,
    function: Callable[..., Any],
    logits: torch.Tensor,
    generator: Any,
    values: dict[str, Any],
) -> Draw:
    leaf = logits.detach().requires_grad_()
    with torch.enable_grad():
        result = function(leaf, **values, generator=generator)
    if isinstance(result, Draw):
        _check_like(entry, "its sample", result.sample, logits)
        return Draw(result.sample.detach(), _checked_rule(entry, result, logits))
    _check_like(entry, "its result", result, logits)
    if not result.requires_grad:
        raise EstimatorError(
            f"estimator {entry.name}: no gradient leads from its sample to the logits; is something detached "
            "that should not be?"
        )

    def rule(grad_sample: torch.Tensor) -> torch.Tensor:
        (grad,) = torch.autograd.grad(result, leaf, grad_sample, retain_graph=True, allow_unused=True)
        if grad is None:
            raise EstimatorError(f"estimator {entry.name}: no gradient leads from its sample to the logits")
        return grad

    return Draw(result.detach(), rule)


def _checked_rule(
    entry: OwnEstimator, draw: Draw, logits: torch.Tensor
) -> Callable[[torch.Tensor], torch.Tensor]:
    def rule(grad_sample: torch.Tensor) -> torch.Tensor:
        estimate = draw.rule(grad_sample)
        _check_like(entry, "the estimate of its rule", estimate, logits)
        return estimate

    return rule


def _objective_draw(
    entry: OwnEstimator,
    function: Callable[..., Any],
    logits: torch.Tensor,
    generator: Generators,
    values: dict[str, Any],
) -> ObjectiveDraw:
    sample = sample_one_hot(logits, generator)

    def rule(f: Objective, chunk_size: int | None) -> ObjectiveGradient:
        def in_chunks(samples: torch.Tensor) -> torch.Tensor:
            return torch.cat([f(part) for part in torch.split(samples, chunk_size or len(samples))])

        if entry.takes_packs or not isinstance(generator, Sequence):
            result = function(logits.contiguous(), in_chunks, **values, generator=generator)
            return _checked_estimate(entry, result, logits)
        estimates = [
            _checked_estimate(
                entry, function(part, _of_member(in_chunks, index, len(logits)), **own, generator=one), part
            )
            for index, (part, one, own) in enumerate(_members(logits, generator, values))
        ]
        return ObjectiveGradient(
            torch.stack([one.value for one in estimates]), torch.stack([one.gradient for one in estimates])
        )

    return ObjectiveDraw(sample, rule)


def _of_member(f: Objective, index: int, size: int) -> Objective:
    """Return f as one member of a pack sees it; it is called for all, since it is of a whole pack."""

    def own(samples: torch.Tensor) -> torch.Tensor:
        everyone = samples.unsqueeze(1).expand(len(samples), size, *samples.shape[1:]).contiguous()
        return f(everyone)[:, index]

    return own


def _checked_estimate(entry: OwnEstimator, result: Any, logits: torch.Tensor) -> ObjectiveGradient:
    is_pair = isinstance(result, Sequence) and len(result) == 2
    value, gradient = result if is_pair else (None, None)
    if not isinstance(value, torch.Tensor) or value.shape != logits.shape[:-2]:
        shape = tuple(logits.shape)
        shape = tuple(logits.shape)
        raise EstimatorError(
            f"estimator {entry.name} must return a pair: an estimate of E[f] of shape {shape[:-2]} and one "
            f"of its gradient of shape {shape}; got {_described(value if is_pair else result)}"
        )
    _check_like(entry, "the gradient that it returns", gradient, logits)
    return ObjectiveGradient(value, cast("torch.Tensor", gradient).detach())


def _check_like(entry: OwnEstimator, what: str, tensor: Any, logits: torch.Tensor) -> None:
    if not isinstance(tensor, torch.Tensor) or tensor.shape != logits.shape or tensor.dtype != logits.dtype:
        raise EstimatorError(
            f"estimator {entry.name}: {what} must be a tensor of the logits' shape and dtype, "
            f"{tuple(logits.shape)} and {logits.dtype}, got {_described(tensor)}"
        )


def _described(value: Any) -> str:
    return (
        f"{tuple(value.shape)} and {value.dtype}" if isinstance(value, torch.Tensor) else type(value).__name__
    )


def probe(entry: OwnEstimator) -> None:
    """See that a user's estimator keeps the contract on logits of a few variables, before it trains anything.

    Raises:
        EstimatorError: If its result has another shape or dtype, is no distribution over categories, is not
            finite, or has a gradient that does not lead to the logits.
    """
    logits = torch.linspace(-2, 2, 2 * 3 * 4).view(1, 2, 3, 4)
    generators = [torch.Generator().manual_seed(0)]
    values = {one.name: one.default for one in entry.hyperparameters}
    draw = draw_own(entry, logits, generator=generators, **values)
    if isinstance(draw, ObjectiveDraw):
        estimate = draw.rule(lambda samples: samples.square().sum((-1, -2)), None).gradient
    else:
        total = draw.sample.sum(-1)
        if not torch.allclose(total, torch.ones_like(total), atol=1e-3):
            raise EstimatorError(
                f"estimator {entry.name}: its sample must sum to one over the categories, the last axis; got "
                f"sums from {total.min():.4g} to {total.max():.4g}"
            )
        estimate = draw.rule(torch.linspace(0, 1, logits.numel()).view_as(logits))
    if not estimate.isfinite().all():
        raise EstimatorError(f"estimator {entry.name}: its gradient must be finite, and is not")
