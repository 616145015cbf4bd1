"""Omniglot (Lake, Salakhutdinov and Tenenbaum, 2015): handwritten characters of 50 alphabets, 20 drawers
each.

Split: background to train (19,280 images) and evaluation to test (13,180) when both official sets are there.
    With any other choice of sets, drawers 1 to 16 of every character train and drawers 17 to 20 test, so
    that both splits have every character and no person is in both.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from trainables.data.check import Check
from trainables.data.dataset import Dataset
from trainables.data.errors import SourceError
from trainables.data.image_dataset import ImageDataset
from trainables.data.omniglot_reader import locate
from trainables.data.omniglot_sets import CHARACTERS, expected_images
from trainables.data.omniglot_sources import LocalOmniglot, OmniglotMirrors
from trainables.data.omniglot_store import (
    ARRAYS,
    MANIFEST,
    Manifest,
    read_array,
    read_manifest,
    sha256_of_array,
)
from trainables.data.source import Source
from trainables.error_reason import reason_of

TORCHVISION_FOLDER = "omniglot-py"


class Omniglot(Dataset):
    """The registry's entry. See the module for the split and `omniglot_images` for the pixels."""

    name = "omniglot"

    def __init__(self, remote_sources: tuple[Source, ...] = (OmniglotMirrors(),)) -> None:
        self._remote_sources = remote_sources

    @property
    def files_by_hand(self) -> str:
        """The official zips."""
        return "images_background.zip and images_evaluation.zip (or one of the small background sets)"

    def sources(self, folder: Path, source: Path | None) -> Sequence[Source]:
        """The data folder in our layout and in torchvision's, then its download; or only `source`."""
        if source is not None:
            return [LocalOmniglot((source,))]
        return [LocalOmniglot((folder / self.name, folder / TORCHVISION_FOLDER)), *self._remote_sources]

    def verify(self, target: Path) -> list[Check]:
        """SHA-256 of each array against the manifest, then images per alphabet against the published sets."""
        try:
            manifest = read_manifest(target)
        except OSError as error:
            return [Check(MANIFEST, False, f"cannot be read: {reason_of(error)}")]
        except ValueError as error:
            return [Check(MANIFEST, False, str(error))]
        checks = [_check_digest(target, name, manifest) for name in ARRAYS]
        if all(check.is_ok for check in checks):
            checks += self._check_counts(target, manifest)
        return checks

    def load(self, target: Path) -> ImageDataset:
        """Reads the arrays; see `Dataset.load`."""
        sets = read_manifest(target).sets
        arrays = [read_array(target, name) for name in ARRAYS]
        return ImageDataset(self.name, arrays[0], arrays[1], arrays[2], arrays[3], ", ".join(sets))

    def is_from(self, target: Path, source: Path) -> bool:
        """Whether the store was built from the sets that `source` holds."""
        try:
            return tuple(sorted(locate([source]))) == read_manifest(target).sets
        except SourceError:
            return False

    def _check_counts(self, target: Path, manifest: Manifest) -> list[Check]:
        try:
            dataset = self.load(target)
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


def _check_digest(target: Path, name: str, manifest: Manifest) -> Check:
    try:
        found = sha256_of_array(target, name)
    except OSError as error:
        return Check(f"{name}.npy", False, f"cannot be read: {reason_of(error)}")
    expected = manifest.sha256[name]
    detail = f"SHA-256 {found}" if found == expected else f"SHA-256 {found}, expected {expected}"
    return Check(f"{name}.npy", found == expected, detail)


def _check_alphabet(alphabet: str, count: int, expected: int) -> Check:
    detail = f"{count:,} images" if count == expected else f"{count:,} images, expected {expected:,}"
    return Check(alphabet, count == expected, detail)


OMNIGLOT = Omniglot()
