"""What the tests of all four packages share."""

import os
from pathlib import Path

import pytest

from trainables.data import fetch

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def mnist_folder() -> Path:
    """A data folder with the real, verified MNIST, kept between runs where `catsweep` itself keeps it.

    Fetched on first use, which needs a network; CATSWEEP_TEST_DATA names another folder.
    """
    folder = Path(os.environ.get("CATSWEEP_TEST_DATA") or REPOSITORY / ".catsweep" / "data")
    fetch("mnist", folder)
    return folder.absolute()
