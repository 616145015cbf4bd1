"""The search as Ray Tune sees it: a searcher whose suggestions are packs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ray.tune.search import Searcher

from sweep.search.queue import CellQueue, Job
from trainables.pack import Pack
from trainables.pack_trainable import PACK, RECORDS
from trainables.training.epochs import EpochRecord


class CellSearcher(Searcher):  # type: ignore[misc]
    """Suggests the packs of a queue, and notes in it what Tune reports.

    Tune's own OptunaSearch is not used: it repeats cells, leaves a trial whose result is not a number running
    for ever, and knows neither the store nor what a killed driver had begun.

    Args:
        queue: Gives out cells.
        config_of: Maps a pack to the config that its trainable takes.
    """

    def __init__(self, queue: CellQueue, config_of: Callable[[Pack], Mapping[str, object]]) -> None:
        super().__init__()
        self._queue = queue
        self._config_of = config_of
        self._jobs: dict[str, Job] = {}

    def __getstate__(self) -> dict[str, Any]:
        # Tune pickles searchers for a restore of its own, which is never used here.
        return {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        """Return the config of the next pack, or that there is none."""
        job = self._queue.next()
        if job is None:
            return str(Searcher.FINISHED)
        self._jobs[trial_id] = job
        return {PACK: dict(self._config_of(job.pack))}

    def on_trial_result(self, trial_id: str, result: Mapping[str, Any]) -> None:
        """A pack has done an epoch."""
        self._queue.advanced(self._jobs[trial_id], _records(result))

    def on_trial_complete(
        self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False
    ) -> None:
        """A pack has ended; its last result comes with this event alone."""
        job = self._jobs.pop(trial_id)
        self._queue.advanced(job, _records(result or {}))
        self._queue.ended(job, has_failed=error)

    def save(self, checkpoint_path: str | Path) -> None:
        """Do nothing: all that a search goes on from is in its study and in the store."""

    def restore(self, checkpoint_path: str | Path) -> None:
        """Do nothing, as `save`."""


def _records(result: Mapping[str, Any]) -> list[EpochRecord]:
    return [EpochRecord.from_state(state) for state in result.get(RECORDS, ())]
