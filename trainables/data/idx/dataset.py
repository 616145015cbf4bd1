"""Data sets published as four IDX files: MNIST and those made in its image."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

from trainables.atomic_file import UNFINISHED
from trainables.data.check import Check
from trainables.data.dataset import Dataset
from trainables.data.errors import SourceError
from trainables.data.file_tree import open_tree
from trainables.data.idx.file import IdxFile, absent
from trainables.data.source import Source
from trainables.data.torchvision_download import download
from trainables.image_dataset import ImageDataset

IdxFiles = tuple[IdxFile, ...]
"""Training images, training labels, test images, test labels."""


def idx_dataset(name: str, torchvision_name: str, files: IdxFiles, *others: Source) -> Dataset:
    """Return the record of a data set that torchvision has too.

    Args:
        name: Registry name.
        torchvision_name: The class of `torchvision.datasets`.
        files: The published files, which lie uncompressed in the data set's folder.
        others: Where to get it if torchvision cannot.
    """
    return Dataset(
        name,
        partial(_load, name, files),
        partial(_verify, files),
        (IdxDownload(files, torchvision_name), *others),
        partial(LocalIdx, files),
        f"{torchvision_name}/raw",
        f"the files {', '.join(file.name for file in files)} (as they are or with .gz)",
    )


@dataclass(frozen=True)
class LocalIdx:
    """Files that are on this machine already, put there by hand, by a package or by torchvision.

    Args:
        files: The published files.
        places: Folders or zips, in order of preference, with the files at any depth, raw or with .gz; those
            that do not exist are passed over.
    """

    files: IdxFiles
    places: tuple[Path, ...]

    @property
    def title(self) -> str:
        """The places."""
        return f"files in {' or '.join(str(place) for place in self.places)}"

    def obtain(self, target: Path) -> None:
        """Install every file that is found with the published content; see `Source.obtain`."""
        damaged: list[str] = []
        for place in self.places:
            if place.exists():
                damaged += self._install_from(place, target)
        lacking = absent(self.files, target)
        if not lacking:
            return
        if len(lacking) == len(self.files) and not damaged:
            raise SourceError("there are none")
        raise SourceError("; ".join([f"no sound {', '.join(file.name for file in lacking)}", *damaged]))

    def _install_from(self, place: Path, target: Path) -> list[str]:
        """Install what is sound and return why the rest is not."""
        damaged: list[str] = []
        with open_tree(place) as tree:
            names = tree.names()
            for file in absent(self.files, target):
                for name in names:
                    if PurePosixPath(name).name not in (file.name, f"{file.name}.gz"):
                        continue
                    try:
                        file.install(target, tree.read(name, file.most_bytes), name)
                    except SourceError as error:
                        damaged.append(str(error))
                    else:
                        break
        return damaged


@dataclass(frozen=True)
class IdxDownload:
    """Files that torchvision downloads into a temporary folder.

    Args:
        files: The published files.
        torchvision_name: The class of `torchvision.datasets`.
    """

    files: IdxFiles
    torchvision_name: str

    @property
    def title(self) -> str:
        """The download and the class."""
        return f"torchvision's download of {self.torchvision_name}"

    def obtain(self, target: Path) -> None:
        """Download all and install what is lacking; see `Source.obtain`."""
        with tempfile.TemporaryDirectory(prefix=".download.", suffix=UNFINISHED, dir=target) as temporary:
            download(self.torchvision_name, Path(temporary))
            LocalIdx(self.files, (Path(temporary),)).obtain(target)


def _verify(files: IdxFiles, target: Path) -> list[Check]:
    return [file.check(target) for file in files]


def _load(name: str, files: IdxFiles, target: Path) -> ImageDataset:
    images, labels, test_images, test_labels = (file.read(target) for file in files)
    return ImageDataset(
        name,
        images.reshape(len(images), -1),
        labels,
        test_images.reshape(len(test_images), -1),
        test_labels,
    )
