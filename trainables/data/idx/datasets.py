"""MNIST and Fashion-MNIST: 60,000 + 10,000 grey-level images of ten classes.

The digests are of the uncompressed content, whichever way it came: Debian has compressed Fashion-MNIST anew.
"""

from __future__ import annotations

from pathlib import Path

from trainables.data.idx.dataset import IdxFiles, idx_dataset
from trainables.data.idx.debian_package import DebianPackage
from trainables.data.idx.file import IdxFile
from trainables.data.idx.mnist_wheel import MnistWheel


def _files(train_images: str, train_labels: str, test_images: str, test_labels: str) -> IdxFiles:
    return (
        IdxFile("train-images-idx3-ubyte", train_images, (60_000, 28, 28)),
        IdxFile("train-labels-idx1-ubyte", train_labels, (60_000,)),
        IdxFile("t10k-images-idx3-ubyte", test_images, (10_000, 28, 28)),
        IdxFile("t10k-labels-idx1-ubyte", test_labels, (10_000,)),
    )


MNIST_FILES = _files(
    "6bbc9ace898e44ae57da46a324031adb",
    "a25bea736e30d166cdddb491f175f624",
    "2646ac647ad5339dbf082846283269ea",
    "27ae3e4e09519cfbb04c329615203637",
)
FASHION_MNIST_FILES = _files(
    "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "9018921c3c673c538a1fc5bad174d6f9",
    "8181f5470baa50b63fa0f6fddb340f0a",
    "15d484375f8d13e6eb1aabb0c3f46965",
)

MNIST = idx_dataset("mnist", "MNIST", MNIST_FILES, MnistWheel(MNIST_FILES))
"""Handwritten digits (LeCun, Cortes and Burges, 1998)."""

FASHION_MNIST = idx_dataset(
    "fashion_mnist",
    "FashionMNIST",
    FASHION_MNIST_FILES,
    DebianPackage(FASHION_MNIST_FILES, "dataset-fashion-mnist", Path("/usr/share/datasets/fashion-mnist")),
)
"""Pictures of clothes (Xiao, Rasul and Vollgraf, 2017), as many of each class."""
