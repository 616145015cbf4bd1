"""What the tests of all four packages share."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest
from filelock import FileLock

from trainables.data import fetch

if TYPE_CHECKING:
    from tests.chaos.servers import PostgresServer

REPOSITORY = Path(__file__).resolve().parent.parent

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"


@pytest.fixture(scope="session")
def mnist_folder() -> Path:
    """A data folder with the real, verified MNIST, kept between runs where `catsweep` itself keeps it.

    Fetched on first use, which needs a network; CATSWEEP_TEST_DATA names another folder.
    """
    folder = Path(os.environ.get("CATSWEEP_TEST_DATA") or REPOSITORY / ".catsweep" / "data")
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".tests.lock"):  # tests run in several processes
        fetch("mnist", folder)
    return folder.absolute()


@pytest.fixture(scope="session")
def empty_store_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an SQLite store without runs, to be copied, since making one takes seconds."""
    from mlflow import MlflowClient

    path = tmp_path_factory.mktemp("template") / "mlflow.db"
    MlflowClient(f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    """A running PostgreSQL server."""
    from tests.chaos.servers import PostgresServer, postgres_programs

    if postgres_programs() is None or psutil.Process().username() != "root":
        pytest.skip("needs PostgreSQL's programs, and root, who may start them as another user")
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))  # pytest's folders are closed to other users
    server = PostgresServer(folder)
    server.start()
    yield server
    server.kill()
    shutil.rmtree(folder)
