"""How large the networks are: for those who only count, and need not wait for torch."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

NUM_PIXELS = 784
ENCODER_WIDTHS = (512, 256)
DECODER_WIDTHS = (256, 512)
BERNOULLI_ENCODER_WIDTHS = (384, 256)
BERNOULLI_DECODER_WIDTHS = (256, 384)

DIGIT_NETWORK_SHAPES = (
    *((6, 1, 5, 5), (6,)),
    *((16, 6, 5, 5), (16,)),
    *((120, 256), (120,)),
    *((84, 120), (84,)),
    *((10, 84), (10,)),
)
"""Weight and bias of each layer of the network that reads a digit, two convolutions before three products."""

_ALIGNMENT = 16
"""Floats in 64 bytes: a cache line, and the widest vector register."""


def vae_widths(categorical_dim: int, latent_dim: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the widths of encoder and decoder, input and output included."""
    width = categorical_dim * latent_dim
    return (NUM_PIXELS, *ENCODER_WIDTHS, width), (width, *DECODER_WIDTHS, NUM_PIXELS)


def num_vae_parameters(categorical_dim: int, latent_dim: int) -> int:
    """Return how many numbers a member's parameters take, alignment included."""
    return sum(map(num_parameters, vae_widths(categorical_dim, latent_dim)))


def bernoulli_vae_widths(latent_dim: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the widths of encoder and decoder of the VAE with binary latents, input and output included."""
    encoder_widths = (NUM_PIXELS, *BERNOULLI_ENCODER_WIDTHS, latent_dim)
    return encoder_widths, (latent_dim, *BERNOULLI_DECODER_WIDTHS, NUM_PIXELS)


def num_bernoulli_vae_parameters(latent_dim: int) -> int:
    """Return how many numbers a member's parameters take where latents are binary, alignment included."""
    return sum(map(num_parameters, bernoulli_vae_widths(latent_dim)))


def num_digit_network_parameters() -> int:
    """Return how many parameters the network has that reads a digit."""
    return sum(map(math.prod, DIGIT_NETWORK_SHAPES))


def num_parameters(widths: Sequence[int]) -> int:
    """Return how many numbers the parameters of one network take, alignment included."""
    return sum(aligned((fan_in + 1) * fan_out) for fan_in, fan_out in itertools.pairwise(widths))


def aligned(size: int) -> int:
    """Return a number of floats rounded up to whole cache lines."""
    return -(-size // _ALIGNMENT) * _ALIGNMENT
