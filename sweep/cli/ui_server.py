"""The server of `catsweep ui`: MLflow's pages and what they read, on one home's store.

MLflow's own server lets everybody who reaches it write, and make experiments whose artifacts are wherever
they say: any file of the user who started it could be read and replaced. Here a request that is not known to
read is refused, and so is an artifact outside the home's folder of artifacts, whatever the store says.
"""

from __future__ import annotations

import logging
import os
import re
import socket
import warnings
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug.serving import BaseWSGIServer, make_server

from sweep.home import Home
from sweep.store.store import Store, StoreError

if TYPE_CHECKING:
    from flask import Flask
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

_PAGES = frozenset({"/", "/static-files/<path:path>", "/get-artifact", "/graphql", "/health", "/version"})
_REST = re.compile(r"/(?:ajax-)?api/\d\.0/mlflow/")
_READING = frozenset(
    {
        "artifacts/list",
        "experiments/get",
        "experiments/get-by-name",
        "experiments/search",
        "experiments/search-datasets",
        "logged-models/search",
        "metrics/get-history",
        "metrics/get-history-bulk",
        "metrics/get-history-bulk-interval",
        "model-versions/search",
        "registered-models/search",
        "runs/get",
        "runs/search",
        "server-info",
    }
)
"""What the pages ask MLflow's REST API for; GraphQL, which some of them use, has nothing that writes."""


def ui_server(home: Home, host: str, port: int) -> BaseWSGIServer:
    """Return the server, which listens already.

    Args:
        home: Whose store and artifacts are shown.
        host: Address to listen on.
        port: Port to listen on.

    Raises:
        StoreError: If the store cannot be used, or another program has the port.
    """
    Store(home).check()
    with _listening(host, port) as listener:
        return make_server(host, port, _reading_app(home), threaded=True, fd=listener.fileno())


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = str(error.strerror).partition(" (")[0]
        raise StoreError(
            f"cannot listen on port {port} of {host}: {reason}; choose another with --port or --host"
        ) from None


def _reading_app(home: Home) -> Flask:
    from mlflow.store.artifact import artifact_repository_registry

    # As `mlflow server` tells its workers; with them MLflow checks too from which pages requests come.
    os.environ["_MLFLOW_SERVER_FILE_STORE"] = home.tracking_uri
    os.environ["_MLFLOW_SERVER_ARTIFACT_ROOT"] = home.artifacts.as_uri()
    from mlflow import server

    warnings.filterwarnings("ignore", module="mlflow")  # what its own libraries will no longer have
    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # no line for every request
    repositories = artifact_repository_registry.get_registered_artifact_repositories()
    repositories.clear()
    repositories.update(dict.fromkeys(("", "file"), partial(_own_artifacts, home.artifacts.resolve())))
    app: Flask = server.app
    app.before_request(_refuse_all_but_reading)
    return app


def _refuse_all_but_reading() -> tuple[dict[str, str], int] | None:
    from flask import request

    rule = request.url_rule.rule if request.url_rule else ""
    if not rule or rule in _PAGES or _REST.sub("", rule) in _READING:
        return None
    return {
        "error_code": "PERMISSION_DENIED",
        "message": "catsweep ui shows a store and changes nothing",
    }, 403


def _own_artifacts(
    root: Path, artifact_uri: str, tracking_uri: str | None = None, registry_uri: str | None = None
) -> LocalArtifactRepository:
    """Return what reads a run's artifacts; MLflow itself sees that none leads out of the run's folder."""
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import PERMISSION_DENIED
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    repository = LocalArtifactRepository(artifact_uri, tracking_uri, registry_uri)
    if not Path(repository.artifact_dir).resolve().is_relative_to(root):
        raise MlflowException(f"artifacts of this run are not in {root}", PERMISSION_DENIED)
    return repository
