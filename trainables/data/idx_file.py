"""One file of an IDX dataset: where it goes, and how it is checked before it goes there."""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from trainables.atomic_file import write_atomically
from trainables.data.errors import SourceError
from trainables.data.file_tree import read_at_most
from trainables.regular_file import read_regular

_MOST_OVERHEAD = 1 << 16  # of gzip, for what cannot be compressed


@dataclass(frozen=True)
class IdxFile:
    """A published IDX file.

    Attributes:
        name: File name without ".gz".
        md5: Hexadecimal MD5 of the uncompressed content.
        shape: Shape of the array that it holds.
    """

    name: str
    md5: str
    shape: tuple[int, ...]

    @property
    def num_bytes(self) -> int:
        """Length of the uncompressed file: type code and sizes, then the values."""
        return 4 + 4 * len(self.shape) + math.prod(self.shape)

    @property
    def most_bytes(self) -> int:
        """The longest that it can be, compressed or not."""
        return self.num_bytes + _MOST_OVERHEAD

    def is_in(self, target: Path) -> bool:
        """Whether `target` holds this file with the published content."""
        try:
            return _md5(read_regular(target / self.name, self.num_bytes)) == self.md5
        except OSError:
            return False

    def install(self, target: Path, content: bytes, origin: str) -> None:
        """Writes the uncompressed content into `target` after checking it.

        Args:
            target: The dataset's folder.
            content: Raw IDX content, or the same compressed with gzip.
            origin: Where it came from, for the message.

        Raises:
            SourceError: If it is not the published content.
            OSError: If `target` cannot be written.
        """
        if content[:2] == b"\x1f\x8b":
            try:
                with gzip.open(io.BytesIO(content)) as file:
                    content = read_at_most(file, self.num_bytes, f"{origin}, uncompressed,")
            except (OSError, EOFError, zlib.error) as error:
                raise SourceError(f"{origin}: damaged gzip file: {error}") from error
        if (found := _md5(content)) != self.md5:
            raise SourceError(f"{origin}: MD5 {found} uncompressed, expected {self.md5}")
        write_atomically(target / self.name, content)


def absent(files: Iterable[IdxFile], target: Path) -> list[IdxFile]:
    """The files that `target` lacks or holds with other content."""
    return [file for file in files if not file.is_in(target)]


def _md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
