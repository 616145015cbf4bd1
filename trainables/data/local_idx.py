"""IDX files that are already on this machine, put there by hand, by a package or by torchvision."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from trainables.data.errors import SourceError
from trainables.data.file_tree import open_tree
from trainables.data.idx_file import IdxFile, absent


@dataclass(frozen=True)
class LocalIdx:
    """Takes the files from folders or zips, raw or with .gz, at any depth.

    Attributes:
        files: The published files.
        places: Folders or zips, in order of preference; those that do not exist are passed over.
    """

    files: tuple[IdxFile, ...]
    places: tuple[Path, ...]

    @property
    def title(self) -> str:
        """The places."""
        return f"files in {' or '.join(str(place) for place in self.places)}"

    def obtain(self, target: Path) -> None:
        """Installs every file that is found with the published content; see `Source.obtain`."""
        damaged: list[str] = []
        for place in self.places:
            if place.exists():
                damaged += self._install_from(place, target)
        lacking = absent(self.files, target)
        if not lacking:
            return
        if len(lacking) == len(self.files) and not damaged:
            raise SourceError("there are none")
        raise SourceError("; ".join([f"no sound {', '.join(file.name for file in lacking)}", *damaged]))

    def _install_from(self, place: Path, target: Path) -> list[str]:
        """Installs what is sound and returns why the rest is not."""
        damaged: list[str] = []
        with open_tree(place) as tree:
            names = tree.names()
            for file in absent(self.files, target):
                for name in names:
                    if PurePosixPath(name).name not in (file.name, f"{file.name}.gz"):
                        continue
                    try:
                        file.install(target, tree.read(name, file.most_bytes), name)
                    except SourceError as error:
                        damaged.append(str(error))
                    else:
                        break
        return damaged
