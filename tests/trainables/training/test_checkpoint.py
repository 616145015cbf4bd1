from __future__ import annotations

import errno
import hashlib
import io
import os
import resource
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch

from trainables.training.checkpoint import MARK, CheckpointFolder

NUM_WEIGHTS = 1000


class Folder(CheckpointFolder):
    """A folder that keeps what it says, and gives back the state itself."""

    def __init__(self, path: Path) -> None:
        self.said: list[str] = []
        super().__init__(path, self.said.append)

    def save_all(self, *epochs: int, num_weights: int = NUM_WEIGHTS) -> None:
        for epoch in epochs:
            self.save({"epoch": epoch, "weights": torch.full((num_weights,), float(epoch))}, epoch)

    def epoch(self, accept: Callable[[Any], None] = lambda state: None) -> int | None:
        """Return the epoch of the state from which training would go on, none where it would start anew."""

        def start(state: Any) -> int | None:
            if state is None:
                return None
            accept(state)
            assert torch.equal(state["weights"], torch.full_like(state["weights"], float(state["epoch"])))
            return int(state["epoch"])

        return self.resume(start)

    @property
    def names(self) -> list[str]:
        return sorted(path.name for path in self.path.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "pack")


def sealed(content: bytes) -> bytes:
    """Return the content with its checksum, as whoever knows the format could write it."""
    return content + MARK + hashlib.sha256(content).digest()


def saved(state: object) -> bytes:
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def test_newest_of_the_last_two_is_used(folder: Folder) -> None:
    folder.save_all(1, 2, 10)
    assert folder.names == ["epoch-000002.pt", "epoch-000010.pt"]
    assert (folder.epoch(), folder.said) == (10, [])


def test_no_checkpoint_is_no_state(folder: Folder) -> None:
    assert (folder.epoch(), folder.said) == (None, [])


def test_checkpoint_can_be_opened_by_hand(folder: Folder) -> None:
    folder.save_all(1)
    assert torch.load(folder.path / "epoch-000001.pt", weights_only=True)["epoch"] == 1


def is_passed_over(folder: Folder, content: bytes, reason: str) -> bool:
    """Whether the newest of two checkpoints, with this content, is passed over with one line."""
    newest = folder.path / "epoch-000002.pt"
    newest.write_bytes(content)
    fresh = Folder(folder.path)
    line = f"checkpoint {newest} cannot be used ({reason}); the one before is used"
    return fresh.epoch() == 1 and fresh.said == [line]


NO_CHECKSUM = "it has no checksum at its end"
WRONG_CHECKSUM = "its content does not have its checksum"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda content: b"", NO_CHECKSUM),
        (lambda content: b"x" * 500, NO_CHECKSUM),
        (lambda content: bytes(len(content)), NO_CHECKSUM),
        (lambda content: content[: len(content) // 2].ljust(len(content), b"\0"), NO_CHECKSUM),
        (lambda content: content + b"\n", NO_CHECKSUM),
        (lambda content: b"\0" * 4096 + content[4096:], WRONG_CHECKSUM),
        (lambda content: content[4096:], WRONG_CHECKSUM),
        (lambda content: saved({"epoch": 2, "weights": torch.zeros(3)}), NO_CHECKSUM),
        (lambda content: sealed(b"no archive"), None),
        (lambda content: sealed(saved([1, 2])), "it holds list, not a state"),
    ],
    ids=[
        "empty",
        "garbage",
        "zeros after a power cut",
        "second half of zeros",
        "a byte more",
        "first block of zeros",
        "first block lost",
        "of a version without checksum",
        "no archive",
        "no state",
    ],
)
def test_damaged_checkpoint_falls_back_to_the_one_before(
    folder: Folder, change: Callable[[bytes], bytes], reason: str | None
) -> None:
    folder.save_all(1, 2)
    newest = folder.path / "epoch-000002.pt"
    newest.write_bytes(change(newest.read_bytes()))
    assert folder.epoch() == 1
    (line,) = folder.said
    assert line.startswith(f"checkpoint {newest} cannot be used (")
    assert line.endswith("); the one before is used")
    assert reason is None or f"({reason})" in line


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.slow), 13])
def test_checkpoint_cut_off_at_any_byte_falls_back(step: int, folder: Folder) -> None:
    folder.save_all(1, 2, num_weights=4)
    content = (folder.path / "epoch-000002.pt").read_bytes()
    for size in range(0, len(content), step):
        assert is_passed_over(folder, content[:size], NO_CHECKSUM)


@pytest.mark.parametrize("step", [pytest.param(1, marks=pytest.mark.slow), 13])
def test_checkpoint_with_any_byte_changed_falls_back(step: int, folder: Folder) -> None:
    folder.save_all(1, 2, num_weights=4)
    content = (folder.path / "epoch-000002.pt").read_bytes()
    start_of_mark = content.index(MARK)
    for place in range(0, len(content), step):
        changed = bytearray(content)
        changed[place] ^= 1
        in_mark = start_of_mark <= place < start_of_mark + len(MARK)
        reason = NO_CHECKSUM if in_mark else WRONG_CHECKSUM
        assert is_passed_over(folder, bytes(changed), reason)


def test_without_the_checksum_a_changed_weight_would_not_be_noticed() -> None:
    content = bytearray(saved({"weights": torch.full((NUM_WEIGHTS,), 2.0)}))
    place = content.index(torch.full((NUM_WEIGHTS,), 2.0).numpy().tobytes())
    content[place] ^= 1
    state = torch.load(io.BytesIO(bytes(content)), weights_only=True)
    assert state["weights"][0] != 2.0


def test_checkpoint_that_would_run_code_is_not_unpickled(folder: Folder, tmp_path: Path) -> None:
    class Attack:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {tmp_path / 'owned'}",)

    folder.path.mkdir()
    (folder.path / "epoch-000001.pt").write_bytes(sealed(saved({"epoch": Attack()})))
    assert folder.epoch() is None
    assert not (tmp_path / "owned").exists()
    (line,) = folder.said
    assert "Weights only load failed" in line
    assert line.endswith("; training starts anew")


def refuse(*epochs: int) -> Callable[[Any], None]:
    def accept(state: Any) -> None:
        if state["epoch"] in epochs:
            raise ValueError(f"epoch {state['epoch']} is of other members")

    return accept


def test_state_that_training_refuses_falls_back_to_the_one_before(folder: Folder) -> None:
    folder.save_all(1, 2)
    assert folder.epoch(refuse(2)) == 1
    assert folder.said == [
        f"checkpoint {folder.path}/epoch-000002.pt cannot be used (epoch 2 is of other members); "
        "the one before is used"
    ]


def test_where_none_can_be_used_training_starts_anew_and_its_checkpoints_are_kept(folder: Folder) -> None:
    folder.save_all(8, 9)
    for name in folder.names:
        (folder.path / name).write_bytes(b"damaged")
    assert folder.epoch() is None
    assert [line.rpartition("; ")[2] for line in folder.said] == [
        "the one before is used",
        "training starts anew",
    ]
    # Were the damaged ones counted among the two that are kept, each new one would be deleted at once.
    folder.save_all(1, 2, 3)
    assert folder.names == [f"epoch-00000{epoch}.pt" for epoch in (2, 3, 8, 9)]
    assert Folder(folder.path).epoch() == 3
    folder.save_all(*range(4, 11))
    assert folder.names == ["epoch-000009.pt", "epoch-000010.pt"]


def test_an_error_of_a_start_without_a_state_is_not_hidden(folder: Folder) -> None:
    def start(state: object) -> None:
        raise ValueError("no such estimator")

    folder.save_all(1)
    with pytest.raises(ValueError, match="no such estimator"):
        folder.resume(start)


@contextmanager
def disk_of(num_bytes: int) -> Iterator[None]:
    """Have the system refuse what makes a file longer than this, in the middle of a write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_full_disk_is_said_once_and_leaves_what_is_there(folder: Folder) -> None:
    folder.save_all(1, 2)
    with disk_of(2000):
        folder.save_all(3, 4)
    assert folder.names == ["epoch-000001.pt", "epoch-000002.pt"]
    assert folder.said == [
        f"checkpoint {folder.path}/epoch-000003.pt cannot be written (File too large); "
        "training goes on, and tries again after the next epoch"
    ]
    folder.save_all(5)
    assert folder.names == ["epoch-000002.pt", "epoch-000005.pt"]
    assert folder.epoch() == 5
    with disk_of(2000):
        folder.save_all(6)
    assert len(folder.said) == 2


def refuse_to_sync(monkeypatch: pytest.MonkeyPatch, refused: Callable[[int], bool], code: int) -> None:
    real = os.fsync

    def fsync(handle: int) -> None:
        if refused(os.fstat(handle).st_mode):
            raise OSError(code, os.strerror(code))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_checkpoint_that_does_not_reach_the_disk_does_not_count(
    folder: Folder, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.save_all(1)
    refuse_to_sync(monkeypatch, stat.S_ISREG, code)
    folder.save_all(2)
    assert folder.names == ["epoch-000001.pt"]
    assert f"({os.strerror(code)})" in folder.said[0]


def test_file_system_that_cannot_sync_folders_will_do(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_to_sync(monkeypatch, stat.S_ISDIR, errno.EINVAL)
    folder.save_all(1)
    assert (folder.epoch(), folder.said) == (1, [])


def test_content_is_on_the_disk_before_the_name_and_the_name_before_the_old_ones_go(
    folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.save_all(1, 2)
    real, synced = os.fsync, []

    def fsync(handle: int) -> None:
        kind = "folder" if stat.S_ISDIR(os.fstat(handle).st_mode) else "file"
        synced.append((kind, [name for name in folder.names if not name.startswith(".")]))
        real(handle)

    monkeypatch.setattr(os, "fsync", fsync)
    folder.save_all(3)
    one, two, three = (f"epoch-00000{epoch}.pt" for epoch in (1, 2, 3))
    assert synced == [("file", [one, two]), ("folder", [one, two, three])]
    assert folder.names == [two, three]


def test_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    folder = Folder(tmp_path / "file" / "pack")
    folder.save_all(1)
    assert folder.said[0].startswith(
        f"checkpoint {tmp_path}/file/pack/epoch-000001.pt cannot be written (Not"
    )
    assert folder.epoch() is None


def test_left_over_of_a_killed_save_is_not_read_and_goes_with_the_next(folder: Folder) -> None:
    folder.save_all(1)
    left_over = folder.path / ".epoch-000002.pt.0123abcd.part"
    left_over.write_bytes(b"half")
    assert folder.epoch() == 1
    folder.save_all(2)
    assert left_over.exists()  # it may be of another process that writes the same epoch at this moment
    folder.save_all(3)
    assert not left_over.exists()


def test_planted_link_is_neither_read_nor_written_through(folder: Folder, tmp_path: Path) -> None:
    other = Folder(tmp_path / "other")
    other.save_all(9)
    victim = other.path / "epoch-000009.pt"
    before = victim.read_bytes()
    folder.save_all(1)
    (folder.path / "epoch-000002.pt").symlink_to(victim)
    assert folder.epoch() == 1
    assert "(it is no regular file)" in folder.said[0]
    folder.save_all(2)
    assert not (folder.path / "epoch-000002.pt").is_symlink()
    assert victim.read_bytes() == before
    assert folder.epoch() == 2


def test_planted_pipe_does_not_stop_it(folder: Folder) -> None:
    folder.save_all(1)
    os.mkfifo(folder.path / "epoch-000002.pt")
    assert folder.epoch() == 1


def test_planted_folder_does_not_stop_it(folder: Folder) -> None:
    (folder.path / "epoch-000000.pt").mkdir(parents=True)
    folder.save_all(1, 2, 3)
    assert folder.epoch() == 3
    (folder.path / "epoch-000009.pt").mkdir()
    assert Folder(folder.path).epoch() == 3


def test_removal_does_not_follow_links(folder: Folder, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "precious").write_text("")
    folder.save_all(1)
    (folder.path / "link").symlink_to(other)
    folder.remove()
    assert not folder.path.exists()
    folder.path.symlink_to(other)
    folder.remove()
    assert (other / "precious").exists()
