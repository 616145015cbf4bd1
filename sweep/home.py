"""The home: the folder with everything local, and the tracking store that goes with it."""

from __future__ import annotations

import errno
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sweep.redaction import redact
from trainables.atomic_file import write_atomically
from trainables.error_reason import reason_of
from trainables.store.database import sqlite_path, sqlite_uri
from trainables.user_error import UserError

HOME_VARIABLE = "CATSWEEP_HOME"
TRACKING_VARIABLE = "MLFLOW_TRACKING_URI"
DEFAULT_HOME = Path(".catsweep")
_SQLITE = re.compile(r"sqlite(?:\+\w+)?:")


class HomeError(UserError):
    """The home cannot be used; the message says why and what to do."""


@dataclass(frozen=True)
class Home:
    """Where a sweep keeps its things.

    Args:
        path: Absolute path of the folder.
        tracking_uri: URI of the tracking store.
        shared_data: Folder of the data sets, where it is not in the home.
    """

    path: Path
    tracking_uri: str
    shared_data: Path | None = None

    @classmethod
    def resolve(cls, path: str | Path | None = None, tracking_uri: str | None = None) -> Home:
        """Return the home from flags, else from the environment, else `./.catsweep` with its own store.

        Raises:
            HomeError: If there is something else than a folder, or the store is SQLite's and no file.
        """
        folder = Path(path or os.environ.get(HOME_VARIABLE) or DEFAULT_HOME).expanduser().absolute()
        uri = tracking_uri or os.environ.get(TRACKING_VARIABLE) or sqlite_uri(folder / "mlflow.db")
        _check_folder(folder)
        _check_file_of(uri)
        return cls(folder, uri)

    def shard(self, folder: str) -> Home:
        """Return the home of a shard, a folder of this one, with a store of its own and the same data."""
        path = self.path / "shards" / folder
        return Home(path, sqlite_uri(path / "mlflow.db"), self.data)

    @property
    def shown_uri(self) -> str:
        """The store's URI as it may be printed and logged: without a password."""
        return self.redact(self.tracking_uri)

    @property
    def store_name(self) -> str:
        """What the home calls the store: its own by no path, since a home may be moved."""
        is_own = self.tracking_uri == sqlite_uri(self.path / "mlflow.db")
        return "the home's own" if is_own else self.shown_uri

    def redact(self, text: str) -> str:
        """Return a text, such as the message of a library, without the store's password."""
        return redact(text, self.tracking_uri)

    @property
    def artifacts(self) -> Path:
        """Artifacts of runs, where the store is the home's own."""
        return self.path / "artifacts"

    @property
    def checkpoints(self) -> Path:
        """Checkpoints of unfinished packs, a folder each."""
        return self.path / "checkpoints"

    @property
    def data(self) -> Path:
        """Datasets, a folder each."""
        return self.shared_data or self.path / "data"

    @property
    def old_spool(self) -> Path:
        """Where older versions kept writes that the store had not taken."""
        return self.path / "spool"

    @property
    def lock(self) -> Path:
        """Lock file, held by the one driver that may work in this home."""
        return self.path / "driver.lock"

    @property
    def calibration(self) -> Path:
        """Measured seconds per epoch, for estimates."""
        return self.path / "calibration.json"

    @property
    def pack_sizes(self) -> Path:
        """Measured best numbers of members per pack."""
        return self.path / "pack_sizes.json"

    @property
    def sqlite_path(self) -> Path | None:
        """The store's file, where the store is an SQLite file."""
        return sqlite_path(self.tracking_uri)

    @property
    def is_server(self) -> bool:
        """Whether the store is behind a tracking server, and not a database."""
        return self.tracking_uri.startswith(("http://", "https://"))

    def make(self) -> None:
        """Make the home itself, for its user alone; one that is there stays as open as it is."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)

    def keep(self, path: Path, content: Mapping[str, object]) -> None:
        """Write a file of the home, as JSON.

        Raises:
            HomeError: If it cannot be written.
        """
        try:
            self.make()
            write_atomically(path, json.dumps(content, indent=1).encode())
        except OSError as error:
            raise HomeError(f"{path} cannot be written ({reason_of(error)})") from None

    def make_folders(self) -> None:
        """Make the folders and see that they can be written.

        Raises:
            HomeError: If one cannot.
        """
        for folder in (self.path, self.artifacts, self.checkpoints, self.data):
            probe = folder / f".probe-{os.getpid()}"
            try:
                self.make()
                folder.mkdir(exist_ok=True)
                probe.write_bytes(b"")
                probe.unlink()
            except OSError as error:
                raise _no_folder(folder, error.strerror) from None


def _check_folder(folder: Path) -> None:
    try:
        if folder.is_dir() or not folder.exists():
            return
    except OSError as error:  # such as a name that is too long
        raise _no_folder(folder, error.strerror) from None
    raise _no_folder(folder, os.strerror(errno.EEXIST))


def _no_folder(folder: Path, reason: str | None) -> HomeError:
    return HomeError(
        f"{folder} must be a folder that can be written ({reason}); "
        f"choose another home with --home or {HOME_VARIABLE}"
    )


def _check_file_of(tracking_uri: str) -> None:
    if not _SQLITE.match(tracking_uri):
        return
    path = sqlite_path(tracking_uri)
    try:
        is_file = path is not None and path.name not in ("", ":memory:") and not path.is_dir()
    except OSError:
        is_file = False
    if not is_file:
        raise HomeError(
            f"tracking store {redact(tracking_uri)} cannot be used: it must name a file, such as "
            "sqlite:////folder/mlflow.db"
        )
