"""The file of an SQLite store while a driver works on it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


class StoreFile:
    """Notices that a store's file was removed: SQLite would go on writing into it, where nobody finds it.

    Args:
        path: The file as it is now; none where the store is no file.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._identity = self._now()

    def check(self) -> None:
        """See that the file is still there.

        Raises:
            OSError: If it is not; a store is away whose file is.
        """
        if self._now() != self._identity:
            raise OSError(f"its file {self._path} is gone or another one, and so is what it had taken before")

    def _now(self) -> tuple[int, int] | None:
        if self._path is not None:
            with suppress(OSError):
                status = self._path.stat()
                return status.st_dev, status.st_ino
        return None
