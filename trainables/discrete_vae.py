"""The discrete variational auto-encoder of Beyond ReinMax, Section 4, as a pack of P."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from trainables.networks import packed_mlp

NUM_PIXELS = 784
ENCODER_WIDTHS = (512, 256)
DECODER_WIDTHS = (256, 512)

Sampler = Callable[[torch.Tensor], torch.Tensor]
"""Maps logits (P, B, L, C) to a sample (P, B, L, C): an estimator with everything but logits filled in."""


@dataclass(frozen=True)
class NegElbo:
    """The two terms of the negative ELBO, nats per image, each of shape (P,): means over the batch."""

    recon: torch.Tensor
    kl: torch.Tensor

    @property
    def total(self) -> torch.Tensor:
        """Their sum, shape (P,)."""
        return self.recon + self.kl


class DiscreteVAE(nn.Module):
    """P auto-encoders 784-512-256-(L·C)-256-512-784 with L categorical variables of C categories each.

    Args:
        categorical_dim: Number C of categories.
        latent_dim: Number L of variables.
        generators: One CPU generator for each member, for the initial parameters.
    """

    def __init__(self, categorical_dim: int, latent_dim: int, generators: Sequence[torch.Generator]) -> None:
        super().__init__()
        self.categorical_dim = categorical_dim
        self.latent_dim = latent_dim
        width = categorical_dim * latent_dim
        self.encoder = packed_mlp((NUM_PIXELS, *ENCODER_WIDTHS, width), generators)
        self.decoder = packed_mlp((width, *DECODER_WIDTHS, NUM_PIXELS), generators)

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """Map grey levels in [0, 1], shape (P, B, 784), to logits, shape (P, B, L, C)."""
        encoded: torch.Tensor = self.encoder(images)
        return encoded.view(*encoded.shape[:-1], self.latent_dim, self.categorical_dim)

    def decode(self, sample: torch.Tensor) -> torch.Tensor:
        """Map a sample, shape (P, B, L, C), to pixel logits, shape (P, B, 784)."""
        decoded: torch.Tensor = self.decoder(sample.flatten(-2))
        return decoded

    def forward(self, images: torch.Tensor, sampler: Sampler) -> NegElbo:
        """Return the negative ELBO with one sample per image.

        The KL term is differentiated through the logits directly; only the reconstruction term's gradient
        passes through the estimator.

        Args:
            images: Grey levels in [0, 1], shape (P, B, 784); they are not binarised.
            sampler: The estimator.
        """
        logits = self.encode(images)
        pixel_logits = self.decode(sampler(logits))
        recon = functional.binary_cross_entropy_with_logits(pixel_logits, images, reduction="none")
        return NegElbo(recon.sum(-1).mean(-1), kl_to_uniform(logits).mean(-1))


def kl_to_uniform(logits: torch.Tensor) -> torch.Tensor:
    """Return KL(softmax(logits) ‖ uniform) = Σ q log q + L log C in nats: (..., L, C) to (...)."""
    log_probs = torch.log_softmax(logits, -1)
    latent_dim, categorical_dim = logits.shape[-2:]
    negative_entropy = (log_probs.exp() * log_probs).sum((-1, -2))
    return negative_entropy + latent_dim * math.log(categorical_dim)
