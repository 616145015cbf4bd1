"""A folder or a zip that a person named, read the same way."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from trainables.data.errors import SourceError

MOST_BYTES = 1 << 30
"""The longest that a zip can be; the largest of the datasets' has 55 MB. Its list of names is read whole."""


class Readable(Protocol):
    """What can be read so many bytes at a time."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; fewer only at the end."""
        ...


class FileTree(Protocol):
    """Files by their relative names, with forward slashes."""

    def names(self) -> list[str]:
        """Every file's name, sorted; hidden files and folders are left out."""
        ...

    def read(self, name: str, most: int) -> bytes:
        """Content of one of `names()`.

        Raises:
            SourceError: If it is longer than `most` bytes; no more than that are read or unpacked.
        """
        ...


class _Folder:
    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> list[str]:
        found = (path.relative_to(self._path).as_posix() for path in self._path.rglob("*") if path.is_file())
        return sorted(name for name in found if not _is_hidden(name))

    def read(self, name: str, most: int) -> bytes:
        with (self._path / name).open("rb") as file:
            return read_at_most(file, most, name)


class _Zip:
    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive

    def names(self) -> list[str]:
        found = (info.filename for info in self._archive.infolist() if not info.is_dir())
        return sorted(name for name in found if not _is_hidden(name))

    def read(self, name: str, most: int) -> bytes:
        try:
            with self._archive.open(name) as file:
                return read_at_most(file, most, name)
        except (zlib.error, EOFError, RuntimeError) as error:  # damaged, cut off, or encrypted
            raise SourceError(f"{name} cannot be unpacked: {error}") from error


@contextmanager
def open_tree(path: Path) -> Iterator[FileTree]:
    """Opens a folder or a zip for reading; nothing is unpacked to disk.

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
            yield _Folder(path)
        elif not path.is_file():
            raise SourceError(f"{path} is neither a folder nor a file")
        elif path.stat().st_size > MOST_BYTES:
            raise SourceError(f"{path} is longer than {MOST_BYTES:,} bytes")
        else:
            with zipfile.ZipFile(path) as archive:
                yield _Zip(archive)
    except (OSError, zipfile.BadZipFile) as error:
        raise SourceError(f"{path} cannot be read: {error}") from error


def read_at_most(file: Readable, most: int, name: str) -> bytes:
    """Reads a file to its end, unless that is further away than it can be.

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


def _is_hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in name.split("/"))
