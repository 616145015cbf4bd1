"""Checkpoints of packs: written atomically with a checksum, the last two kept, read without unpickling code.

A checkpoint is what `torch.save` writes, followed by `MARK` and its SHA-256. `torch.load` does not look at
the checksums of the archive that it reads, so that without this one training would go on from flipped bits.
"""

from __future__ import annotations

import hashlib
import io
import logging
import pickle
import shutil
import stat
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from trainables.atomic_file import UNFINISHED, atomic_file
from trainables.error_reason import reason_of

NUM_KEPT = 2
MARK = b"catsweep checkpoint, SHA-256 of what is before this line:\n"

_TRAILER_BYTES = len(MARK) + hashlib.sha256().digest_size
_log = logging.getLogger(__name__)

Started = TypeVar("Started")
State = Mapping[str, Any]


class CheckpointFolder:
    """The checkpoints of one pack.

    Nothing that happens to them ends a training: what cannot be used or written is said, and passed over.

    Args:
        path: Folder of the pack; made when the first checkpoint is saved. Absolute, since Tune changes the
            working directory of trials.
        warn: Called with a line for the user.
    """

    def __init__(self, path: Path, warn: Callable[[str], None] = _log.warning) -> None:
        self.path = path
        self._warn = warn
        self._unusable: set[Path] = set()
        self._is_refused = False

    def save(self, state: State, epoch: int) -> None:
        """Write the state after an epoch so that it is either wholly there or not at all.

        Where the disk does not take it, that is said once, and the older checkpoints stay.
        """
        target = self.path / f"epoch-{epoch:06d}.pt"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with atomic_file(target) as file:
                for part in _encode(state):
                    file.write(part)
        except OSError as error:
            if not self._is_refused:
                self._warn(
                    f"checkpoint {target} cannot be written ({reason_of(error)}); training goes on, and "
                    f"tries again after the next epoch"
                )
            self._is_refused = True
            return
        self._is_refused = False
        self._unusable.discard(target)
        self._remove_old(target)

    def resume(self, start: Callable[[State | None], Started]) -> Started:
        """Return what `start` makes of the newest state that it can use, or of none.

        A state that cannot be used is said, and left where it is: neither overwritten before training has
        come as far again, nor counted among the two that are kept.

        Args:
            start: Starts from a state, or anew where it is given none.

        Raises:
            ValueError: If `start` raises it without a state.
        """
        for path in self._newest_first():
            try:
                return start(_read(path))
            except (OSError, ValueError) as error:
                self._unusable.add(path)
                follows = "the one before is used" if self._newest_first() else "training starts anew"
                self._warn(f"checkpoint {path} cannot be used ({reason_of(error)}); {follows}")
        return start(None)

    @property
    def has_checkpoint(self) -> bool:
        """Whether there is a checkpoint, of whatever worth."""
        return bool(self._newest_first())

    def remove(self) -> None:
        """Delete the folder; to be called once the store holds everything."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _newest_first(self) -> list[Path]:
        found = sorted(self.path.glob("epoch-*.pt"), reverse=True)
        return [path for path in found if path not in self._unusable]

    def _remove_old(self, newest: Path) -> None:
        """Delete all but the last two, and what killed writers left."""
        # After a driver was killed, its trial may live on for some seconds beside its successor.
        left_over = [
            path for path in self.path.glob(f".epoch-*{UNFINISHED}") if path.name < f".{newest.name}"
        ]
        for path in (*self._newest_first()[NUM_KEPT:], *left_over):
            with suppress(OSError):
                path.unlink()


def _encode(state: State) -> tuple[memoryview, bytes]:
    """Return the content of a checkpoint, made in memory: `torch.save` does not say what a full disk said."""
    import torch  # here, since who only wants to know how many are kept need not wait for it

    buffer = io.BytesIO()
    torch.save(dict(state), buffer)
    content = buffer.getbuffer()
    return content, MARK + hashlib.sha256(content).digest()


def _read(path: Path) -> State:
    """Read a checkpoint.

    Raises:
        OSError: If the file cannot be read.
        ValueError: If it is not a whole, unchanged checkpoint.
    """
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is no regular file")
    with path.open("rb") as file:
        body = file.read(max(0, status.st_size - _TRAILER_BYTES))
        trailer = file.read()
    if not trailer.startswith(MARK):
        raise ValueError("it has no checksum at its end")
    if trailer != MARK + hashlib.sha256(body).digest():
        raise ValueError("its content does not have its checksum")
    import torch

    try:
        state = torch.load(io.BytesIO(body), map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, KeyError, pickle.UnpicklingError) as error:
        raise ValueError(reason_of(error)) from error
    if not isinstance(state, dict):
        raise ValueError(f"it holds {type(state).__name__}, not a state")
    return state
