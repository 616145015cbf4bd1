"""What trainers are given of a data set: its images and labels as tensors."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

import numpy as np
import torch

if TYPE_CHECKING:  # a benchmark without the rest of the package needs neither sources nor their libraries
    from trainables.image_dataset import ImageDataset


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Images and labels of both splits, which share the memory of the data set that they were made from.

    Args:
        train_images: Grey levels, shape (N, pixels), uint8.
        train_labels: Classes, shape (N,), uint8 or uint16.
        test_images: Grey levels, shape (M, pixels), uint8.
        test_labels: Classes, shape (M,), uint8 or uint16.
    """

    train_images: torch.Tensor
    train_labels: torch.Tensor
    test_images: torch.Tensor
    test_labels: torch.Tensor

    @overload
    @classmethod
    def of(cls, dataset: ImageDataset) -> TrainingData: ...

    @overload
    @classmethod
    def of(cls, dataset: None) -> None: ...

    @classmethod
    def of(cls, dataset: ImageDataset | None) -> TrainingData | None:
        """Return a data set as tensors; of none, none."""
        if dataset is None:
            return None
        arrays = (dataset.train_images, dataset.train_labels, dataset.test_images, dataset.test_labels)
        return cls(*map(shared_tensor, arrays))

    @classmethod
    def of_images(cls, train: torch.Tensor, test: torch.Tensor) -> TrainingData:
        """Return images, shape (n, pixels), bytes, all of class 0, for a task that needs no labels."""
        labels = (torch.zeros(len(images), dtype=torch.uint8) for images in (train, test))
        return cls(train, next(labels), test, next(labels))

    @property
    def images(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The training images and the test images."""
        return self.train_images, self.test_images

    def first(self, num_train: int, num_test: int) -> TrainingData:
        """Return the first so many of each split."""
        return TrainingData(
            self.train_images[:num_train],
            self.train_labels[:num_train],
            self.test_images[:num_test],
            self.test_labels[:num_test],
        )


def shared_tensor(array: np.ndarray[Any, Any]) -> torch.Tensor:
    """Return an array as a tensor that shares its memory, which may be read-only (Ray's store)."""
    with warnings.catch_warnings():
        # PyTorch warns that writing to read-only memory is undefined; nothing here writes to data.
        warnings.filterwarnings("ignore", message="The given (buffer|NumPy array) is not writable")
        return torch.from_numpy(array)
