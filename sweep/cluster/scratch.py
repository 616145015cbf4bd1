"""The folder for what Ray and Tune need only while they run: for its user alone, and gone afterwards."""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sweep.cluster_error import ClusterError
from sweep.messages import say

RAY = "ray"
"""Folder within it for Ray, which opens its own folder to everybody."""
_PREFIX = "catsweep."
_FORMER_PREFIX = "catsweep-tune-"
"""Of releases whose drivers locked nothing: theirs may be in use until it is untouched for a day."""
_DAY_SECONDS = 24 * 3600
_SESSION = "session_2026-12-01_04-46-50_123456_4194304"
_LONGEST_SOCKET = f"/{_PREFIX}12345678/{RAY}/{_SESSION}/sockets/plasma_store"
_MOST_BYTES = (103 if sys.platform == "darwin" else 107) - len(_LONGEST_SOCKET)
_ALWAYS_SHORT = ("/tmp", "/var/tmp")
_TRIES_TO_REMOVE = 20
_PAUSE_SECONDS = 0.1


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Make the folder, in a place whose path leaves room for Ray's sockets, and remove it at the end.

    The place is RAY_TMPDIR, else the system's folder for temporary files (TMPDIR), else /tmp. What drivers
    that were killed have left there is removed too.

    Raises:
        ClusterError: If there is no such place.
    """
    given = os.environ.get("RAY_TMPDIR") or tempfile.gettempdir()
    for place in dict.fromkeys((given, tempfile.gettempdir(), *_ALWAYS_SHORT)):
        with suppress(OSError):
            if len(os.fsencode(place)) <= _MOST_BYTES:
                folder, lock = _make(Path(place).absolute())
                break
    else:
        raise ClusterError(
            f"Ray needs a folder that can be written, with a path of at most {_MOST_BYTES} bytes, "
            f"got {given}; name one with RAY_TMPDIR"
        )
    if place != given:
        say(f"{given} cannot be written, or its path is too long for Ray's sockets; Ray uses {place}")
    try:
        yield folder
    finally:
        _remove(folder)
        os.close(lock)


def _make(place: Path) -> tuple[Path, int]:
    """Return a new folder and what keeps it: a lock that ends with the process, however it ends."""
    _remove_abandoned(place.glob(f"{_PREFIX}*"))
    _remove_abandoned(filter(_is_untouched, place.glob(f"{_FORMER_PREFIX}*")))
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=place))
    lock = _lock(folder)
    folder.stat()  # raises where another driver took it for abandoned before it was locked
    return folder, lock


def _lock(folder: Path) -> int:
    """Return the open folder, locked.

    Raises:
        OSError: If another process has locked it.
    """
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(opened)
        raise
    return opened


def _is_untouched(folder: Path) -> bool:
    """Whether nothing in a folder, or below it, has changed for a day."""
    try:
        latest = max(one.lstat().st_mtime for one in (folder, *folder.rglob("*")))
    except OSError:  # of another user, or just removed by another driver
        return False
    return time.time() - latest > _DAY_SECONDS


def _remove_abandoned(folders: Iterable[Path]) -> None:
    for folder in folders:
        with suppress(OSError):  # of another user, in use, or just removed by another driver
            if folder.lstat().st_uid == os.getuid():
                lock = _lock(folder)
                _remove(folder)
                os.close(lock)


def _remove(folder: Path) -> None:
    """Remove a folder in which processes of Ray that are about to end may still write."""
    for _ in range(_TRIES_TO_REMOVE):
        shutil.rmtree(folder, ignore_errors=True)
        if not folder.exists():
            return
        time.sleep(_PAUSE_SECONDS)
