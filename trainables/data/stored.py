"""Read and check what `fetch` has put in place."""

from __future__ import annotations

from pathlib import Path

from trainables.data.check import Check
from trainables.data.errors import DataError
from trainables.data.registry import dataset_named
from trainables.image_dataset import ImageDataset


def verify(name: str, folder: Path) -> list[Check]:
    """Compare a data set's files with what is published. An absent file is a check that failed.

    Args:
        name: Registry name, for example "mnist".
        folder: The data folder, the parent of the data set's own.

    Returns:
        The checks in a fixed order; the data set is sound if every `is_ok` is true.

    Raises:
        DataError: If the name is unknown.
    """
    return dataset_named(name).verify(folder.expanduser().absolute() / name)


def load(name: str, folder: Path) -> ImageDataset:
    """Read a data set that `fetch` made present.

    Args:
        name: Registry name, for example "mnist".
        folder: The data folder, the parent of the data set's own.

    Returns:
        Images as bytes, shape (N, 784) uint8, with labels (N,); the arrays are writable and the caller's own.

    Raises:
        DataError: If the name is unknown, or the files are absent, damaged or unreadable.
    """
    dataset = dataset_named(name)
    target = folder.expanduser().absolute() / name
    remedy = f"run `catsweep data fetch {name}`"
    try:
        return dataset.load(target)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataError(f"{name} is not in {target}: {error.filename} is absent; {remedy}") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{name} in {target} cannot be read: {error}; {remedy}") from error
