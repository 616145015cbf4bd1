"""The pathwise family's interface: a sample whose gradient is an estimator's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from estimators.hyperparameter import Hyperparameter
from estimators.randomness import Generators
from estimators.sampling import NO_SECOND_DERIVATIVE, Draw, GradientRule, checked_arguments, widened


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
        generator: Source of randomness; PyTorch's default generator where none is given.
    Returns:
        The sample, shape and dtype of logits.
    Raises:
        ValueError: If an argument breaks its rule.
    """
    if torch.compiler.is_dynamo_compiling():
        from estimators.pathwise.uncompiled import (
            eager_sample_with_gradient,  # by what takes a second to import
        )

        sample: torch.Tensor = eager_sample_with_gradient(draw, logits, hyperparameters, generator)
        return sample
    named = checked_arguments(logits, hyperparameters, generator)
    # torch.vmap passes over what has no argument that varies: this one does wherever draws are to differ.
    varies = torch.rand(0, device=logits.device)
    drawing = _Drawing(draw, tuple(named), generator)
    sample, *_ = _SampleWithGradient.apply(drawing, varies, logits, *named.values())  # type: ignore[no-untyped-call]
    return sample


@dataclass(frozen=True)
class _Drawing:
    """An estimator with everything but logits and the hyperparameters' values."""

    draw: Callable[..., Draw]
    names: tuple[str, ...]
    generator: Generators

    def __call__(self, logits: torch.Tensor, values: Sequence[float | torch.Tensor]) -> Draw:
        """Draw, in the precision of the logits or float32."""
        named = dict(zip(self.names, values, strict=True))
        with _without_autocast(logits.device):
            return self.draw(widened(logits.detach()), **named, generator=self.generator)


class _SampleWithGradient(torch.autograd.Function):
    """Draws; in its backward pass, and in forward mode, it hands over to `_Estimate`.

    Its second output is the draw's own sample: out of the user's reach, and mapped over by `torch.vmap` just
    where the draw is.
    """

    @staticmethod
    def forward(
        drawing: _Drawing, _varies: torch.Tensor, logits: torch.Tensor, *values: float | torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, Draw]:
        draw = drawing(logits, values)
        return draw.sample.to(logits.dtype, copy=True), draw.sample, draw

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Any, ...]) -> None:
        _, _, logits, *values = inputs
        _, own_sample, ctx.draw = output
        ctx.mark_non_differentiable(own_sample)
        ctx.set_materialize_grads(False)
        # The rule has these already; unpacking them raises if they were changed in place meanwhile.
        ctx.save_for_backward(own_sample, logits, *(one for one in values if isinstance(one, torch.Tensor)))
        ctx.save_for_forward(own_sample, logits)

    @staticmethod
    def backward(ctx: Any, grad_sample: torch.Tensor, *_: None) -> tuple[torch.Tensor | None, ...]:
        own_sample, logits, *_values = ctx.saved_tensors
        estimate = _Estimate.apply(ctx.draw.rule, grad_sample, own_sample, logits)  # type: ignore[no-untyped-call]
        return None, None, estimate, *(None for _ in ctx.needs_input_grad[3:])

    @staticmethod
    def jvp(
        ctx: Any, _drawing: None, _varies: None, tangent: torch.Tensor | None, *of_values: torch.Tensor | None
    ) -> tuple[torch.Tensor, None, None]:
        if tangent is None or any(one is not None for one in of_values):
            raise ValueError("hyperparameters must have no tangent, since no estimator gives them a gradient")
        rule = ctx.draw.transposed_rule or ctx.draw.rule
        return _Estimate.apply(rule, tangent, *ctx.saved_tensors[:2]), None, None  # type: ignore[no-untyped-call]

    @staticmethod
    def vmap(
        info: Any,
        in_dims: tuple[int | None, ...],
        drawing: _Drawing,
        _varies: torch.Tensor,
        logits: torch.Tensor,
        *values: float | torch.Tensor,
    ) -> tuple[tuple[torch.Tensor, torch.Tensor, Draw], tuple[int, int, None]]:
        """Draw for every element at once, along an axis before (L, C): the first may be that of a pack."""
        if info.randomness != "different":
            raise RuntimeError(
                f"torch.vmap must have randomness='different' for estimators, got {info.randomness!r}"
            )
        if logits.ndim - (in_dims[2] is not None) < 3 and isinstance(drawing.generator, Sequence):
            raise ValueError("generator must be one generator for logits of shape (L, C) in torch.vmap")
        size = info.batch_size
        wide = _before_variables(logits, in_dims[2], size)
        moved = (
            _before_variables(value, dim, size) if isinstance(value, torch.Tensor) else value
            for value, dim in zip(values, in_dims[3:], strict=True)
        )
        sample, own_sample, draw = _SampleWithGradient.apply(drawing, _varies, wide, *moved)  # type: ignore[no-untyped-call]
        axis = sample.ndim - 3
        return (sample, own_sample, draw), (axis, axis, None)


class _Estimate(torch.autograd.Function):
    """Applies a draw's rule, and refuses to be differentiated.

    It takes the logits too, so that whoever asks for a second derivative gets the refusal and no zero.
    """

    @staticmethod
    def forward(
        rule: GradientRule, grad_sample: torch.Tensor, _own_sample: torch.Tensor, logits: torch.Tensor
    ) -> torch.Tensor:
        with _without_autocast(logits.device):
            return rule(widened(grad_sample)).to(logits.dtype)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: torch.Tensor) -> None:
        pass

    @staticmethod
    def backward(_ctx: Any, *_: torch.Tensor) -> None:
        raise RuntimeError(NO_SECOND_DERIVATIVE)

    @staticmethod
    def jvp(_ctx: Any, *_: torch.Tensor | None) -> None:
        raise RuntimeError(NO_SECOND_DERIVATIVE)

    @staticmethod
    def vmap(
        info: Any,
        in_dims: tuple[int | None, ...],
        rule: GradientRule,
        grad_sample: torch.Tensor,
        own_sample: torch.Tensor,
        logits: torch.Tensor,
    ) -> tuple[torch.Tensor, int]:
        _, of_grad, of_sample, of_logits = in_dims
        if of_sample is None:  # several gradients of one draw, as torch.func.jacrev has
            several = grad_sample.unbind(of_grad or 0)
            estimates = [_Estimate.apply(rule, one, own_sample, logits) for one in several]  # type: ignore[no-untyped-call]
            return torch.stack(estimates), 0
        grads, samples, wide = (
            _before_variables(tensor, dim, info.batch_size)
            for tensor, dim in ((grad_sample, of_grad), (own_sample, of_sample), (logits, of_logits))
        )
        estimate = _Estimate.apply(rule, grads, samples, wide)  # type: ignore[no-untyped-call]
        return estimate, estimate.ndim - 3


def _before_variables(tensor: torch.Tensor, axis: int | None, size: int) -> torch.Tensor:
    """Move the axis that torch.vmap maps over, or one made of copies, to before the last two."""
    if axis is None:
        tensor, axis = tensor.expand(size, *tensor.shape), 0
    tensor = tensor.movedim(axis, 0)
    # A hyperparameter of shape () or (1,) stands for one of shape (1, 1).
    while tensor.ndim < 3:
        tensor = tensor.unsqueeze(-1)
    return tensor.movedim(0, -3)


def _without_autocast(device: torch.device) -> AbstractContextManager[Any]:
    """Keep sums and products from being rounded to autocast's precision."""
    is_on = torch.amp.is_autocast_available(device.type) and torch.is_autocast_enabled(device.type)
    return torch.autocast(device.type, enabled=False) if is_on else nullcontext()
