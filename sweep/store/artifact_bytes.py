"""Bytes as an artifact of a run."""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path

from mlflow import MlflowClient

_NO_FOLDER = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT, errno.ENOTDIR})


class NoFolderError(Exception):
    """The store's folder for artifacts is none that this process may write; the message is the system's."""


def log_bytes(client: MlflowClient, run_id: str, content: bytes, name: str) -> None:
    """Log bytes as a file of a run, in place of one of that name where there is one.

    Args:
        client: Client of the store; it takes artifacts as files alone.
        run_id: The run.
        content: What the file holds.
        name: The file's name.
    Raises:
        NoFolderError: If this process will not be able to, as with an experiment of somebody else's home.
        MlflowException, OSError: If the store does not take it now.
    """
    with tempfile.TemporaryDirectory(prefix="catsweep-") as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        try:
            client.log_artifact(run_id, str(path))
        except OSError as error:
            if error.errno in _NO_FOLDER:
                raise NoFolderError(str(error)) from error
            raise
