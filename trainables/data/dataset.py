"""One record a data set: its name, the size of its images, where they come from and who reads them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trainables.data.check import Check
from trainables.data.source import Source
from trainables.image_dataset import ImageDataset


@dataclass(frozen=True)
class Dataset:
    """One entry of the registry. Its functions neither lock, retry nor print.

    Args:
        name: Registry name, which is also that of its own folder in the data folder.
        load: Reads the data set from its own folder; raises FileNotFoundError where a file is absent and
            ValueError where one is not what it should be.
        verify: Compares the files in its own folder with what is published; never raises.
        remote: Where it can be had from, in order.
        local: Makes a source of folders and zips, of which those that do not exist are passed over; none
            where the data set is not copied into the data folder.
        torchvision_folder: Where torchvision keeps the same files, from the data folder.
        files_by_hand: What a person can put into its own folder instead, as part of a sentence.
        is_from: Whether the verified data set in its own folder is what a folder or zip holds; true where
            there is only one.
        image_shape: Height and width of its images.
    """

    name: str
    load: Callable[[Path], ImageDataset]
    verify: Callable[[Path], list[Check]]
    remote: tuple[Source, ...] = ()
    local: Callable[[tuple[Path, ...]], Source] | None = None
    torchvision_folder: str = ""
    files_by_hand: str = "its files"
    is_from: Callable[[Path, Path], bool] = lambda _target, _source: True
    image_shape: tuple[int, int] = (28, 28)

    def sources(self, folder: Path, source: Path | None) -> list[Source]:
        """Return the places to try, in order: what is on this machine comes first.

        Args:
            folder: The data folder, the parent of the data set's own.
            source: A folder or zip that the user named, which is then the only place.
        """
        if self.local is None:
            return list(self.remote)
        if source is not None:
            return [self.local((source,))]
        return [self.local((folder / self.name, folder / self.torchvision_folder)), *self.remote]
