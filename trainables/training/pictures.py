"""Pictures of what members have learned: test images over their reconstructions, and samples."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Protocol

import torch
from torch.nn import functional

from trainables.models.discrete_vae import Sampler

NUM_IMAGES = 10
NUM_SAMPLES = 20
_BETWEEN_IMAGES, _BETWEEN_PARTS = 1, 4
_FRAME_GREY = 96


class Autoencoder(Protocol):
    """P auto-encoders with L categorical variables of C categories; attributes as in `DiscreteVAE`."""

    categorical_dim: int
    latent_dim: int
    parameters: torch.Tensor

    def encode(self, images: torch.Tensor) -> torch.Tensor:
        """Map images, shape (P or 1, B, N), bytes, to logits, shape (P, B, L, C)."""

    def decode(self, sample: torch.Tensor) -> torch.Tensor:
        """Map a sample, shape (P, B, L, C), to pixel logits, shape (P, B, N)."""


def draw_pictures(
    model: Autoencoder,
    images: torch.Tensor,
    sampler: Sampler,
    generators: Sequence[torch.Generator],
    image_shape: tuple[int, int],
) -> list[bytes]:
    """Return a PNG for each member, ten images a row.

    The first row are the images, the second what the decoder makes of one sample of each, with the estimator
    that the member was trained with; below are `NUM_SAMPLES` decoded samples of the uniform prior. A pixel is
    the decoder's mean. Parameters, optimiser and the members' own generators stay as they are.

    Args:
        model: The pack.
        images: Grey levels, shape (at most `NUM_IMAGES`, N), uint8.
        sampler: The estimator.
        generators: One for each member, for the prior; the sampler may have the same.
        image_shape: Height and width of an image.
    """
    logits = model.encode(images.unsqueeze(0))
    samples = torch.cat((sampler(logits).sample, _prior_samples(model, generators)), 1)
    means = torch.sigmoid(model.decode(samples)).mul(255).round().to(torch.uint8)
    originals = images.expand(len(generators), -1, -1)
    parts = originals, means[:, : len(images)], means[:, len(images) :]
    return [_png([part[member].cpu() for part in parts], image_shape) for member in range(len(generators))]


def _prior_samples(model: Autoencoder, generators: Sequence[torch.Generator]) -> torch.Tensor:
    """Draw one-hot samples from the uniform prior, shape (P, `NUM_SAMPLES`, L, C)."""
    categories, shape = model.categorical_dim, (NUM_SAMPLES, model.latent_dim)
    drawn = [
        torch.randint(categories, shape, generator=generator, device=generator.device)
        for generator in generators
    ]
    return functional.one_hot(torch.stack(drawn), categories).to(model.parameters.dtype)


def _png(parts: Sequence[torch.Tensor], image_shape: tuple[int, int]) -> bytes:
    """Put parts, each of shape (images, pixels), below each other, with lines between them."""
    from PIL import Image  # a tenth of a second that a pack's first epoch need not wait for

    blocks = [_block(part.view(-1, *image_shape)) for part in parts]
    between = torch.full((_BETWEEN_PARTS, blocks[0].shape[1]), _FRAME_GREY, dtype=torch.uint8)
    rows = [row for block in blocks for row in (between, block)][1:]
    content = io.BytesIO()
    Image.fromarray(torch.cat(rows).numpy()).save(content, "PNG", optimize=True)
    return content.getvalue()


def _block(images: torch.Tensor) -> torch.Tensor:
    """Lay images, shape (n, height, width), out in rows of `NUM_IMAGES`; places without one stay empty."""
    num_rows = -(-len(images) // NUM_IMAGES)
    height, width = images.shape[1:]
    down, right = height + _BETWEEN_IMAGES, width + _BETWEEN_IMAGES
    shape = num_rows * down - _BETWEEN_IMAGES, NUM_IMAGES * right - _BETWEEN_IMAGES
    block = torch.full(shape, _FRAME_GREY, dtype=torch.uint8)
    for place, image in enumerate(images):
        row, column = divmod(place, NUM_IMAGES)
        top, left = row * down, column * right
        block[top : top + height, left : left + width] = image
    return block
