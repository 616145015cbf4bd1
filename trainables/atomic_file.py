"""Files that appear whole or not at all, however the writer ends."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

UNFINISHED = ".part"
"""Suffix of everything temporary; such names start with a dot and are never read as data."""


@contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Opens a temporary file beside `path` that takes its place when the block ends without an error.

    The content is on the disk before the name changes, so a reader sees the old file or the whole new one.
    After an error the temporary file is removed; after a kill it stays, under a name that nobody reads.

    Args:
        path: The file to create or replace; its folder must exist.

    Returns:
        A context manager that gives a binary file, open for writing.

    Raises:
        OSError: If the folder cannot be written.
    """
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}{UNFINISHED}")
    # Not tempfile: its mode 0600 would hide the data from the other users of a shared folder.
    file = part.open("xb")
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise
    _sync_folder(path.parent)


def write_atomically(path: Path, data: bytes) -> None:
    """Creates or replaces `path` with `data`; see `atomic_file`."""
    with atomic_file(path) as file:
        file.write(data)


def remove_unfinished(folder: Path) -> None:
    """Removes what killed writers left directly in `folder`. Call it only while holding the folder's lock."""
    for left in folder.glob(f".*{UNFINISHED}"):
        if left.is_dir():
            shutil.rmtree(left)
        else:
            left.unlink()


def _sync_folder(folder: Path) -> None:
    """Makes the rename itself durable, where the file system lets a folder be opened."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
