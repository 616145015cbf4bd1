"""The surrogate of an estimate: what equals it, and has its gradient, once."""

from __future__ import annotations

from typing import Any

import torch

from estimators.sampling import NO_SECOND_DERIVATIVE


def surrogate_of(value: torch.Tensor, gradient: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """Return what equals the value, (...), and has the gradient, (..., L, C), with respect to logits.

    With respect to a logit of -inf, that of a masked category, it has none. A second derivative is refused.
    """
    if not torch.compiler.is_dynamo_compiling():
        logits = _Once.apply(logits)  # type: ignore[no-untyped-call]
    nothing = (logits - logits.detach()).masked_fill(logits == -torch.inf, 0)
    return value.detach() + (gradient.to(logits.dtype) * nothing).sum((-1, -2))


def check_not_mapped_over(logits: torch.Tensor) -> None:
    """Raise where `torch.vmap` maps over the logits.

    Raises:
        RuntimeError: If it does: f is called with samples of a whole batch, and is not mapped over itself.
    """
    if not torch.compiler.is_dynamo_compiling():
        _Once.apply(logits.detach())  # type: ignore[no-untyped-call]


class _Once(torch.autograd.Function):
    """Copies logits, and refuses to be differentiated twice or to be mapped over.

    Its derivatives depend on the logits, so that whoever asks for a second one gets the refusal and no zero.
    """

    @staticmethod
    def forward(logits: torch.Tensor) -> torch.Tensor:
        return logits.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        # The copy, since logits may be changed in place before the backward pass.
        ctx.save_for_backward(output)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> torch.Tensor:
        return _Refusing.apply(grad, *ctx.saved_tensors)  # type: ignore[no-untyped-call, no-any-return]

    @staticmethod
    def jvp(ctx: Any, tangent: torch.Tensor) -> torch.Tensor:
        return _Refusing.apply(tangent, *ctx.saved_tensors)  # type: ignore[no-untyped-call, no-any-return]

    @staticmethod
    def vmap(*_: Any) -> None:
        raise RuntimeError(
            "torch.vmap must not map over the logits of an estimator that is given f: give it a batch, shape "
            "(B, L, C), of which it makes an estimate each (docs/estimators.md)"
        )


class _Refusing(torch.autograd.Function):
    """Copies a derivative, and refuses to be differentiated."""

    generate_vmap_rule = True

    @staticmethod
    def forward(derivative: torch.Tensor, _logits: torch.Tensor) -> torch.Tensor:
        return derivative.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        pass

    @staticmethod
    def backward(_ctx: Any, *_: torch.Tensor) -> None:
        raise RuntimeError(NO_SECOND_DERIVATIVE)

    @staticmethod
    def jvp(_ctx: Any, *_: torch.Tensor | None) -> None:
        raise RuntimeError(NO_SECOND_DERIVATIVE)
