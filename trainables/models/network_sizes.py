"""How large the networks are: for those who only count, and need not wait for torch."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

RELU = "relu"
ACTIVATION_NAMES = (RELU, "leaky_relu", "elu", "tanh", "sigmoid", "silu", "gelu")
"""Those of `trainables.models.activations.ACTIVATIONS`."""

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


@dataclass(frozen=True)
class Architecture:
    """The networks of an auto-encoder of images, but for the width between them, which the latents give.

    Args:
        encoder: Widths of the encoder's hidden layers, at least one.
        decoder: Widths of the decoder's hidden layers, at least one.
        activation: What follows each hidden layer, one of `ACTIVATION_NAMES`.
        image_shape: Height and width of an image.
    """

    encoder: tuple[int, ...]
    decoder: tuple[int, ...]
    activation: str = RELU
    image_shape: tuple[int, int] = (28, 28)

    @property
    def num_pixels(self) -> int:
        """Width of the encoder's input and of the decoder's output."""
        return math.prod(self.image_shape)

    def widths(self, latent_width: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the widths of encoder and decoder, input and output included."""
        return (
            (self.num_pixels, *self.encoder, latent_width),
            (latent_width, *self.decoder, self.num_pixels),
        )

    def num_parameters(self, latent_width: int) -> int:
        """Return how many numbers a member's parameters take, alignment included."""
        return sum(map(num_parameters, self.widths(latent_width)))

    def of(self, params: Mapping[str, str]) -> Architecture:
        """Return the same with what a member's params state of it."""
        return replace(
            self,
            encoder=_widths(params["encoder"]) if "encoder" in params else self.encoder,
            decoder=_widths(params["decoder"]) if "decoder" in params else self.decoder,
            activation=params.get("activation", self.activation),
            image_shape=image_shape_of(params) if "image_shape" in params else self.image_shape,
        )

    def stated(self, name: str) -> str:
        """Return the param `encoder`, `decoder` or `activation` that states what is so here."""
        value = getattr(self, name)
        return value if isinstance(value, str) else ",".join(map(str, value))


VAE = Architecture((512, 256), (256, 512))
"""Source: Beyond ReinMax, Section 4."""
BERNOULLI_VAE = Architecture((384, 256), (256, 384))
"""Source: CatLog-Derivative trick, Section 6.3."""


def image_shape_of(params: Mapping[str, str]) -> tuple[int, int]:
    """Return height and width of the images that a member with these params is trained on."""
    height, width = params.get("image_shape", "28x28").split("x")
    return int(height), int(width)


def _widths(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(",")))


def num_digit_network_parameters() -> int:
    """Return how many parameters the network has that reads a digit."""
    return sum(map(math.prod, DIGIT_NETWORK_SHAPES))


def num_parameters(widths: Sequence[int]) -> int:
    """Return how many numbers the parameters of one network take, alignment included."""
    return sum(aligned((fan_in + 1) * fan_out) for fan_in, fan_out in itertools.pairwise(widths))


def aligned(size: int) -> int:
    """Return a number of floats rounded up to whole cache lines."""
    return -(-size // _ALIGNMENT) * _ALIGNMENT
