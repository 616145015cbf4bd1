"""The data sets by name; one of a user's own is one more record."""

from __future__ import annotations

import difflib

from trainables.data.dataset import Dataset
from trainables.data.errors import DataError
from trainables.data.idx.datasets import FASHION_MNIST, MNIST
from trainables.data.omniglot.dataset import OMNIGLOT

DATASETS: dict[str, Dataset] = {dataset.name: dataset for dataset in (MNIST, FASHION_MNIST, OMNIGLOT)}


def dataset_named(name: str) -> Dataset:
    """Return the registry's entry.

    Raises:
        DataError: If there is none; the message lists the names, the nearest first.
    """
    if name in DATASETS:
        return DATASETS[name]
    nearest = difflib.get_close_matches(name.lower(), DATASETS, n=1, cutoff=0.5)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else ""
    raise DataError(f"unknown dataset {name!r}: must be one of {', '.join(DATASETS)}{hint}")
