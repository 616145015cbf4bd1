"""Find Omniglot's drawings in folders and zips, whole sets only, and divide them into training and test."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trainables.data.errors import SourceError
from trainables.data.file_tree import open_tree
from trainables.data.omniglot.images import MOST_BYTES, decode_drawing, shrink
from trainables.data.omniglot.sets import BACKGROUND, CHARACTERS, EVALUATION, expected_images

TEST_DRAWERS = frozenset(range(17, 21))
"""Drawers 17 to 20 of 20 are the test set where the official split is not at hand."""
_BATCH = 2048


@dataclass(frozen=True, order=True)
class Drawing:
    """One drawing: a character of an alphabet by one of its 20 drawers (1 to 20)."""

    alphabet: str
    character: str
    drawer: int

    @property
    def label(self) -> str:
        """The class: alphabet and character."""
        return f"{self.alphabet}/{self.character}"


@dataclass(frozen=True)
class Location:
    """Where a drawing's PNG is: in which set, in which folder or zip, under which name."""

    set_name: str
    place: Path
    name: str


def locate(places: Iterable[Path]) -> dict[str, dict[Drawing, Location]]:
    """Find the drawings of the official sets.

    A set is known by the name of its folder, inside a zip too. A folder may hold sets, zips of sets, or be a
    set.

    Args:
        places: Folders and zips; those that do not exist are passed over. Of equal drawings the first one
            counts.

    Returns:
        Set name to its drawings. Empty if there are none.

    Raises:
        SourceError: If a place cannot be read.
    """
    found: dict[str, dict[Drawing, Location]] = {}
    for place in places:
        if not place.exists():
            continue
        nested = sorted(place.glob("*.zip")) if place.is_dir() else []
        for path in (place, *nested):
            for location, drawing in _drawings_in(path):
                found.setdefault(location.set_name, {}).setdefault(drawing, location)
    return found


def check_complete(found: dict[str, dict[Drawing, Location]]) -> None:
    """Refuse a set with another number of drawings than the published one.

    Raises:
        SourceError: If a set is incomplete or has too many; the message gives the alphabets.
    """
    for set_name, drawings in found.items():
        counts = Counter(drawing.alphabet for drawing in drawings)
        expected = expected_images([set_name])
        wrong = [
            f"{alphabet} has {counts[alphabet]:,} images, expected {expected.get(alphabet, 0):,}"
            for alphabet in sorted({*counts, *expected})
            if counts[alphabet] != expected.get(alphabet, 0)
        ]
        if wrong:
            raise SourceError(f"{set_name} is not the published set: {'; '.join(wrong)}")


def is_official_split(sets: Iterable[str]) -> bool:
    """Return whether the official split's sets are there: background to train, evaluation to test on."""
    return {BACKGROUND, EVALUATION} <= set(sets)


def is_test(drawing: Drawing, sets: Sequence[str]) -> bool:
    """Return whether a drawing belongs to the test set, given all the sets that are at hand."""
    if is_official_split(sets):
        return drawing.alphabet in CHARACTERS[EVALUATION]
    return drawing.drawer in TEST_DRAWERS


def read_images(drawings: Sequence[Drawing], locations: dict[Drawing, Location]) -> npt.NDArray[np.uint8]:
    """Read and shrink drawings.

    Args:
        drawings: Which ones, in the order of the result.
        locations: Where they are.

    Returns:
        Shape (len(drawings), 784), uint8.

    Raises:
        SourceError: If a PNG cannot be read.
    """
    images = np.empty((len(drawings), 784), dtype=np.uint8)
    rows: dict[Path, list[int]] = {}
    for row, drawing in enumerate(drawings):
        rows.setdefault(locations[drawing].place, []).append(row)
    for place, of_place in rows.items():
        with open_tree(place) as tree:
            for start in range(0, len(of_place), _BATCH):
                batch = of_place[start : start + _BATCH]
                names = [locations[drawings[row]].name for row in batch]
                inks = [decode_drawing(tree.read(name, MOST_BYTES), name) for name in names]
                images[batch] = shrink(np.stack(inks))
    return images


def _drawings_in(place: Path) -> Iterable[tuple[Location, Drawing]]:
    pattern = re.compile(
        rf"(?:^|/)({'|'.join(map(re.escape, CHARACTERS))})/([^/]+)/(character\d+)/\d+_(\d+)\.png$"
    )
    prefix = f"{place.name}/" if place.is_dir() else ""
    with open_tree(place) as tree:
        for name in tree.names():
            if match := pattern.search(prefix + name):
                set_name, alphabet, character, drawer = match.groups()
                yield Location(set_name, place, name), Drawing(alphabet, character, int(drawer))
