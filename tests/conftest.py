"""What the tests of all four packages share."""

import os
from pathlib import Path

import pytest
from filelock import FileLock

from trainables.data import fetch

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
