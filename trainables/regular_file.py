"""Files that are read whole: regular ones, of a bounded length."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

_MOST_JSON = 1 << 26


def read_regular(path: Path, most: int) -> bytes:
    """Return the content of a file; a pipe, which may never say anything, or a device is not opened.

    Args:
        path: The file, or a link to it.
        most: The most bytes that it may hold.

    Raises:
        OSError: If it cannot be read, is no regular file or holds more.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise OSError("it is no regular file")
    if status.st_size > most:
        raise OSError(f"it is longer than {most:,} bytes")
    return path.read_bytes()


def read_json(path: Path) -> Any:
    """Return what a file of JSON says.

    Raises:
        OSError: As for `read_regular`.
        ValueError: If it is no JSON.
    """
    try:
        return json.loads(read_regular(path, _MOST_JSON))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
