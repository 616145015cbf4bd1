from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tests.sweep.conftest import Answer

Command = Callable[..., Answer]


def test_data_that_are_there_are_verified_check_by_check(
    catsweep: Command, own_folder: Path, mnist_folder: Path
) -> None:
    Path("home").mkdir()
    Path("home/data").symlink_to(mnist_folder, target_is_directory=True)
    answer = catsweep("data", "verify", "mnist", "--home", "home")
    assert answer.status == 0
    lines = answer.out.splitlines()
    assert len(lines) >= 4
    assert {line.split(" ")[0] for line in lines} == {"ok"}
    fetched = catsweep("data", "fetch", "mnist", "--home", "home")
    assert fetched == Answer(0, f"{own_folder}/home/data/mnist\n", "")


def test_data_that_are_not_there_are_wrong(catsweep: Command, own_folder: Path) -> None:
    answer = catsweep("data", "verify", "mnist", "--home", "home")
    assert answer.status == 1
    assert "WRONG" in answer.out
    assert list(own_folder.iterdir()) == []


def test_an_unknown_dataset_is_answered_with_what_is_allowed(catsweep: Command) -> None:
    for command in ("fetch", "verify"):
        answer = catsweep("data", command, "mnst", "--home", "home")
        assert (answer.status, answer.out) == (2, "")
        assert answer.err.startswith("error: ")
        assert "mnst" in answer.err
        assert "fashion_mnist" in answer.err


def test_a_source_that_does_not_exist_is_named(catsweep: Command) -> None:
    answer = catsweep("data", "fetch", "mnist", "--from", "nowhere", "--home", "home")
    assert (answer.status, answer.out) == (2, "")
    assert "nowhere for mnist does not exist" in answer.err


def test_a_home_that_cannot_be_written_is_named(catsweep: Command, own_folder: Path) -> None:
    (own_folder / "file").write_text("")
    answer = catsweep("data", "fetch", "mnist", "--home", "file/home")
    assert answer.status == 2
    assert answer.err.startswith(f"error: {own_folder}/file/home must be a folder that can be written")
