from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sweep.home import Home
from tests.sweep.conftest import Answer

Command = Callable[..., Answer]


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], str]]:
    """The programs that were started in place of this one, and the stores that they were told of."""
    programs: list[tuple[list[str], str]] = []

    def become(path: str, arguments: list[str], environment: dict[str, str]) -> None:
        programs.append(([path, *arguments], environment["MLFLOW_BACKEND_STORE_URI"]))

    monkeypatch.setattr(os, "execve", become)
    return programs


def test_it_becomes_mlflows_server_on_this_machine_only(
    catsweep: Command, home: Home, started: list[tuple[list[str], str]]
) -> None:
    answer = catsweep("ui", "--home", home.path, "--port", "5123")
    assert answer == Answer(0, "", "MLflow UI on http://127.0.0.1:5123 (Ctrl-C ends it)\n")
    server = ["server", "--host", "127.0.0.1", "--port", "5123", "--workers", "1"]
    assert started == [([sys.executable, sys.executable, "-m", "mlflow", *server], home.tracking_uri)]


def test_a_store_that_is_not_there_is_not_made(
    catsweep: Command, own_folder: Path, started: list[tuple[list[str], str]]
) -> None:
    assert catsweep("ui") == Answer(
        2,
        "",
        f"error: there is no store at {own_folder}/.catsweep/mlflow.db yet; "
        "run a sweep first: catsweep run SPEC\n",
    )
    assert (started, list(own_folder.iterdir())) == ([], [])


def test_a_server_has_a_ui_of_its_own(catsweep: Command, started: list[tuple[list[str], str]]) -> None:
    assert catsweep("ui", "--tracking-uri", "http://store:5000") == Answer(
        2, "", "error: the store is a server, which has a UI of its own: open http://store:5000\n"
    )
    assert started == []
