"""Artifacts of runs, read through MLflow: the sweep's spec and environment, the members' pictures."""

from __future__ import annotations

import json
import logging
import os
import tempfile
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from trainables.schema import (
    ENVIRONMENT_ARTIFACT,
    KIND_SWEEP,
    PICTURES_ARTIFACT,
    SPEC_ARTIFACT,
    TAG_KIND,
    experiment_names,
)
from trainables.store.database import sqlite_path

MOST_BYTES = 2**20
"""What is larger was not written by catsweep, and has no place on the page."""
_log = logging.getLogger(__name__)
_PNG = b"\x89PNG\r\n\x1a\n"


class Artifacts:
    """Artifacts of a store. One that is not there, or cannot be read, is none.

    Args:
        tracking_uri: The store. A SQLite file that does not exist has no artifacts and is not created.
    """

    def __init__(self, tracking_uri: str) -> None:
        self._tracking_uri = tracking_uri

    def picture(self, run_id: str) -> bytes | None:
        """Return the PNG of what a member has learned."""
        content = self._read(run_id, PICTURES_ARTIFACT)
        return content if content is not None and content.startswith(_PNG) else None

    def spec(self, run_id: str) -> str | None:
        """Return the spec as it was when the sweep last ran, as YAML."""
        content = self._read(run_id, SPEC_ARTIFACT)
        return None if content is None else content.decode(errors="replace")

    def environment(self, run_id: str) -> Mapping[str, Any]:
        """Return what a sweep was last run with: versions and machine; empty where that is not known."""
        content = self._read(run_id, ENVIRONMENT_ARTIFACT)
        try:
            found = json.loads(content or b"{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}

    def sweep_run(self, name: str) -> str | None:
        """Return the run of the sweep of this name."""
        if self._client is None:
            return None
        for candidate in experiment_names(name):
            experiment = self._client.get_experiment_by_name(candidate)
            if experiment is None:
                return None
            if experiment.lifecycle_stage == "active":
                break
        query = f"tags.`{TAG_KIND}` = '{KIND_SWEEP}'"
        found = self._client.search_runs([experiment.experiment_id], query, max_results=1)
        return str(found[0].info.run_id) if found else None

    @cached_property
    def _client(self) -> Any:
        path = sqlite_path(self._tracking_uri)
        if path is not None and not path.is_file():
            return None
        os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
        from mlflow import MlflowClient  # imports for seconds

        return MlflowClient(tracking_uri=self._tracking_uri)

    def _read(self, run_id: str, name: str) -> bytes | None:
        beside = self._beside_the_store(run_id, name)
        return self._download(run_id, name) if beside is None else _limited(beside)

    def _beside_the_store(self, run_id: str, name: str) -> Path | None:
        """Return the file of an artifact in the home whose store this is, wherever that was earlier."""
        store = sqlite_path(self._tracking_uri)
        if store is None:
            return None
        path = store.parent / "artifacts" / Path(run_id).name / "artifacts" / name
        return path if path.is_file() else None

    def _download(self, run_id: str, name: str) -> bytes | None:
        from mlflow.exceptions import MlflowException

        with tempfile.TemporaryDirectory(prefix="catsweep-") as folder:
            try:
                return _limited(Path(self._client.download_artifacts(run_id, name, folder)))
            except (MlflowException, OSError):
                return None
            except Exception as error:  # noqa: BLE001  of whatever library a store keeps its artifacts with
                _log.warning("artifact %s of run %s cannot be read: %s", name, run_id, error)
                return None


def _limited(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if path.stat().st_size <= MOST_BYTES else None
    except OSError:
        return None
