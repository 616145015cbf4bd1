"""A folder or a zip that a person named, read the same way."""

from __future__ import annotations

import gzip
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

from trainables.data.errors import SourceError

MOST_BYTES = 1 << 30
"""The longest that a zip can be; the largest of the datasets' has 55 MB. Its list of names is read whole."""


class FileTree:
    """Files by their relative names, with forward slashes; hidden files and folders are left out.

    Args:
        files: What opens each file, by its name.
    """

    def __init__(self, files: Mapping[str, Callable[[], IO[bytes]]]) -> None:
        self._files = files

    def names(self) -> list[str]:
        """Return every file's name, sorted."""
        return sorted(name for name in self._files if not _is_hidden(name))

    def read(self, name: str, most: int) -> bytes:
        """Return the content of a file; KeyError if there is none of that name.

        Raises:
            SourceError: If it cannot be unpacked, or is longer than `most` bytes; no more than that are read
                or unpacked.
        """
        try:
            with self._files[name]() as file:
                return read_at_most(file, most, name)
        except (zlib.error, EOFError, RuntimeError) as error:  # damaged, cut off, or encrypted
            raise SourceError(f"{name} cannot be unpacked: {error}") from error


@contextmanager
def open_tree(path: Path) -> Iterator[FileTree]:
    """Open a folder or a zip for reading; nothing is unpacked to disk.

    Args:
        path: A folder, or a zip file.

    Returns:
        A context manager that gives the tree.

    Raises:
        SourceError: If there is no such folder or zip, or it cannot be read (also inside the block).
    """
    if not path.exists():
        raise SourceError(f"{path} does not exist")
    try:
        if path.is_dir():
            found = (one for one in path.rglob("*") if one.is_file())
            yield FileTree({one.relative_to(path).as_posix(): _opener(one) for one in found})
        elif not path.is_file():
            raise SourceError(f"{path} is neither a folder nor a file")
        elif path.stat().st_size > MOST_BYTES:
            raise SourceError(f"{path} is longer than {MOST_BYTES:,} bytes")
        else:
            with zipfile.ZipFile(path) as archive:
                files = [one for one in archive.infolist() if not one.is_dir()]
                yield FileTree({one.filename: partial(archive.open, one.filename) for one in files})
    except (OSError, zipfile.BadZipFile) as error:
        raise SourceError(f"{path} cannot be read: {error}") from error


def read_at_most(file: IO[bytes] | gzip.GzipFile, most: int, name: str) -> bytes:
    """Read a file to its end, unless that is further away than it can be.

    A few kilobytes of a zip or gzip file can stand for gigabytes.

    Args:
        file: An open file.
        most: The most bytes that it may hold.
        name: Its name, for the message.

    Raises:
        SourceError: If it holds more.
    """
    content = file.read(most + 1)
    if len(content) > most:
        raise SourceError(f"{name} is longer than {most:,} bytes")
    return content


def _opener(path: Path) -> Callable[[], IO[bytes]]:
    return lambda: path.open("rb")


def _is_hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in name.split("/"))
