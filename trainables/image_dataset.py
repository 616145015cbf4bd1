"""A data set in memory: grey-level images as bytes, with their class labels."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

IMAGE_SIDE = 28
IMAGE_PIXELS = IMAGE_SIDE * IMAGE_SIDE

Images = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]


@dataclass(frozen=True, eq=False)
class ImageDataset:
    """Training and test images as they are stored: bytes, neither scaled nor binarised.

    A grey level in [0, 1] is byte / 255. Rows are images in row-major order, ink bright on a dark ground.

    Args:
        name: Registry name, for example "mnist".
        train_images: Shape (N, pixels), uint8.
        train_labels: Shape (N,), uint8 or uint16 (Omniglot has more than 256 characters).
        test_images: Shape (M, pixels), uint8.
        test_labels: Shape (M,), dtype of train_labels.
        content: What it was made from, where one name may stand for more than one thing; "" elsewhere.
        image_shape: Height and width of an image, whose product is the number of its pixels.

    Raises:
        ValueError: If a shape or dtype is not the one above.
    """

    name: str
    train_images: Images
    train_labels: Labels
    test_images: Images
    test_labels: Labels
    content: str = ""
    image_shape: tuple[int, int] = (IMAGE_SIDE, IMAGE_SIDE)

    def __post_init__(self) -> None:
        num_pixels = math.prod(self.image_shape)
        for split, images, labels in (
            ("train", self.train_images, self.train_labels),
            ("test", self.test_images, self.test_labels),
        ):
            if images.dtype != np.uint8 or images.ndim != 2 or images.shape[1] != num_pixels:
                raise ValueError(
                    f"{split}_images must be uint8 of shape (N, {num_pixels}), "
                    f"got {images.dtype} {images.shape} ({self.name})"
                )
            if labels.dtype not in (np.uint8, np.uint16) or labels.shape != images.shape[:1]:
                raise ValueError(
                    f"{split}_labels must be uint8 or uint16 of shape ({images.shape[0]},), "
                    f"got {labels.dtype} {labels.shape} ({self.name})"
                )
