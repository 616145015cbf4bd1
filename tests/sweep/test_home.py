from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis.report.artifacts import Artifacts
from analysis.runs.frame import load_runs
from sweep.home import Home, HomeError
from sweep.search.storage import open_storage, storage_url
from sweep.store.store import Store
from tests.sweep.samples import Driver, record, spec_of
from trainables.schema import PICTURES_ARTIFACT


def test_flags_go_before_the_environment_and_that_before_the_default(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Home.resolve().path == own_folder / ".catsweep"
    monkeypatch.setenv("CATSWEEP_HOME", "of-environment")
    assert Home.resolve().path == own_folder / "of-environment"
    assert Home.resolve("of-flag").path == own_folder / "of-flag"


def test_the_store_is_the_homes_own_unless_another_is_named(
    own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Home.resolve("here").tracking_uri == f"sqlite:///{own_folder}/here/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://store")
    assert Home.resolve("here").tracking_uri == "http://store"
    assert Home.resolve("here", "http://other").tracking_uri == "http://other"


def test_a_home_below_the_users_folder_may_be_written_with_a_tilde(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    assert Home.resolve("~/sweeps").path == Path("/home/someone/sweeps")


@pytest.mark.parametrize(
    ("uri", "path"),
    [("sqlite:////a/b.db", Path("/a/b.db")), ("sqlite:///b.db", Path("b.db")), ("http://store", None)],
)
def test_only_an_sqlite_store_is_a_file(uri: str, path: Path | None) -> None:
    assert Home.resolve("here", uri).sqlite_path == path


def test_resolving_makes_nothing_and_making_folders_leaves_nothing_else(own_folder: Path) -> None:
    home = Home.resolve("here")
    assert list(own_folder.iterdir()) == []
    home.make_folders()
    home.make_folders()
    assert sorted(path.relative_to(own_folder) for path in own_folder.rglob("*")) == [
        Path("here"),
        Path("here/artifacts"),
        Path("here/checkpoints"),
        Path("here/data"),
    ]


@pytest.mark.parametrize(("taken", "reason"), [("here", "File exists"), ("here/data", "File exists")])
def test_a_folder_that_cannot_be_written_is_named_with_the_remedy(
    taken: str, reason: str, own_folder: Path
) -> None:
    path = own_folder / taken
    path.parent.mkdir(exist_ok=True)
    path.write_text("a file")
    with pytest.raises(HomeError) as caught:
        Home.resolve("here").make_folders()
    assert str(caught.value) == (
        f"{path} must be a folder that can be written ({reason}); "
        "choose another home with --home or CATSWEEP_HOME"
    )


def test_a_home_below_a_file_is_refused(own_folder: Path) -> None:
    (own_folder / "file").write_text("")
    with pytest.raises(
        HomeError, match=r"file/home must be a folder that can be written \(Not a directory\)"
    ):
        Home.resolve("file/home").make_folders()


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_a_new_home_is_its_users_alone_and_one_that_is_there_stays_as_open_as_it_is(
    own_folder: Path, open_umask: None
) -> None:
    Home.resolve("above/new").make_folders()
    assert (mode(own_folder / "above"), mode(own_folder / "above" / "new")) == (0o755, 0o700)
    shared = own_folder / "shared"
    shared.mkdir(mode=0o755)
    Home.resolve("shared").make_folders()
    assert (mode(shared), mode(shared / "artifacts")) == (0o755, 0o755)


@pytest.mark.parametrize("name", ["a%20b", "a?b=c", "a#b", "a b ü ☃"])
def test_a_home_is_the_same_folder_to_everybody_whatever_its_name(
    name: str, own_folder: Path, empty_store_file: Path
) -> None:
    home = Home.resolve(own_folder / name)
    home.make_folders()
    shutil.copy(empty_store_file, home.path / "mlflow.db")
    picture = b"\x89PNG\r\n\x1a\n of a member"
    driver = Driver(spec_of(seeds=1), home)
    (pack,) = driver.plan.packs
    driver.train(pack, record(1, 110.0), record(2, 100.0))
    driver.settle()
    driver.tracker.log_pictures(pack, [picture])
    driver.tracker.close(is_complete=True)

    assert Driver(spec_of(seeds=1), home).plan.packs == ()  # nothing is trained again
    (stored,) = Store(home).members().values()
    assert list(load_runs(home.tracking_uri)["run_id"]) == [stored.run_id]
    (kept,) = home.artifacts.rglob(PICTURES_ARTIFACT)
    assert kept.read_bytes() == Artifacts(home.tracking_uri).picture(stored.run_id) == picture
    assert open_storage(home, is_made=True) is not None
    assert storage_url(home).database == str(home.path / "optuna.db")
    assert (home.path / "optuna.db").is_file()
    assert [path.name for path in own_folder.iterdir()] == [name]


def test_homes_whose_names_decode_to_one_another_share_nothing(own_folder: Path) -> None:
    encoded, decoded = Home.resolve("a%20b"), Home.resolve("a b")
    assert encoded.sqlite_path != decoded.sqlite_path
    assert encoded.artifacts.as_uri() != decoded.artifacts.as_uri()
