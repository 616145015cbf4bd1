"""A dataset published as four IDX files: MNIST and those made in its image."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trainables.data.check import Check
from trainables.data.dataset import Dataset
from trainables.data.idx import decode_idx, read_idx
from trainables.data.idx_file import IdxFile
from trainables.data.image_dataset import IMAGE_PIXELS, ImageDataset
from trainables.data.local_idx import LocalIdx
from trainables.data.source import Source
from trainables.error_reason import reason_of
from trainables.regular_file import read_regular

IDX_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
IDX_SHAPES = ((60_000, 28, 28), (60_000,), (10_000, 28, 28), (10_000,))


@dataclass(frozen=True)
class IdxDataset(Dataset):
    """An IDX dataset; on disk it is the four uncompressed files.

    Attributes:
        name: Registry name.
        files: Training images, training labels, test images, test labels.
        torchvision_name: The class of `torchvision.datasets`, which also names torchvision's folder on disk.
        remote_sources: Where to get it once the data folder itself has been looked through.
        images_per_class: (training, test) where every class has the same number, else None.
    """

    name: str
    files: tuple[IdxFile, ...]
    torchvision_name: str
    remote_sources: tuple[Source, ...]
    images_per_class: tuple[int, int] | None = None

    @property
    def files_by_hand(self) -> str:
        """The four file names."""
        return f"the files {', '.join(file.name for file in self.files)} (as they are or with .gz)"

    def sources(self, folder: Path, source: Path | None) -> Sequence[Source]:
        """The data folder in our layout and in torchvision's, then the remote sources; or only `source`."""
        if source is not None:
            return [LocalIdx(self.files, (source,))]
        places = (folder / self.name, folder / self.torchvision_name / "raw")
        return [LocalIdx(self.files, places), *self.remote_sources]

    def verify(self, target: Path) -> list[Check]:
        """MD5 and shape of each file, and the images per class where they are equal."""
        checks: list[Check] = []
        for position, file in enumerate(self.files):
            try:
                content = read_regular(target / file.name, file.num_bytes)
            except OSError as error:
                checks.append(Check(file.name, False, f"cannot be read: {reason_of(error)}"))
                continue
            checks += _check_content(file, content)
            if self.images_per_class is not None and len(file.shape) == 1 and checks[-1].is_ok:
                checks.append(_check_classes(file, content, self.images_per_class[position // 2]))
        return checks

    def load(self, target: Path) -> ImageDataset:
        """Reads the four files; see `Dataset.load`."""
        arrays = [read_idx(target / file.name, file.num_bytes) for file in self.files]
        for file, array in zip(self.files, arrays, strict=True):
            if array.shape != file.shape:
                raise ValueError(f"{file.name} has shape {array.shape}, expected {file.shape}")
        train_images, train_labels, test_images, test_labels = arrays
        return ImageDataset(
            name=self.name,
            train_images=train_images.reshape(-1, IMAGE_PIXELS),
            train_labels=train_labels,
            test_images=test_images.reshape(-1, IMAGE_PIXELS),
            test_labels=test_labels,
        )


def _check_content(file: IdxFile, content: bytes) -> list[Check]:
    found = hashlib.md5(content, usedforsecurity=False).hexdigest()
    is_published = found == file.md5
    detail = f"MD5 {found}" if is_published else f"MD5 {found}, expected {file.md5}"
    checks = [Check(f"{file.name} content", is_published, detail)]
    try:
        shape = decode_idx(content).shape
    except ValueError as error:
        return [*checks, Check(f"{file.name} shape", False, str(error))]
    detail = f"{shape}" if shape == file.shape else f"{shape}, expected {file.shape}"
    return [*checks, Check(f"{file.name} shape", shape == file.shape, detail)]


def _check_classes(file: IdxFile, content: bytes, expected: int) -> Check:
    counts = np.bincount(decode_idx(content), minlength=10)
    is_even = counts.size == 10 and bool(np.all(counts == expected))
    detail = (
        f"{expected:,} in each of 10 classes" if is_even else f"{counts.tolist()}, expected {expected} each"
    )
    return Check(f"{file.name} classes", is_even, detail)
