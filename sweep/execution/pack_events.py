"""Tune's events of a trial, passed on as events of its pack to tracking and display."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ray.tune import Callback
from ray.tune.experiment import Trial

from sweep.execution.display import Display, pack_name
from sweep.execution.progress import Progress
from sweep.execution.tracking import Tracker
from sweep.home import Home
from sweep.planning.packing import write_manifest
from trainables.pack import Pack
from trainables.pack_trainable import PACK, PICTURES, PLACE, RECORDS, WARNINGS
from trainables.training.epochs import EpochRecord


class PackEvents(Callback):  # type: ignore[misc]
    """Tells tracker, progress and display what Tune reports.

    Args:
        tracker: Writes to the store.
        progress: Counts.
        display: Shows.
        home: Where checkpoints are; a pack that has started leaves its manifest there.
    """

    def __init__(
        self,
        tracker: Tracker,
        progress: Progress,
        display: Display,
        home: Home,
    ) -> None:
        self._tracker = tracker
        self._progress = progress
        self._display = display
        self._home = home
        self._last: dict[str, EpochRecord] = {}
        self._packs: dict[str, Pack] = {}

    def __getstate__(self) -> dict[str, Any]:
        # Tune pickles callbacks for a restore of its own, which is never used here.
        return {}

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """A pack has started, or started again after its process died."""
        pack = self._pack(trial)
        try:
            write_manifest(self._home.checkpoints, pack, self._home.store_name)
        except OSError as error:
            self._display.say(
                f"warning: {pack_name(pack)}: {self._home.checkpoints} cannot be written ({error.strerror}); "
                f"training goes on, but may have to start anew if this run is killed"
            )
        self._tracker.start(pack)
        self._progress.started(pack)
        self._display.update()

    def on_trial_result(
        self, iteration: int, trials: list[Trial], trial: Trial, result: dict[str, Any], **info: Any
    ) -> None:
        """A pack has done an epoch."""
        pack = self._pack(trial)
        for warning in result.get(WARNINGS, ()):
            self._display.say(f"warning: {pack_name(pack)}: {warning}")
        records = [EpochRecord.from_state(state) for state in result.get(RECORDS, ())]
        if records:
            self._last[pack.hash] = records[-1]
        self._tracker.log(pack, records, result.get(PLACE, {}))
        # Taken out, since Tune keeps the last result of every trial.
        if pictures := result.pop(PICTURES, ()):
            self._tracker.log_pictures(pack, pictures)
        self._progress.advanced(pack, records)
        self._display.update()

    def on_trial_complete(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """A pack is done, or a search gives it up before its last epoch."""
        pack = self._pack(trial, is_last=True)
        last = self._last.pop(pack.hash)
        if last.epoch < pack.epochs and None in last.diverged:
            self._tracker.prune(pack, last.epoch)
            self._progress.ended(pack, has_failed=False, is_pruned=True)
            self._display.update()
            return
        diverged = {
            member: epoch
            for member, epoch in zip(pack.members, last.diverged, strict=True)
            if epoch is not None
        }
        self._tracker.finish(pack, last)
        self._progress.ended(pack, has_failed=False, diverged=diverged)
        if diverged:
            epochs = ", ".join(str(epoch) for epoch in diverged.values())
            self._display.say(f"diverged: {pack_name(pack)}, in epoch {epochs}; counts as missing in means")
        self._display.update()

    def on_trial_error(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        """A pack has failed for good."""
        pack = self._pack(trial, is_last=True)
        error = _error(trial) or "the trial ended without saying why"
        self._tracker.fail(pack, error)
        self._progress.ended(pack, has_failed=True)
        reason = error.splitlines()[-1]
        self._display.say(f"failed: {pack_name(pack)}: {reason}")

    def _pack(self, trial: Trial, *, is_last: bool = False) -> Pack:
        """Return the pack of a trial, formed once: to check and to hash its members takes a while."""
        pack = self._packs.pop(trial.trial_id, None) or Pack.from_params(trial.config[PACK]["members"])
        if not is_last:
            self._packs[trial.trial_id] = pack
        return pack


def _error(trial: Trial) -> str:
    # Tune's own reader looks into the storage path, to which this file is copied only later.
    path = Path(trial.error_file) if trial.error_file else None
    return path.read_text().strip() if path is not None and path.exists() else ""
