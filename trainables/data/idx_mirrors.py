"""The IDX files of MNIST's family from torchvision's mirrors."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from trainables.atomic_file import UNFINISHED
from trainables.data.errors import SourceError
from trainables.data.idx_file import IdxFile, absent
from trainables.data.torchvision_mirrors import MirrorDownloads, RemoteFile, published_files


@dataclass(frozen=True)
class IdxMirrors:
    """Downloads the gzipped files, checks them against the listed MD5s and installs their content.

    Attributes:
        files: The published files.
        torchvision_name: The class of `torchvision.datasets` that lists the mirrors.
        listing: Gives the list; another one than torchvision's in tests.
    """

    files: tuple[IdxFile, ...]
    torchvision_name: str
    listing: Callable[[str], list[RemoteFile]] = published_files

    @property
    def title(self) -> str:
        """The download and the class."""
        return f"torchvision's download of {self.torchvision_name}"

    def obtain(self, target: Path) -> None:
        """Downloads the files that are lacking; see `Source.obtain`."""
        listed = {remote.name: remote for remote in self.listing(self.torchvision_name)}
        downloads = MirrorDownloads()
        with tempfile.TemporaryDirectory(prefix=".download.", suffix=UNFINISHED, dir=target) as temporary:
            for file in absent(self.files, target):
                remote = listed.get(f"{file.name}.gz")
                if remote is None:
                    raise SourceError(f"torchvision lists no {file.name}.gz")
                path = Path(temporary) / remote.name
                downloads.get(remote, path)
                file.install(target, path.read_bytes(), remote.name)
