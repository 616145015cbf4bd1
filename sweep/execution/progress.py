"""How far a sweep is: counts, what is running, and when it will be done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from sweep.planning.plan import Plan
from trainables.pack import Pack
from trainables.schema import Member
from trainables.training.epochs import EpochRecord


@dataclass
class RunningPack:
    """A pack in training.

    Args:
        pack: The pack.
        epoch: Epochs done.
        value: Mean of its task's `progress` metric over its members that have not diverged, in the metric's
            unit; none before epoch 1.
    """

    pack: Pack
    epoch: int = 0
    value: float | None = None


@dataclass
class Progress:
    """The state that a display shows; told of events by the runner.

    Args:
        plan: What is to be done.
        clock: Seconds from a monotonic clock.
    """

    plan: Plan
    clock: Callable[[], float] = time.monotonic
    running: dict[str, RunningPack] = field(default_factory=dict)
    diverged: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)
    pruned: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._start = self.clock()
        self.finished = {member.hash for member in self.plan.members if self.plan.is_finished(member)}
        to_run = {member.hash for member in self.plan.members_to_run}
        self._failed_before = {
            member.hash
            for member in self.plan.members
            if self.plan.has_failed(member) and member.hash not in to_run
        }
        self._epochs_of = {pack.hash: 0 for pack in self.plan.packs}
        self._epochs_left = sum(pack.epochs for pack in self.plan.packs)
        self._epochs_run = 0

    @property
    def num_cells_done(self) -> int:
        """Cells all of whose members have finished."""
        return sum(
            all(member.hash in self.finished for member in request.members) for request in self.plan.requests
        )

    @property
    def num_cells_asked(self) -> int:
        """Cells that there will be in the end."""
        return len(self.plan.requests)

    @property
    def num_members_asked(self) -> int:
        """Members that there will be in the end."""
        return len(self.plan.members)

    @property
    def num_members_run(self) -> int:
        """Members asked for that have finished in this run."""
        return sum(member.hash in self.finished for member in self.plan.members_to_run)

    @property
    def num_members_done(self) -> int:
        """Members asked for that have finished."""
        return sum(member.hash in self.finished for member in self.plan.members)

    @property
    def num_members_failed(self) -> int:
        """Members asked for that have failed, in this run or before it."""
        failed = (self.failed | self._failed_before) - self.finished
        return sum(member.hash in failed for member in self.plan.members)

    @property
    def is_complete(self) -> bool:
        """Whether every member asked for has finished or failed, but for those that somebody stopped."""
        ended = self.num_members_done + self.num_members_failed
        stopped = self.pruned - self.finished - self.failed
        return ended + sum(member.hash in stopped for member in self.plan.members) == len(self.plan.members)

    @property
    def seconds_left(self) -> float | None:
        """Estimated seconds until the sweep is done; none before the first epoch."""
        if self._epochs_run == 0:
            return None
        return (self.clock() - self._start) / self._epochs_run * self._num_epochs_left()

    @property
    def notes(self) -> list[str]:
        """What else there is to say, in a few words each."""
        counts = {"diverged": self.diverged, "failed": self.failed, "stopped early": self.pruned}
        return [f"{len(members)} {what}" for what, members in counts.items() if members]

    def _num_epochs_left(self) -> int:
        return self._epochs_left

    def started(self, pack: Pack) -> None:
        """Take note that a pack has started."""
        self.running[pack.hash] = RunningPack(pack)

    def advanced(self, pack: Pack, records: Sequence[EpochRecord]) -> None:
        """Take note of new epochs; of several, all but the last were trained before a restart."""
        if not records:
            return
        last = records[-1]
        self._note_epoch(pack, last.epoch)
        self._epochs_run += 1
        values = [metrics[pack.task.progress] for metrics in last.metrics if metrics is not None]
        running = self.running.setdefault(pack.hash, RunningPack(pack))
        running.epoch = last.epoch
        running.value = sum(values) / len(values) if values else None

    def ended(
        self, pack: Pack, *, has_failed: bool, is_pruned: bool = False, diverged: Iterable[Member] = ()
    ) -> None:
        """Take note that a pack has ended: well, with an error, or since a search gave it up."""
        self.running.pop(pack.hash, None)
        self._note_epoch(pack, pack.epochs)
        hashes = {member.hash for member in pack.members}
        if has_failed:
            self.failed |= hashes - self.finished
        elif is_pruned:
            self.pruned |= hashes - self.finished
        else:
            self.finished |= hashes
        self.diverged.update(member.hash for member in diverged)

    def _note_epoch(self, pack: Pack, epoch: int) -> None:
        """Count down; what a pack that the plan does not have still has to do is not known."""
        self._epochs_left -= epoch - self._epochs_of.get(pack.hash, epoch)
        self._epochs_of[pack.hash] = epoch
