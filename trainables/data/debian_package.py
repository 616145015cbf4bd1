"""IDX files out of a Debian package: the installed one, or a download that needs no root."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from trainables.atomic_file import UNFINISHED
from trainables.data.errors import SourceError
from trainables.data.idx_file import IdxFile
from trainables.data.local_idx import LocalIdx

APT_SECONDS = 180.0
"""Longest time for the whole of `apt-get download` (31 MB) or of unpacking."""
_APT_WAITS = (
    "-o",
    "Acquire::Retries=1",
    "-o",
    "Acquire::http::Timeout=10",
    "-o",
    "Acquire::https::Timeout=10",
)


@dataclass(frozen=True)
class DebianPackage:
    """Takes the files from where the package installs them, else from the package unpacked into a temporary
    folder.

    Attributes:
        files: The published files.
        package: Name of the package, for example "dataset-fashion-mnist".
        installed: Folder where the package puts its files, absolute.
    """

    files: tuple[IdxFile, ...]
    package: str
    installed: Path

    @property
    def title(self) -> str:
        """The package."""
        return f"Debian package {self.package}"

    def obtain(self, target: Path) -> None:
        """Installs the files that are lacking; see `Source.obtain`."""
        if self.installed.is_dir():
            LocalIdx(self.files, (self.installed,)).obtain(target)
            return
        with tempfile.TemporaryDirectory(prefix=".apt.", suffix=UNFINISHED, dir=target) as temporary:
            folder = Path(temporary)
            _run(["apt-get", *_APT_WAITS, "download", self.package], folder)
            packages = list(folder.glob("*.deb"))
            if len(packages) != 1:
                raise SourceError(f"apt-get download left {len(packages)} packages, expected 1")
            _run(["dpkg-deb", "-x", str(packages[0]), "unpacked"], folder)
            place = folder / "unpacked" / self.installed.relative_to("/")
            LocalIdx(self.files, (place,)).obtain(target)


def _run(command: list[str], folder: Path) -> None:
    program = command[0]
    if shutil.which(program) is None:
        raise SourceError(f"{program} is not on this machine")
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env={**os.environ, "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=APT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SourceError(f"{program} took longer than {APT_SECONDS:g} s") from None
    if done.returncode != 0:
        errors = [line for line in done.stderr.splitlines() if line.startswith("E:")]
        said = " ".join(errors or done.stderr.split()[-30:])
        raise SourceError(f"{program} ended with status {done.returncode}: {said}")
