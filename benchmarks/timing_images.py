"""Images to time training with: MNIST where it is, else noise, which takes as long."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch

from trainables.models.network_sizes import VAE
from trainables.training.training_data import shared_tensor

TEST_IMAGES = 10_000
_NOISE_POWER = 6.6  # gives noise the mean of MNIST's bytes, 33


def noise(count: int) -> torch.Tensor:
    """Return random bytes that are on average as bright as MNIST, shape (count, 784)."""
    levels = torch.rand(count, VAE.num_pixels, generator=torch.Generator().manual_seed(0))
    return (levels**_NOISE_POWER * 256).to(torch.uint8)


@cache
def mnist(data: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the training and the test images of MNIST, fetched where they are not there, read once."""
    from trainables.data import fetch, load  # needs packages that may not be here

    fetch("mnist", data)
    dataset = load("mnist", data)
    return shared_tensor(dataset.train_images), shared_tensor(dataset.test_images)


def load_images(wanted: str | None, home: Path, count: int) -> tuple[torch.Tensor, torch.Tensor, str]:
    """Return training images, test images and what they are.

    Args:
        wanted: "mnist" or "noise"; none takes MNIST where it can be read.
        home: The folder whose data folder may hold MNIST.
        count: How many training images.
    Raises:
        ValueError: If MNIST is wanted and cannot be read.
    """
    why_noise = "as asked for"
    if wanted != "noise":
        try:
            from trainables import data  # fetches too, so it needs packages that may not be here

            dataset = data.load("mnist", home / "data")
            train, test = shared_tensor(dataset.train_images), shared_tensor(dataset.test_images)
            return train[:count], test, "MNIST"
        except ImportError as error:
            why_noise = f"what reads MNIST cannot be imported: {error}"
        except data.DataError:
            why_noise = f"MNIST is not in {home / 'data'}"
    if wanted == "mnist":
        raise ValueError(f"--images mnist: {why_noise}")
    images = noise(count + TEST_IMAGES)
    return images[:count], images[count:], f"noise ({why_noise})"
