from __future__ import annotations

import sqlite3
from pathlib import Path

import optuna
import pytest

from sweep.home import Home
from sweep.search.storage import STORAGE_VARIABLE, open_storage, storage_url
from sweep.store.store import Store, StoreError


def home_of(tmp_path: Path, tracking_uri: str | None = None) -> Home:
    return Home.resolve(tmp_path / "home", tracking_uri)


@pytest.mark.parametrize(
    "uri", [None, "sqlite:////elsewhere/mlflow.db", "http://server:5000", "mysql://host/db"]
)
def test_a_study_is_in_a_file_of_the_home(uri: str | None, tmp_path: Path) -> None:
    url = storage_url(home_of(tmp_path, uri))
    assert str(url) == f"sqlite:///{tmp_path / 'home' / 'optuna.db'}"


@pytest.mark.parametrize("driver", ["postgresql", "postgresql+psycopg"])
def test_a_study_has_a_schema_of_its_own_in_a_postgresql_store(driver: str, tmp_path: Path) -> None:
    url = storage_url(home_of(tmp_path, f"{driver}://user:se%40cret@host:5432/runs?sslmode=require"))
    assert (url.drivername, url.host, url.database, url.password) == (driver, "host", "runs", "se@cret")
    assert dict(url.query) == {"sslmode": "require", "options": "-csearch_path=catsweep_study"}


def test_the_environment_says_where_before_anything_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STORAGE_VARIABLE, f"sqlite:///{tmp_path / 'shared.db'}")
    home = home_of(tmp_path, "http://server:5000")
    assert str(storage_url(home)) == f"sqlite:///{tmp_path / 'shared.db'}"
    assert open_storage(home, is_made=False) is None
    assert open_storage(home, is_made=True) is not None
    assert open_storage(home, is_made=False) is not None
    assert (tmp_path / "shared.db").is_file()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("not a url", f"{STORAGE_VARIABLE} must be an SQLAlchemy URL, such as sqlite:////shared/optuna.db"),
        ("sqlite:////no/such/folder/x.db", "study storage sqlite:////no/such/folder/x.db cannot be used: "),
        ("nosuchdb://host/x", "study storage nosuchdb://host/x cannot be used: "),
    ],
)
def test_a_storage_that_cannot_be_used_is_named(
    given: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(STORAGE_VARIABLE, given)
    with pytest.raises(StoreError) as caught:
        open_storage(home_of(tmp_path), is_made=True)
    assert str(caught.value).startswith(expected)
    assert STORAGE_VARIABLE in str(caught.value)


def test_optuna_and_mlflow_refuse_to_share_a_database(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason for a database of its own, seen on the installed versions."""
    monkeypatch.setenv(STORAGE_VARIABLE, home.tracking_uri)
    with pytest.raises(StoreError, match="no longer compatible with the table schema"):
        open_storage(home, is_made=True)


def test_study_and_store_are_used_side_by_side(home: Home) -> None:
    storage = open_storage(home, is_made=True)
    assert storage is not None
    optuna.create_study(storage=storage, study_name="one")
    Store(home).check()
    with sqlite3.connect(home.path / "optuna.db") as file:
        tables = {name for (name,) in file.execute("select name from sqlite_master where type = 'table'")}
    assert "studies" in tables
    assert "experiments" not in tables
