"""The reconstruction term as a function of the sample, for estimators that evaluate it themselves."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch.autograd.function import once_differentiable
from torch.nn import functional

from trainables.models.networks import PackedMLP

_ROWS_ON_CPU = 1000
_ROWS_ON_ACCELERATOR = 2**14


class Reconstruction:
    """f of a batch of images: maps samples (S, P, B, L, C) to -log p(image | sample), (S, P, B), in nats.

    Samples may be relaxed, and may require a gradient; the parameters' gradients are left alone. It decodes
    in the decoder's own buffers, and is therefore to be called when nothing of what they hold is needed.

    Args:
        decoder: The pack's decoders, from L·C to N pixel logits.
        grey_levels: The images, shape (P, B, N), in [0, 1].
    """

    def __init__(self, decoder: PackedMLP, grey_levels: torch.Tensor) -> None:
        self._decoder = decoder
        self._grey_levels = grey_levels.unsqueeze(1)

    @property
    def chunk_size(self) -> int:
        """Most samples S to ask for at once, so that memory is bounded: at least one, whatever the batch."""
        rows = _ROWS_ON_CPU if self._grey_levels.device.type == "cpu" else _ROWS_ON_ACCELERATOR
        return max(1, rows // self._grey_levels.shape[-2])

    def __call__(self, samples: torch.Tensor) -> torch.Tensor:
        """Return the losses, shape (S, P, B)."""
        if samples.requires_grad:
            return with_gradient(samples, self)
        return self._losses(self._pixel_logits(samples))

    def losses_and_gradients(self, samples: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the losses, shape (S, P, B), and their gradients, shape (S, P, B, L, C)."""
        pixel_logits = self._pixel_logits(samples)
        losses = self._losses(pixel_logits)
        grad_pixels = torch.sigmoid(pixel_logits).sub_(self._grey_levels).flatten(1, 2)
        grad_inputs = self._decoder.input_gradient(self._decoder.backward_to_first(grad_pixels))
        by_member = grad_inputs.reshape(*samples.movedim(0, 1).shape)
        return losses, by_member.movedim(1, 0).clone()

    def _pixel_logits(self, samples: torch.Tensor) -> torch.Tensor:
        """Decode samples, (S, P, B, L, C), to pixel logits, (P, S, B, N), which the next call writes over."""
        num_samples, _, batch_size = samples.shape[:3]
        rows = num_samples * batch_size
        inputs = self._decoder.inputs(rows)
        inputs.view(-1, num_samples, batch_size, *samples.shape[-2:]).copy_(samples.movedim(0, 1))
        return self._decoder.forward(rows).view(-1, num_samples, *self._grey_levels.shape[-2:])

    def _losses(self, pixel_logits: torch.Tensor) -> torch.Tensor:
        terms = functional.softplus(pixel_logits).addcmul_(pixel_logits, self._grey_levels, value=-1)
        return terms.sum(-1).movedim(1, 0)


class KnowsGradients(Protocol):
    """An objective that finds the gradient of each loss beside it."""

    def losses_and_gradients(self, samples: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Map samples, (S, P, B, L, C), to losses, (S, P, B), and gradients, shape of the samples."""


def with_gradient(samples: torch.Tensor, objective: KnowsGradients) -> torch.Tensor:
    """Return the losses of samples that require a gradient, with their way back to these."""
    losses: torch.Tensor = _WithGradient.apply(samples, objective)  # type: ignore[no-untyped-call]
    return losses


class _WithGradient(torch.autograd.Function):
    """Each loss depends on its own sample alone, so that its gradient is found beside it."""

    @staticmethod
    def forward(ctx: Any, samples: torch.Tensor, objective: KnowsGradients) -> torch.Tensor:
        losses, gradients = objective.losses_and_gradients(samples)
        ctx.save_for_backward(gradients)
        return losses

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_losses: torch.Tensor) -> tuple[torch.Tensor, None]:
        (gradients,) = ctx.saved_tensors
        return grad_losses[..., None, None] * gradients, None
