"""A published IDX file: unsigned bytes behind a header of four bytes and four more for each axis.

Read by hand, in a line: its MD5 says what the header would, and to import torchvision takes a run's driver
two seconds of a processor.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import math
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from trainables.atomic_file import write_atomically
from trainables.data.check import Check
from trainables.data.errors import SourceError
from trainables.data.file_tree import read_at_most
from trainables.error_reason import reason_of
from trainables.regular_file import read_regular

_MOST_OVERHEAD = 1 << 16  # of gzip, for what cannot be compressed
_UNSIGNED_BYTE = 8


@dataclass(frozen=True)
class IdxFile:
    """One of the files of a data set.

    Args:
        name: File name without ".gz".
        md5: Hexadecimal MD5 of the uncompressed content.
        shape: Shape of the array that it holds.
    """

    name: str
    md5: str
    shape: tuple[int, ...]

    @property
    def num_bytes(self) -> int:
        """Length of the uncompressed file."""
        return len(self._header) + math.prod(self.shape)

    @property
    def most_bytes(self) -> int:
        """The longest that it can be, compressed or not."""
        return self.num_bytes + _MOST_OVERHEAD

    def check(self, folder: Path) -> Check:
        """Compare the file in a folder with what is published."""
        try:
            found = _md5(read_regular(folder / self.name, self.num_bytes))
        except OSError as error:
            return Check(self.name, False, f"cannot be read: {reason_of(error)}")
        is_ok = found == self.md5
        return Check(
            f"{self.name} content", is_ok, f"MD5 {found}" + ("" if is_ok else f", expected {self.md5}")
        )

    def read(self, folder: Path) -> npt.NDArray[np.uint8]:
        """Return what the file in a folder holds, as an array of its own that can be written.

        Raises:
            FileNotFoundError: If it is absent.
            OSError: If it cannot be read.
            ValueError: If it is not the published file.
        """
        content = bytearray(read_regular(folder / self.name, self.num_bytes))
        if (found := _md5(content)) != self.md5:
            raise ValueError(f"{self.name} has MD5 {found}, expected {self.md5}")
        return np.frombuffer(content, np.uint8, offset=len(self._header)).reshape(self.shape)

    def install(self, target: Path, content: bytes, origin: str) -> None:
        """Write the uncompressed file into a folder once it is checked.

        Args:
            target: The data set's folder.
            content: The file, or the file compressed with gzip.
            origin: Where it came from, for the message.

        Raises:
            SourceError: If it is not the published file.
            OSError: If the folder cannot be written.
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

    def encode(self, values: npt.NDArray[np.uint8]) -> bytes:
        """Return the uncompressed file that holds an array."""
        return self._header + values.tobytes()

    @property
    def _header(self) -> bytes:
        sizes = b"".join(size.to_bytes(4, "big") for size in self.shape)
        return bytes([0, 0, _UNSIGNED_BYTE, len(self.shape)]) + sizes


def absent(files: Iterable[IdxFile], folder: Path) -> list[IdxFile]:
    """Return the files that a folder lacks or holds with other content."""
    return [file for file in files if not file.check(folder).is_ok]


def _md5(content: bytes | bytearray) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()
