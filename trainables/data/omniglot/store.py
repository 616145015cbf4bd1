"""Omniglot on disk: four .npy arrays and a manifest that vouches for them.

The manifest is written last and removed first, so arrays without a manifest of their digests are never
accepted.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from trainables.atomic_file import write_atomically
from trainables.data.check import Check
from trainables.error_reason import reason_of
from trainables.regular_file import read_json, read_regular

MANIFEST = "manifest.json"
FORMAT = 1
_MOST_BYTES = 1 << 26
"""The longest that an array's file can be; the 32,460 images of all sets take 25 MB."""
ARRAYS = ("train_images", "train_labels", "test_images", "test_labels")


@dataclass(frozen=True)
class Manifest:
    """What the arrays hold.

    Args:
        sets: Official sets that went in, sorted.
        split: How training and test were divided, in words.
        classes: "alphabet/character" of each label, in the order of the labels.
        sha256: Array name to the hexadecimal SHA-256 of its .npy file.
    """

    sets: tuple[str, ...]
    split: str
    classes: tuple[str, ...]
    sha256: Mapping[str, str]


def write_store(
    target: Path,
    arrays: Mapping[str, npt.NDArray[Any]],
    *,
    sets: tuple[str, ...],
    split: str,
    classes: tuple[str, ...],
) -> None:
    """Write the arrays, then the manifest.

    Args:
        target: The data set's folder.
        arrays: One per name in `ARRAYS`.
        sets: See `Manifest`.
        split: See `Manifest`.
        classes: See `Manifest`.

    Raises:
        OSError: If `target` cannot be written.
    """
    (target / MANIFEST).unlink(missing_ok=True)
    digests: dict[str, str] = {}
    for name in ARRAYS:
        buffer = io.BytesIO()
        np.save(buffer, arrays[name], allow_pickle=False)
        write_atomically(target / f"{name}.npy", buffer.getvalue())
        digests[name] = hashlib.sha256(buffer.getvalue()).hexdigest()
    manifest = {
        "format": FORMAT,
        "sets": sets,
        "split": split,
        "sha256": digests,
        "classes": classes,
    }
    write_atomically(target / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())


def read_manifest(target: Path) -> Manifest:
    """Read the manifest.

    Raises:
        FileNotFoundError: If there is none.
        ValueError: If it is not a manifest of this format.
    """
    content = read_json(target / MANIFEST)
    try:
        if content["format"] != FORMAT:
            raise ValueError(f"{MANIFEST} has format {content['format']}, expected {FORMAT}")
        return Manifest(
            sets=tuple(content["sets"]),
            split=content["split"],
            classes=tuple(content["classes"]),
            sha256={name: content["sha256"][name] for name in ARRAYS},
        )
    except (KeyError, TypeError) as error:
        raise ValueError(f"{MANIFEST} is not a manifest: {error!r}") from error


def read_array(target: Path, name: str, manifest: Manifest) -> npt.NDArray[Any]:
    """Return one array; a pickle, or another file than the manifest's, is not opened.

    Raises:
        FileNotFoundError: If it is absent.
        OSError: If it cannot be read.
        ValueError: If it is not what the manifest vouches for, or no array of numbers.
    """
    content = read_regular(target / f"{name}.npy", _MOST_BYTES)
    if (found := hashlib.sha256(content).hexdigest()) != manifest.sha256[name]:
        raise ValueError(f"{name}.npy has SHA-256 {found}, expected {manifest.sha256[name]}")
    try:
        array: npt.NDArray[Any] = np.load(io.BytesIO(content), allow_pickle=False)
    except MemoryError as error:  # of a shape that the file cannot have
        raise ValueError(f"{name}.npy: {error}") from None
    return array


def check_array(target: Path, name: str, manifest: Manifest) -> Check:
    """Compare one array with the manifest."""
    try:
        read_array(target, name, manifest)
    except OSError as error:
        return Check(f"{name}.npy", False, f"cannot be read: {reason_of(error)}")
    except ValueError as error:
        return Check(f"{name}.npy", False, str(error))
    return Check(f"{name}.npy", True, f"SHA-256 {manifest.sha256[name]}")
