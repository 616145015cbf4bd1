"""Undisturbed sweeps, homes for disturbed ones, and servers; all of it is gone after the tests."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from tests.chaos.recorded import check_recorded
from tests.chaos.servers import MlflowServer
from tests.chaos.sweeps import Command, Sweep

TIMEOUT_SECONDS = 1800

Drive = Callable[..., Command]
"""Starts a command of a sweep; what is left of it after the test is ended."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give the tests of this folder time where other work is on the machine."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(TIMEOUT_SECONDS))


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A folder for Ray, which keeps sockets there: their paths must be short."""
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def sweep_in(mnist_folder: Path, scratch: Path, empty_store_file: Path) -> Callable[..., Sweep]:
    """Return a function that makes a sweep in a new home, whose store has its tables."""

    def make(home: Path, **options: Any) -> Sweep:
        home.mkdir()
        (home / "data").symlink_to(mnist_folder, target_is_directory=True)
        shutil.copy(empty_store_file, home / "mlflow.db")
        own = {"RAY_TMPDIR": str(scratch), "TMPDIR": str(scratch)}
        sweep = Sweep(home, **{**options, "environment": {**own, **options.get("environment", {})}})
        sweep.write_spec()
        return sweep

    return make


@pytest.fixture(scope="session")
def undisturbed(
    sweep_in: Callable[..., Sweep], tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Callable[[Sequence[str]], Sweep]:
    """Return a function that gives the sweep of some estimators that nothing happened to.

    It is run once, by the first of the processes that test side by side.
    """
    own = tmp_path_factory.getbasetemp()
    of_all_processes = own if worker_id == "master" else own.parent

    @cache
    def run(estimators: Sequence[str]) -> Sweep:
        home = of_all_processes / f"undisturbed-{'-'.join(estimators)}"
        with FileLock(f"{home}.lock"):
            if home.exists():
                sweep = Sweep(home, estimators=tuple(estimators))
                assert sweep.recorded().sweep_status == "FINISHED", "it failed in another process"
                return sweep
            sweep = sweep_in(home, estimators=estimators)
            command = sweep.start()
            try:
                command.finish()
            finally:
                command.clean_up()
        return sweep

    return run


@pytest.fixture
def sweep(sweep_in: Callable[..., Sweep], tmp_path: Path) -> Sweep:
    """A sweep with a store of its own."""
    return sweep_in(tmp_path / "home")


@pytest.fixture
def drive() -> Iterator[Drive]:
    commands: list[Command] = []

    def start(sweep: Sweep, name: str = "run", *options: str) -> Command:
        commands.append(sweep.start(name, *options))
        return commands[-1]

    yield start
    for command in commands:
        command.clean_up()


@pytest.fixture
def server(tmp_path: Path, empty_store_file: Path) -> Iterator[MlflowServer]:
    """A running MLflow server with an empty SQLite store."""
    folder = tmp_path / "server"
    folder.mkdir()
    shutil.copy(empty_store_file, folder / "mlflow.db")
    server = MlflowServer(folder, f"sqlite:///{folder / 'mlflow.db'}")
    server.start()
    yield server
    server.kill()


@pytest.fixture
def served_sweep(sweep: Sweep, server: MlflowServer) -> Sweep:
    """A sweep that writes to the server."""
    return replace(sweep, tracking_uri=server.uri, database=server.database)


@pytest.fixture
def check_equals_undisturbed(undisturbed: Callable[[Sequence[str]], Sweep]) -> Callable[[Sweep], None]:
    """Return a function that fails unless a sweep shows no trace of what happened to it."""

    def check(sweep: Sweep) -> None:
        check_recorded(sweep.recorded(), undisturbed(sweep.estimators).recorded())
        assert list(sweep.checkpoints.iterdir()) == []

    return check
