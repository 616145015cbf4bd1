"""A small IDX data set and a place that it can be had from."""

import gzip
import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from trainables.data import DATASETS, Dataset
from trainables.data.errors import SourceError
from trainables.data.idx.dataset import idx_dataset
from trainables.data.idx.file import IdxFile
from trainables.data.source import Source

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


class SmallIdx:
    """Four IDX files like MNIST's, with 30 training and 20 test images."""

    def __init__(self) -> None:
        draw = np.random.default_rng(7)
        shapes = ((30, 28, 28), (30,), (20, 28, 28), (20,))
        self.arrays = [draw.integers(0, 10, shape, dtype=np.uint8) for shape in shapes]
        self.content = {
            name: bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes() + array.tobytes()
            for name, array in zip(NAMES, self.arrays, strict=True)
        }
        self.packed = {f"{name}.gz": gzip.compress(raw, mtime=0) for name, raw in self.content.items()}
        self.files = tuple(
            IdxFile(name, md5(self.content[name]), shape) for name, shape in zip(NAMES, shapes, strict=True)
        )

    def dataset(self, *sources: Source) -> Dataset:
        """The data set "mnist" with these sources beside what is on this machine."""
        return replace(idx_dataset("mnist", "MNIST", self.files), remote=sources)


class Shelf:
    """A source that has some files, or only a reason why not.

    Attributes:
        num_asked: How often it was asked for them.
    """

    def __init__(self, title: str, content: dict[str, bytes], reason: str = "") -> None:
        self.title = title
        self.num_asked = 0
        self._content = content
        self._reason = reason

    def obtain(self, target: Path) -> None:
        self.num_asked += 1
        if self._reason:
            raise SourceError(self._reason)
        for name, content in self._content.items():
            (target / name).write_bytes(content)


@pytest.fixture
def small() -> SmallIdx:
    return SmallIdx()


@pytest.fixture
def shelf(small: SmallIdx) -> Shelf:
    """A source that has all files of the small data set."""
    return Shelf("the shelf", small.content)


@pytest.fixture
def use_small(small: SmallIdx, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Dataset]:
    """Puts the small data set into the registry as "mnist", with the given sources."""

    def use(*sources: Source) -> Dataset:
        dataset = small.dataset(*sources)
        monkeypatch.setitem(DATASETS, "mnist", dataset)
        return dataset

    return use
