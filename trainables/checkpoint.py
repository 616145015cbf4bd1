"""Checkpoints of packs: written atomically, the last two kept, read without unpickling code."""

from __future__ import annotations

import logging
import os
import pickle
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

NUM_KEPT = 2

_log = logging.getLogger(__name__)


class CheckpointFolder:
    """The checkpoints of one pack.

    Args:
        path: Folder of the pack; made when the first checkpoint is saved. Absolute, since Tune changes the
            working directory of trials.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def save(self, state: Mapping[str, Any], epoch: int) -> None:
        """Write the state after an epoch so that it is either wholly there or not at all."""
        self.path.mkdir(parents=True, exist_ok=True)
        target = self.path / f"epoch-{epoch:06d}.pt"
        # After a driver was killed, its trial may live on for some seconds beside its successor.
        partial = target.with_suffix(f".{os.getpid()}.partial")
        with partial.open("wb") as file:
            torch.save(dict(state), file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
        left_overs = [path for path in self.path.glob("epoch-*.partial") if path < target]
        for old in (*self._newest_first()[NUM_KEPT:], *left_overs):
            old.unlink(missing_ok=True)

    def load(self) -> dict[str, Any] | None:
        """Return the newest state that can be read, or none; warn of each that cannot."""
        for path in self._newest_first():
            try:
                state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
            except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
                reason = str(error).splitlines()[0] if str(error) else type(error).__name__
                _log.warning(
                    "checkpoint %s cannot be read (%s); falling back to the one before", path, reason
                )
            else:
                return state
        return None

    def remove(self) -> None:
        """Delete the folder; to be called once the store holds everything."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _newest_first(self) -> list[Path]:
        return sorted(self.path.glob("epoch-*.pt"), reverse=True)
