"""IDX files out of a Debian package: the installed one, or a download that needs no root."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from trainables.atomic_file import UNFINISHED
from trainables.data.errors import SourceError
from trainables.data.idx.dataset import IdxFiles, LocalIdx
from trainables.data.program import run_program

APT_SECONDS = 180.0
"""Longest time for the whole of `apt-get download` (31 MB) or of unpacking."""
_APT_WAITS = ("-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=4", "-o", "Acquire::https::Timeout=4")


@dataclass(frozen=True)
class DebianPackage:
    """The files that the package has installed, else those of the package, unpacked into a temporary folder.

    Args:
        files: The published files.
        package: Name of the package, for example "dataset-fashion-mnist".
        installed: Folder where the package puts its files, absolute.
    """

    files: IdxFiles
    package: str
    installed: Path

    @property
    def title(self) -> str:
        """The package."""
        return f"Debian package {self.package}"

    def obtain(self, target: Path) -> None:
        """Install the files that are lacking; see `Source.obtain`."""
        if self.installed.is_dir():
            LocalIdx(self.files, (self.installed,)).obtain(target)
            return
        with tempfile.TemporaryDirectory(prefix=".apt.", suffix=UNFINISHED, dir=target) as temporary:
            folder = Path(temporary)
            run_program(["apt-get", *_APT_WAITS, "download", self.package], folder, APT_SECONDS)
            packages = list(folder.glob("*.deb"))
            if len(packages) != 1:
                raise SourceError(f"apt-get download left {len(packages)} packages, expected 1")
            run_program(["dpkg-deb", "-x", str(packages[0]), "unpacked"], folder, APT_SECONDS)
            place = folder / "unpacked" / self.installed.relative_to("/")
            LocalIdx(self.files, (place,)).obtain(target)
