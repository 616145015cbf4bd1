"""Bytes as an artifact of a run."""

from __future__ import annotations

import tempfile
from pathlib import Path

from mlflow import MlflowClient


def log_bytes(client: MlflowClient, run_id: str, content: bytes, name: str) -> None:
    """Log bytes as a file of a run, in place of one of that name where there is one.

    Args:
        client: Client of the store; it takes artifacts as files alone.
        run_id: The run.
        content: What the file holds.
        name: The file's name.
    Raises:
        MlflowException, OSError: If the store does not take it now.
    """
    with tempfile.TemporaryDirectory(prefix="catsweep-") as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        client.log_artifact(run_id, str(path))
