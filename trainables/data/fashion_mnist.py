"""Fashion-MNIST (Xiao, Rasul and Vollgraf, 2017): 60,000 + 10,000 grey-level pictures of clothes, 10 even
classes.

Published digests are those of the four .gz files; torchvision lists them, and a download is checked against
them. Debian's package was compressed anew, so its .gz files have other digests. The digests below are of the
uncompressed content, whichever way it came.
"""

from __future__ import annotations

from pathlib import Path

from trainables.data.debian_package import DebianPackage
from trainables.data.idx_dataset import IDX_NAMES, IDX_SHAPES, IdxDataset
from trainables.data.idx_file import IdxFile
from trainables.data.idx_mirrors import IdxMirrors

_MD5 = (
    "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "9018921c3c673c538a1fc5bad174d6f9",
    "8181f5470baa50b63fa0f6fddb340f0a",
    "15d484375f8d13e6eb1aabb0c3f46965",
)
_FILES = tuple(IdxFile(*parts) for parts in zip(IDX_NAMES, _MD5, IDX_SHAPES, strict=True))

FASHION_MNIST = IdxDataset(
    name="fashion_mnist",
    files=_FILES,
    torchvision_name="FashionMNIST",
    remote_sources=(
        IdxMirrors(_FILES, "FashionMNIST"),
        DebianPackage(_FILES, "dataset-fashion-mnist", Path("/usr/share/datasets/fashion-mnist")),
    ),
    images_per_class=(6_000, 1_000),
)
