"""Omniglot (Lake, Salakhutdinov and Tenenbaum, 2015): characters of 50 alphabets, each drawn by 20 people.

Split: background to train (19,280 images) and evaluation to test (13,180) when both official sets are there.
    With any other choice of sets, drawers 1 to 16 of every character train and drawers 17 to 20 test, so
    that both splits have every character and no person is in both.

torchvision downloads it and no more: it knows neither the small sets nor which sets a folder holds, and reads
105x105 pixels from a file each. See `trainables.data.omniglot.images` for the pixels that training sees.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from trainables.data.check import Check, failures
from trainables.data.dataset import Dataset
from trainables.data.errors import SourceError
from trainables.data.omniglot.reader import locate
from trainables.data.omniglot.sets import CHARACTERS, expected_images
from trainables.data.omniglot.sources import LocalOmniglot, OmniglotDownload
from trainables.data.omniglot.store import ARRAYS, MANIFEST, Manifest, check_array, read_array, read_manifest
from trainables.error_reason import reason_of
from trainables.image_dataset import ImageDataset


def _load(target: Path) -> ImageDataset:
    manifest = read_manifest(target)
    arrays = [read_array(target, name, manifest) for name in ARRAYS]
    return ImageDataset("omniglot", arrays[0], arrays[1], arrays[2], arrays[3], ", ".join(manifest.sets))


def _verify(target: Path) -> list[Check]:
    """Compare each array with the manifest, then images per alphabet with the published sets."""
    try:
        manifest = read_manifest(target)
    except OSError as error:
        return [Check(MANIFEST, False, f"cannot be read: {reason_of(error)}")]
    except ValueError as error:
        return [Check(MANIFEST, False, str(error))]
    checks = [check_array(target, name, manifest) for name in ARRAYS]
    return checks if failures(checks) else checks + _check_counts(target, manifest)


def _check_counts(target: Path, manifest: Manifest) -> list[Check]:
    try:
        dataset = _load(target)
        labels = np.concatenate([dataset.train_labels, dataset.test_labels])
        counts: Counter[str] = Counter()
        for label, count in zip(*np.unique(labels, return_counts=True), strict=True):
            counts[manifest.classes[label].partition("/")[0]] += int(count)
    except (OSError, ValueError, IndexError) as error:
        return [Check("arrays", False, str(error))]
    unknown = [name for name in manifest.sets if name not in CHARACTERS]
    if unknown:
        return [Check("sets", False, f"not official sets: {', '.join(unknown)}")]
    expected = expected_images(manifest.sets)
    return [
        _check_alphabet(alphabet, counts[alphabet], expected.get(alphabet, 0))
        for alphabet in sorted({*counts, *expected})
    ]


def _check_alphabet(alphabet: str, count: int, expected: int) -> Check:
    detail = f"{count:,} images" if count == expected else f"{count:,} images, expected {expected:,}"
    return Check(alphabet, count == expected, detail)


def _is_from(target: Path, source: Path) -> bool:
    """Return whether the store was built from the sets that a folder or zip holds."""
    try:
        return tuple(sorted(locate([source]))) == read_manifest(target).sets
    except SourceError:
        return False


OMNIGLOT = Dataset(
    "omniglot",
    _load,
    _verify,
    (OmniglotDownload(),),
    LocalOmniglot,
    "omniglot-py",
    "images_background.zip and images_evaluation.zip (or one of the small background sets)",
    _is_from,
)
