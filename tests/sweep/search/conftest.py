"""Searches in homes of their own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import optuna
import pytest

from sweep.home import Home
from sweep.search.storage import STORAGE_VARIABLE
from sweep.spec.sweep_spec import Spec
from tests.sweep.search.samples import Lab, search_of


@pytest.fixture(autouse=True)
def own_studies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Studies are where the home says."""
    monkeypatch.delenv(STORAGE_VARIABLE, raising=False)


@pytest.fixture(scope="session")
def empty_study_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite file with Optuna's tables and no study."""
    path = tmp_path_factory.mktemp("optuna") / "optuna.db"
    optuna.storages.RDBStorage(f"sqlite:///{path}")
    return path


@pytest.fixture
def lab(tmp_path: Path, empty_study_file: Path) -> Callable[..., Lab]:
    """Return a function that makes a search, by default of four trials, in one home."""

    def make(spec: Spec | None = None, **changes: object) -> Lab:
        home = Home.resolve(tmp_path / "home")
        home.make_folders()
        return Lab(spec or search_of(**changes), home, {}, empty_study_file)  # type: ignore[arg-type]

    return make
