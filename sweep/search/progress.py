"""How far a search is: cells become known as they are tried."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

from sweep.execution.cell_runs import cell_name
from sweep.execution.progress import Progress
from sweep.search.queue import CellQueue
from trainables.pack import Pack
from trainables.schema import CellRequest, Member


@dataclass
class SearchProgress(Progress):
    """The state of a search that a display shows.

    Args:
        queue: What it gives out and is told.
    """

    queue: CellQueue = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._num_run = 0

    @property
    def num_cells_done(self) -> int:
        """Cells all of whose members have finished; not those that were given up or have failed."""
        return sum(all(map(self._is_done, request.members)) for request in self._tried())

    @property
    def num_cells_asked(self) -> int:
        """Cells that may be tried."""
        return self.queue.num_allowed

    @property
    def num_members_asked(self) -> int:
        """Members of as many cells."""
        return self.queue.num_allowed * len(self.plan.spec.seeds)

    @property
    def num_members_done(self) -> int:
        """Members of the cells tried that have finished, also where the store had them before."""
        return sum(self._is_done(member) for request in self._tried() for member in request.members)

    @property
    def num_members_run(self) -> int:
        """Members that have finished in this run."""
        return self._num_run

    @property
    def is_complete(self) -> bool:
        """Whether no cell is left to try and none is in training."""
        return self.queue.is_over

    @property
    def notes(self) -> list[str]:
        """What else there is to say; first of all the best cell so far."""
        best = self.queue.best
        if best is None:
            return super().notes
        cell, value = best
        return [f"best {value:.2f}: {cell_name(cell)}", *super().notes]

    def started(self, pack: Pack) -> None:
        """Take note that a pack has started, whose cell may be new."""
        request = CellRequest(pack.members[0].cell, self.plan.spec.seeds)
        if request not in self.plan.requests:
            self.plan = replace(self.plan, requests=(*self.plan.requests, request))
            self.finished |= {member.hash for member in request.members if self.plan.is_finished(member)}
        super().started(pack)

    def ended(
        self, pack: Pack, *, has_failed: bool, is_pruned: bool = False, diverged: Iterable[Member] = ()
    ) -> None:
        """Take note that a pack has ended."""
        before = len(self.finished)
        super().ended(pack, has_failed=has_failed, is_pruned=is_pruned, diverged=diverged)
        self._num_run += len(self.finished) - before

    def _tried(self) -> Collection[CellRequest]:
        tried = (*self.plan.requests, *self.queue.settled)
        return {request.cell.hash: request for request in tried}.values()

    def _is_done(self, member: Member) -> bool:
        return member.hash in self.finished or self.plan.is_finished(member)

    def _num_epochs_left(self) -> int:
        """Return an upper bound: cells may be stopped early, and the store may hold some already."""
        to_come = self.num_cells_asked - len(self.queue.verdicts)
        return to_come * self.plan.spec.epochs - sum(running.epoch for running in self.running.values())
