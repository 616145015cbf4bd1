"""Names and sizes of the datasets, for those who only check one and need not wait for what reads them."""

from __future__ import annotations

from collections.abc import Mapping

DATASET_NAMES = ("mnist", "fashion_mnist", "omniglot")
"""Those of `trainables.data.DATASETS`, in its order."""

NUM_TRAIN_IMAGES: Mapping[str, int] = {"mnist": 60_000, "fashion_mnist": 60_000, "omniglot": 19_280}
"""Training images of each; of Omniglot with both of its official sets."""
