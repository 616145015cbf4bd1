"""A dataset in memory: grey-level images as bytes, with their class labels."""

from __future__ import annotations

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

    A grey level in [0, 1] is byte / 255. Rows are 28x28 images in row-major order, ink bright on a dark
    ground.

    Attributes:
        name: Registry name, for example "mnist".
        train_images: Shape (N, 784), uint8.
        train_labels: Shape (N,), uint8 or uint16 (Omniglot has more than 256 characters).
        test_images: Shape (M, 784), uint8.
        test_labels: Shape (M,), dtype of train_labels.
        content: What it was made from, where one name may stand for more than one thing; "" elsewhere.

    Raises:
        ValueError: If a shape or dtype is not the one above.
    """

    name: str
    train_images: Images
    train_labels: Labels
    test_images: Images
    test_labels: Labels
    content: str = ""

    def __post_init__(self) -> None:
        for split, images, labels in (
            ("train", self.train_images, self.train_labels),
            ("test", self.test_images, self.test_labels),
        ):
            if images.dtype != np.uint8 or images.ndim != 2 or images.shape[1] != IMAGE_PIXELS:
                raise ValueError(
                    f"{split}_images must be uint8 of shape (N, {IMAGE_PIXELS}), "
                    f"got {images.dtype} {images.shape} ({self.name})"
                )
            if labels.dtype not in (np.uint8, np.uint16) or labels.shape != images.shape[:1]:
                raise ValueError(
                    f"{split}_labels must be uint8 or uint16 of shape ({images.shape[0]},), "
                    f"got {labels.dtype} {labels.shape} ({self.name})"
                )
