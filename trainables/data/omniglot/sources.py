"""The two ways to Omniglot: sets that are already on this machine, and torchvision's download."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trainables.atomic_file import UNFINISHED
from trainables.data.errors import SourceError
from trainables.data.omniglot.reader import (
    Drawing,
    Location,
    check_complete,
    is_official_split,
    is_test,
    locate,
    read_images,
)
from trainables.data.omniglot.sets import CHARACTERS
from trainables.data.omniglot.store import write_store
from trainables.data.torchvision_download import download


@dataclass(frozen=True)
class LocalOmniglot:
    """Every official set in some places.

    Args:
        places: Folders or zips; those that do not exist are passed over.
    """

    places: tuple[Path, ...]

    @property
    def title(self) -> str:
        """The places."""
        return f"sets in {' or '.join(str(place) for place in self.places)}"

    def obtain(self, target: Path) -> None:
        """Build the store in `target`; see `Source.obtain`."""
        found = locate(self.places)
        if not found:
            raise SourceError(
                f"there are none (looked for a folder or zip with a folder named {', '.join(CHARACTERS)})"
            )
        check_complete(found)
        build_store(found, target)


class OmniglotDownload:
    """The two official zips, which torchvision downloads; one alone is not used."""

    title = "torchvision's download of Omniglot"

    def obtain(self, target: Path) -> None:
        """Build the store in `target`; see `Source.obtain`."""
        with tempfile.TemporaryDirectory(prefix=".download.", suffix=UNFINISHED, dir=target) as temporary:
            download("Omniglot", Path(temporary))
            LocalOmniglot((Path(temporary),)).obtain(target)


def build_store(found: dict[str, dict[Drawing, Location]], target: Path) -> None:
    """Write training and test images in the order of alphabet, character, drawer.

    Labels number the characters of all sets in the order of alphabet and character, in both splits alike.

    Args:
        found: Complete official sets, see `locate`.
        target: The data set's folder.

    Raises:
        SourceError: If a drawing cannot be read.
        OSError: If `target` cannot be written.
    """
    locations = {drawing: location for drawings in found.values() for drawing, location in drawings.items()}
    sets = tuple(sorted(found))
    classes = tuple(dict.fromkeys(drawing.label for drawing in sorted(locations)))
    label_of = {name: label for label, name in enumerate(classes)}
    arrays = {}
    for split, is_wanted in (("train", False), ("test", True)):
        drawings = [drawing for drawing in sorted(locations) if is_test(drawing, sets) is is_wanted]
        arrays[f"{split}_images"] = read_images(drawings, locations)
        labels = [label_of[drawing.label] for drawing in drawings]
        arrays[f"{split}_labels"] = np.array(labels, dtype=np.uint16)
    split = (
        "official: background to train, evaluation to test"
        if is_official_split(sets)
        else "by drawer: 1 to 16 to train, 17 to 20 to test"
    )
    write_store(target, arrays, sets=sets, split=split, classes=classes)
