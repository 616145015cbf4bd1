"""The reconstruction term as a function of the sample, for estimators that evaluate it themselves."""

from __future__ import annotations

from typing import Any

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
        self._grey_levels = grey_levels
        self._rows = _ROWS_ON_CPU if grey_levels.device.type == "cpu" else _ROWS_ON_ACCELERATOR

    @property
    def chunk_size(self) -> int:
        """Most samples S to ask for at once, so that memory is bounded: at least one, whatever the batch."""
        return max(1, self._rows // self._grey_levels.shape[-2])

    def __call__(self, samples: torch.Tensor) -> torch.Tensor:
        """Return the losses, shape (S, P, B)."""
        if samples.requires_grad:
            losses: torch.Tensor = _WithGradient.apply(samples, self)  # type: ignore[no-untyped-call]
            return losses
        return self._losses(self._pixel_logits(self._read(samples)))

    def losses_and_gradients(self, samples: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the losses, shape (S, P, B), and their gradients, shape (S, P, B, L, C)."""
        values = self._read(samples)
        pixel_logits = self._pixel_logits(values)
        losses = self._losses(pixel_logits)
        grad_first = self._decoder.backward_to_first(self._grad_pixels(pixel_logits))
        return losses, self._as_samples(self._grad_values(grad_first, values))

    @staticmethod
    def _read(samples: torch.Tensor) -> torch.Tensor:
        """Return what the decoder reads of samples, (S, P, B, ...)."""
        return samples

    @staticmethod
    def _as_samples(grad_values: torch.Tensor) -> torch.Tensor:
        """Return the gradient with respect to samples, given that to what the decoder reads of them."""
        return grad_values.clone()

    def _grad_values(self, grad_first: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        """Go on from what the first layer gives to what the decoder read, (S, P, B, ...)."""
        by_member = self._decoder.input_gradient(grad_first)
        return by_member.reshape(values.movedim(0, 1).shape).movedim(1, 0)

    def _pixel_logits(self, values: torch.Tensor) -> torch.Tensor:
        """Decode values, (S, P, B, ...), to pixel logits, (P, S, B, N), which the next call writes over."""
        num_samples, num_members, batch_size = values.shape[:3]
        rows = num_samples * batch_size
        by_member = values.movedim(0, 1)
        self._decoder.inputs(rows).view(by_member.shape).copy_(by_member)
        return self._decoder.forward(rows).view(num_members, num_samples, batch_size, -1)

    def _losses(self, pixel_logits: torch.Tensor) -> torch.Tensor:
        """Map pixel logits, (P, S, B, N), to losses, (S, P, B)."""
        grey_levels = self._grey_levels.unsqueeze(1)
        terms = functional.softplus(pixel_logits).addcmul_(pixel_logits, grey_levels, value=-1)
        return terms.sum(-1).movedim(1, 0)

    def _grad_pixels(self, pixel_logits: torch.Tensor) -> torch.Tensor:
        """Return the gradient of the sum of losses, (P, S·B, N)."""
        return torch.sigmoid(pixel_logits).sub_(self._grey_levels.unsqueeze(1)).flatten(1, 2)


class _WithGradient(torch.autograd.Function):
    """Each loss depends on its own sample alone, so that its gradient is found beside it."""

    @staticmethod
    def forward(ctx: Any, samples: torch.Tensor, objective: Reconstruction) -> torch.Tensor:
        losses, gradients = objective.losses_and_gradients(samples)
        ctx.save_for_backward(gradients)
        return losses

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_losses: torch.Tensor) -> tuple[torch.Tensor, None]:
        (gradients,) = ctx.saved_tensors
        return grad_losses[..., None, None] * gradients, None
