"""Cells that somebody has stopped while the rest of a sweep goes on."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from ray import tune

from trainables.pack import Pack


class Stops(tune.Stopper):  # type: ignore[misc]
    """Ends packs all of whose members are of stopped cells, after the epoch in progress.

    A pack that has members of other cells too goes on: they train in the same products.

    Args:
        stopped_cells: Returns the hashes of the cells that are stopped by now.
    """

    def __init__(self, stopped_cells: Callable[[], Collection[str]]) -> None:
        self._stopped_cells = stopped_cells
        self._packs: dict[str, Pack] = {}

    def __getstate__(self) -> dict[str, Any]:
        # Tune pickles stoppers for a restore of its own, which is never used here.
        return {"_stopped_cells": frozenset, "_packs": {}}

    def __deepcopy__(self, _memo: object) -> Stops:
        return self  # Tune copies a run's settings, but must ask this one

    def note(self, trial_id: str, pack: Pack) -> None:
        """Take note of what a trial trains."""
        self._packs[trial_id] = pack

    def stops(self, pack: Pack) -> bool:
        """Whether a pack is not to be trained any further."""
        stopped = self._stopped_cells()
        return bool(stopped) and all(member.cell.hash in stopped for member in pack.members)

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:  # noqa: ARG002
        """Whether a trial ends now, after an epoch."""
        pack = self._packs.get(trial_id)
        return pack is not None and self.stops(pack)

    def stop_all(self) -> bool:
        """Never end everything at once."""
        return False
