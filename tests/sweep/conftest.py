"""Homes with a real SQLite store, and the real command called in this process."""

from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sweep.home import Home
from sweep.spec.sweep_spec import Spec
from tests.sweep.samples import Driver


@dataclass(frozen=True)
class Answer:
    """What a command gave back."""

    status: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def own_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Every test works in a folder of its own, whatever the environment says."""
    for name in ("CATSWEEP_HOME", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(
        "sweep.planning.quick_timing.SECONDS", 0
    )  # a plan of which nothing is known does not wait
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def catsweep(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Return a function that runs the command with these arguments, as its entry point does."""
    from sweep.cli import main

    def run(*words: object) -> Answer:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["catsweep", *map(str, words)])
        status = 0
        try:
            main()
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else int(end.code is not None)
        return Answer(status, *capsys.readouterr())

    return run


@pytest.fixture
def home(tmp_path: Path, empty_store_file: Path) -> Home:
    """A home whose store is there and has no runs."""
    place = Home.resolve(tmp_path / "home")
    place.make_folders()
    shutil.copy(empty_store_file, place.path / "mlflow.db")
    return place


@pytest.fixture
def drive(home: Home) -> Callable[..., Driver]:
    """Return a function that starts a driver for a spec on the home's store; earlier ones have written."""
    drivers: list[Driver] = []

    def start(spec: Spec, **options: Any) -> Driver:
        for earlier in drivers:
            earlier.outbox.settle(10)
        drivers.append(Driver(spec, home, **options))
        return drivers[-1]

    return start


@pytest.fixture
def unused_port() -> int:
    """A port of this machine where nobody answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
