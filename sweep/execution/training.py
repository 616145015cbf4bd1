"""What trains the packs of a sweep: all of a run that a simulation does without."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ray import tune

from trainables.data import ImageDataset, fetch, load
from trainables.gpu_problem import gpu_problem_here
from trainables.own_data import OWN_DATA
from trainables.pack_trainable import PackTrainable


def fetched_images(name: str, folder: Path) -> ImageDataset:
    """Return a dataset, which is fetched where the data folder does not have it yet.

    Raises:
        DataError: If it is not to be had.
    """
    fetch(name, folder)
    return load(name, folder)


@dataclass(frozen=True)
class Training:
    """A trainable and the images that it is given.

    Args:
        trainable: A Tune trainable that takes what `PackTrainable` takes and reports what it reports.
        images: Maps the name of a dataset and the data folder to the images.
        gpu_problem: Says, in a process with a GPU, why that cannot be used, or "".
    """

    trainable: type[tune.Trainable]
    images: Callable[[str, Path], ImageDataset]
    gpu_problem: Callable[[], str] = gpu_problem_here

    def data_of(self, dataset: str | None, folder: Path) -> ImageDataset | None:
        """Return the data set of a sweep, which may need none.

        Raises:
            DataError: If it is not to be had.
        """
        if dataset in OWN_DATA:
            return OWN_DATA[dataset].to_train()
        return None if dataset is None else self.images(dataset, folder)


REAL = Training(PackTrainable, fetched_images)
"""Training as every command does it."""
