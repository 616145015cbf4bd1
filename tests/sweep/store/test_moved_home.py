"""A copied or moved home is a home: it keeps its artifacts, and nothing is written where it was."""

from __future__ import annotations

import base64
import shutil
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest

from sweep.home import Home
from sweep.store.moved_home import former_places, settle
from sweep.store.store import Store
from tests.sweep.conftest import Answer
from tests.sweep.samples import SPEC_TEXT, Driver, record, rows, spec_of

Command = Callable[..., Answer]
PNG = b"\x89PNG\r\n\x1a\n"


def train(driver: Driver) -> None:
    """Train every pack of a plan; a member's picture holds its seed."""
    for pack in driver.plan.packs:
        last = record(2, *(100.0 + member.seed for member in pack.members))
        driver.tracker.start(pack)
        driver.tracker.log(pack, [last])
        driver.tracker.log_pictures(pack, [PNG + f"{member.seed}".encode() for member in pack.members])
        driver.tracker.finish(pack, last)
    driver.tracker.close(is_complete=True)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def places(home: Home) -> list[str]:
    uris = (
        "select artifact_uri from runs union select artifact_location from experiments where name = 'small'"
    )
    return [uri for (uri,) in rows(home, uris)]


@pytest.fixture
def used(home: Home) -> Home:
    """A home with a finished seed, whose picture its store has."""
    train(Driver(spec_of(seeds=1), home))
    Path("grid.yaml").write_text(SPEC_TEXT.replace("seeds: 2", "seeds: 1"))
    return home


@pytest.fixture(params=["copied", "moved"])
def elsewhere(request: pytest.FixtureRequest, used: Home, tmp_path: Path) -> Home:
    """The same home at another place; one that was copied is still there too."""
    target = tmp_path / "another place"
    (shutil.copytree if request.param == "copied" else shutil.move)(used.path, target)
    return Home.resolve(target)


def test_a_home_that_is_elsewhere_has_its_pictures_and_writes_nothing_where_it_was(
    elsewhere: Home, used: Home, catsweep: Command
) -> None:
    before = files(used.path)
    options = ("grid.yaml", "--home", elsewhere.path)
    assert catsweep("report", *options, "--out", "before.html").status == 0
    answer = catsweep("run", *options)
    assert answer.status == 0, answer.err
    moved = (
        f"moved or copied: artifacts that were in {used.artifacts.as_uri()} are in {elsewhere.artifacts} now"
    )
    assert answer.err.count(moved) == 1
    assert "moved or copied" not in catsweep("run", *options).err
    driver = Driver(spec_of(seeds=2), elsewhere)
    train(driver)
    assert all(place.startswith(elsewhere.artifacts.as_uri()) for place in places(elsewhere))
    assert catsweep("report", *options, "--out", "after.html").status == 0
    picture = base64.b64encode(PNG + b"0").decode()
    assert picture in Path("before.html").read_text()
    assert picture in Path("after.html").read_text()
    run = driver.run_of(driver.plan.members[1]).info.run_id
    assert (elsewhere.artifacts / run / "artifacts" / "pictures.png").read_bytes() == PNG + b"1"
    assert files(used.path) == before
    assert used.path.exists() == bool(before)


def test_two_copies_of_a_home_in_one_notebook_do_not_write_to_each_other(
    used: Home, tmp_path: Path, catsweep: Command
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(used.path, copy)
    for home in (copy, used.path, copy):
        specs = {place: next((place / "artifacts").glob("*/*/spec.yaml")) for place in (copy, used.path)}
        for spec in specs.values():
            spec.write_text("old")
        assert catsweep("run", "grid.yaml", "--home", home).status == 0
        assert [place for place, spec in specs.items() if spec.read_text() != "old"] == [home]


def test_the_ui_is_told_where_the_artifacts_are_now(
    elsewhere: Home, catsweep: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sweep.cli.ui_server.ui_server", mock.Mock())
    assert "moved or copied" in catsweep("ui", "--home", elsewhere.path).err
    assert former_places(elsewhere) == []


def test_artifacts_of_others_and_of_a_home_reached_by_another_path_stay_where_they_are(
    used: Home, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(used.path, target_is_directory=True)
    assert former_places(Home.resolve(link)) == []
    other = Home(tmp_path / "other", used.tracking_uri)  # a second home with the same store
    other.make_folders()
    train(Driver(spec_of(seeds=[5], name="other"), other))
    client = Store(used).client
    theirs = client.create_experiment("theirs", artifact_location=(tmp_path / "theirs").as_uri())
    client.create_run(theirs)
    before = places(used)
    for home in (used, other):
        settle(home, pytest.fail)
    assert places(used) == before


def test_a_store_of_its_own_follows_a_home_that_is_gone_from_where_it_was(used: Home, tmp_path: Path) -> None:
    """As a PostgreSQL database, which does not move with the home."""
    store = Path(shutil.copy(used.path / "mlflow.db", tmp_path / "database.db"))
    target, uri = tmp_path / "target", f"sqlite:///{store}"
    shutil.copytree(used.path, target)
    said: list[str] = []
    settle(Home(target, uri), said.append)  # copied: the store is of the home that is still there
    assert said == []
    shutil.rmtree(used.path)
    settle(Home(target, uri), said.append)
    assert len(said) == 1
    assert former_places(Home(target, uri)) == []
