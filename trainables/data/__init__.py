"""The datasets: fetched from the first source that has them, verified, kept and loaded as bytes.

    fetch("mnist", folder)            # once; needs a network unless the files are already there
    dataset = load("mnist", folder)   # an ImageDataset of uint8 arrays

Needs neither torch nor torchvision to import, verify or load; torchvision's list of mirrors is read when
downloading.
"""

from trainables.data.check import Check
from trainables.data.dataset import Dataset
from trainables.data.errors import DataError
from trainables.data.fetch import fetch
from trainables.data.image_dataset import ImageDataset
from trainables.data.registry import DATASETS
from trainables.data.stored import load, verify

__all__ = ["DATASETS", "fetch", "verify", "load", "Check", "DataError", "Dataset", "ImageDataset"]
