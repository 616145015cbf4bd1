"""The names of the datasets, for those who only check one and need not wait for what reads them."""

from __future__ import annotations

DATASET_NAMES = ("mnist", "fashion_mnist", "omniglot")
"""Those of `trainables.data.DATASETS`, in its order."""
