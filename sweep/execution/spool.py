"""The spool: writes that the tracking store has not taken, in a file of the home until it has.

Every line begins with its CRC-32: a flipped bit in a number is still a number.
"""

from __future__ import annotations

import json
import logging
import os
import time
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sweep.execution.writes import WRITE, Write
from trainables.atomic_file import write_atomically
from trainables.error_reason import reason_of
from trainables.regular_file import read_regular
from trainables.store.database import sqlite_uri

_SUFFIX = ".jsonl"
_REFUSED_SUFFIX = ".refused.jsonl"
_OWN_STORE = "the home's own"
_MOST_BYTES = 1 << 32
_log = logging.getLogger(__name__)


class SpoolError(Exception):
    """A spool cannot be read; the message names it."""


class Spool:
    """A file of writes, a line each, that is there only while something waits in it.

    Args:
        path: The file, made by the first `append`.
        experiment: Name of the sweep's experiment.
        store: The store that the writes are for, as shown to people.
    """

    def __init__(self, path: Path, experiment: str, store: str) -> None:
        self.path = path
        self.experiment = experiment
        self.store = store

    @classmethod
    def new(cls, folder: Path, experiment: str, store: str) -> Spool:
        """Return a spool that has no file yet, under a name that no other driver has."""
        return cls(folder / f"{experiment}-{time.time_ns()}-{os.getpid()}{_SUFFIX}", experiment, store)

    @property
    def refused_path(self) -> Path:
        """Where writes are kept that the store will never take, each with the reason."""
        return self.path.with_name(self.path.name.removesuffix(_SUFFIX) + _REFUSED_SUFFIX)

    def append(self, writes: Iterable[Write]) -> None:
        """Add writes at the end; they are on the disk when this returns.

        Raises:
            OSError: If the disk does not take them; the file then is as it was before.
        """
        self._append(self.path, [write.model_dump_json() for write in writes])

    def set_aside(self, write: Write, reason: str) -> None:
        """Keep a write that the store has refused for good.

        Raises:
            OSError: If the disk does not take it.
        """
        self._append(
            self.refused_path, [json.dumps({"reason": reason, "write": json.loads(write.model_dump_json())})]
        )

    def members_refused(self) -> frozenset[str]:
        """Return the hashes of the members some of whose numbers were set aside.

        Raises:
            SpoolError: If the file of what was set aside cannot be read.
        """
        if not self.refused_path.exists():
            return frozenset()
        try:
            _, *lines, _ = read_regular(self.refused_path, _MOST_BYTES).split(
                b"\n"
            )  # the last one is not whole, or empty
            writes = [WRITE.validate_json(json.dumps(json.loads(_checked(line))["write"])) for line in lines]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SpoolError(f"{self.refused_path} cannot be read ({reason_of(error)})") from None
        return frozenset(member for write in writes for member in write.needed_by)

    def remove(self) -> None:
        """Delete the file; to be called once the store holds everything in it."""
        self.path.unlink(missing_ok=True)

    def _append(self, path: Path, lines: list[str]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            header = json.dumps({"experiment": self.experiment, "store": _in_header(self.store, path)})
            write_atomically(path, _encode([header, *lines]))  # half a header could not be told from damage
            return
        with path.open("ab", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            try:
                _write_all(file.fileno(), _encode(lines))
                os.fsync(file.fileno())
            except OSError:
                file.truncate(size)
                raise


@dataclass(frozen=True)
class SpooledWrites:
    """What a spool holds.

    Args:
        spool: The spool.
        writes: Its writes, in their order.
    """

    spool: Spool
    writes: tuple[Write, ...]


def read_spools(folder: Path) -> list[SpooledWrites]:
    """Return what waits in a folder, the oldest spool first.

    A last line that is not whole, as a full disk or a killed driver leaves it, is left out: the pack's
    checkpoint still has what it said.

    Raises:
        SpoolError: If a file is no spool.
    """
    paths = [path for path in folder.glob(f"*{_SUFFIX}") if not path.name.endswith(_REFUSED_SUFFIX)]
    return [_read(path) for path in sorted(paths, key=lambda path: (path.lstat().st_mtime_ns, path.name))]


def _read(path: Path) -> SpooledWrites:
    try:
        header, *lines = read_regular(path, _MOST_BYTES).split(b"\n")
        place = json.loads(_checked(header))
        store = str(place["store"])
        spool = Spool(path, str(place["experiment"]), _own_store(path) if store == _OWN_STORE else store)
        if lines.pop():
            _log.warning("spool %s ends in the middle of a line, which is left out", path)
        return SpooledWrites(spool, tuple(WRITE.validate_json(_checked(line)) for line in lines))
    except (OSError, ValueError, TypeError, KeyError, IndexError) as error:
        raise SpoolError(
            f"spool {path} cannot be read ({reason_of(error)}); move it away to go on without it: members "
            f"that it has the results of are then finished again from their checkpoints"
        ) from None


def _in_header(store: str, path: Path) -> str:
    """Return how a spool's header names its store: the home's own by no path, since a home may be moved."""
    return _OWN_STORE if store == _own_store(path) else store


def _own_store(path: Path) -> str:
    """Return the URI of the store of the home in which a spool is."""
    return sqlite_uri(path.parent.parent / "mlflow.db")


def _encode(lines: Iterable[str]) -> bytes:
    return b"".join(b"%08x %s\n" % (zlib.crc32(text), text) for text in map(str.encode, lines))


def _checked(line: bytes) -> bytes:
    """Return what a line says.

    Raises:
        ValueError: If it does not have its checksum.
    """
    checksum, _, text = line.partition(b" ")
    if checksum != b"%08x" % zlib.crc32(text):
        raise ValueError("a line does not have its checksum")
    return text


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]
