"""What a dataset must be able to do: name its sources, check itself and load itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from trainables.data.check import Check
from trainables.data.image_dataset import ImageDataset
from trainables.data.source import Source


class Dataset(ABC):
    """One entry of the registry. It knows its own folder's layout; it does not lock, retry or print."""

    name: str

    @property
    @abstractmethod
    def files_by_hand(self) -> str:
        """The files that a person can put into the dataset's folder instead, as part of a sentence."""

    @abstractmethod
    def sources(self, folder: Path, source: Path | None) -> Sequence[Source]:
        """The places to try, in order.

        Args:
            folder: The data folder, the parent of the dataset's own.
            source: A folder or zip that the user named; it is then the only place.
        """

    @abstractmethod
    def verify(self, target: Path) -> list[Check]:
        """Compares the files in `target`, the dataset's own folder, with what is published. Never raises."""

    @abstractmethod
    def load(self, target: Path) -> ImageDataset:
        """Reads the dataset from `target`.

        Raises:
            FileNotFoundError: If a file is absent.
            ValueError: If a file is not what it should be.
        """

    def is_from(self, target: Path, source: Path) -> bool:  # noqa: ARG002
        """Whether `target`, once verified, is what the user's `source` holds; true where only one can be."""
        return True
