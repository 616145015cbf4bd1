from pathlib import Path

import pytest

from trainables.atomic_file import atomic_file, remove_unfinished, write_atomically


def test_file_appears_only_when_the_block_ends(tmp_path: Path) -> None:
    path = tmp_path / "data"
    with atomic_file(path) as file:
        file.write(b"new")
        file.flush()
        assert not path.exists()
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in tmp_path.iterdir()] == ["data"]


def test_failed_block_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "data"
    write_atomically(path, b"old")
    with pytest.raises(KeyboardInterrupt), atomic_file(path) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["data"]


def test_remains_of_killed_writers_are_removed_and_data_is_kept(tmp_path: Path) -> None:
    (tmp_path / ".data.0123.part").write_bytes(b"half")
    (tmp_path / ".pip.0123.part").mkdir()
    (tmp_path / ".pip.0123.part" / "wheel").write_bytes(b"half")
    for kept in ("data", "data.part", ".lock"):
        (tmp_path / kept).write_bytes(b"whole")
    remove_unfinished(tmp_path)
    assert sorted(entry.name for entry in tmp_path.iterdir()) == [".lock", "data", "data.part"]


def test_file_is_readable_by_whom_the_umask_admits(tmp_path: Path) -> None:
    path, ordinary = tmp_path / "data", tmp_path / "ordinary"
    write_atomically(path, b"new")
    ordinary.write_bytes(b"new")
    assert path.stat().st_mode == ordinary.stat().st_mode
