from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
import torch

from trainables.checkpoint import CheckpointFolder


def _save(folder: CheckpointFolder, *epochs: int) -> None:
    for epoch in epochs:
        folder.save({"epoch": epoch, "weights": torch.full((1000,), float(epoch))}, epoch)


def test_newest_of_the_last_two_is_loaded(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "pack")
    _save(folder, 1, 2, 10)
    assert sorted(path.name for path in folder.path.iterdir()) == ["epoch-000002.pt", "epoch-000010.pt"]
    state = folder.load()
    assert state is not None
    assert state["epoch"] == 10


def test_no_checkpoint_is_no_state(tmp_path: Path) -> None:
    assert CheckpointFolder(tmp_path / "pack").load() is None


@pytest.mark.parametrize("damage", ["truncated", "empty", "garbage"])
def test_damaged_checkpoint_falls_back_to_the_one_before(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = CheckpointFolder(tmp_path / "pack")
    _save(folder, 1, 2)
    newest = folder.path / "epoch-000002.pt"
    content = newest.read_bytes()
    newest.write_bytes(
        {"truncated": content[: len(content) // 2], "empty": b"", "garbage": b"x" * 500}[damage]
    )
    with caplog.at_level(logging.WARNING):
        state = folder.load()
    assert state is not None
    assert state["epoch"] == 1
    assert len(caplog.records) == 1
    assert "epoch-000002.pt" in caplog.text


def test_checkpoint_that_would_run_code_is_not_unpickled(tmp_path: Path) -> None:
    class Attack:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path / 'owned'}",)

    folder = CheckpointFolder(tmp_path / "pack")
    folder.path.mkdir()
    torch.save({"epoch": Attack()}, folder.path / "epoch-000001.pt")
    assert folder.load() is None
    assert not (tmp_path / "owned").exists()


def test_left_over_of_a_killed_save_is_ignored(tmp_path: Path) -> None:
    folder = CheckpointFolder(tmp_path / "pack")
    _save(folder, 1)
    (folder.path / "epoch-000002.partial").write_bytes(b"half")
    state = folder.load()
    assert state is not None
    assert state["epoch"] == 1
