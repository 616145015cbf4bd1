"""The data sets: fetched from the first source that has them, verified, kept and loaded as bytes.

    fetch("mnist", folder)            # once; needs a network unless the files are already there
    dataset = load("mnist", folder)   # an ImageDataset of uint8 arrays

torchvision downloads, in a process of its own; to import, verify or load takes neither torch nor torchvision.
"""

from trainables.data.check import Check
from trainables.data.dataset import Dataset
from trainables.data.errors import DataError
from trainables.data.fetch import fetch
from trainables.data.registry import DATASETS
from trainables.data.stored import load, verify
from trainables.image_dataset import ImageDataset
from trainables.own_data import dataset

__all__ = ["DATASETS", "fetch", "verify", "load", "Check", "DataError", "Dataset", "ImageDataset", "dataset"]
