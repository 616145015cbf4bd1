from __future__ import annotations

from pathlib import Path

import pytest

from sweep.home import Home, HomeError


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
