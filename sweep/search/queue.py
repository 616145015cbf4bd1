"""The cells that a search has trained, one pack each: those that a killed driver left, then new ones."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sweep.planning.packing import packs_left_behind
from sweep.search.scores import Fate, Verdict, epoch_score, verdict_from_record, verdict_from_store
from sweep.search.space import SearchSpace
from sweep.search.study import CellTrial, Study
from sweep.store.store import StoredMember, StoreError
from trainables.pack import Pack
from trainables.schema import Cell, CellRequest, Member
from trainables.training.epochs import EpochRecord

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Job:
    """A cell to train.

    Args:
        request: The cell, with the seeds whose mean counts.
        pack: Its members that are not finished, and such as had been in a pack with them.
        trial: Optuna's number of the trial; none where it knows already what became of the cell.
    """

    request: CellRequest
    pack: Pack
    trial: int | None


class CellQueue:
    """Gives out cells to train, and tells the study what becomes of them.

    A cell that the store holds already, whichever sweep ran it, is a trial like any other, told at once and
    not trained; so is one that has diverged or failed there. What a search tries therefore does not depend on
    what had been run before.

    Args:
        study: The study.
        space: Its space.
        metric: The metric that the study is about.
        stored: What the store holds, by member hash.
        checkpoints: Folder of all checkpoints.
        retry_failed: Whether cells that failed are trained again.

    Attributes:
        verdicts: What became of each cell, by its hash, as far as it is known.
    """

    def __init__(
        self,
        study: Study,
        space: SearchSpace,
        metric: str,
        stored: Mapping[str, StoredMember],
        checkpoints: Path,
        *,
        retry_failed: bool = False,
    ) -> None:
        self._study = study
        self._space = space
        self._metric = metric
        self._stored = stored
        self._retry_failed = retry_failed
        self._left_behind = packs_left_behind(checkpoints)
        self._waiting: deque[Job] = deque()
        self._untold: deque[tuple[int, Verdict]] = deque()
        self._last: dict[str, EpochRecord] = {}
        self._num_in_training = 0
        self._is_exhausted = False
        self.verdicts: dict[str, Verdict] = {}

    @property
    def num_allowed(self) -> int:
        """How many cells may be tried."""
        return self._study.num_allowed

    @property
    def is_over(self) -> bool:
        """Whether the last cell has been given out and none is in training any more."""
        return self._is_exhausted and self._num_in_training == 0

    @property
    def best(self) -> tuple[Cell, float] | None:
        """The cell with the lowest value, and the value."""
        values = {key: one.value for key, one in self.verdicts.items() if one.value is not None}
        if not values:
            return None
        key = min(values, key=lambda key: values[key])
        return self._space.requests[key].cell, values[key]

    @property
    def settled(self) -> list[CellRequest]:
        """The cells of which it is known what became, trained now or before."""
        return [self._space.requests[key] for key in list(self.verdicts)]

    def settle(self) -> None:
        """Take up what a killed driver left: tell what the store has by now, and give out the rest first."""
        self._study.drop_halves()
        for trial in self._study.tried().values():
            self._settle(trial)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to give out; a new cell is asked for where need be."""
        if not self._waiting and (job := self._ask()) is not None:
            self._waiting.append(job)
        return not self._waiting

    def next(self) -> Job | None:
        """Give out the next cell to train, or none where the search has no more."""
        while self._untold:
            self._study.tell(*self._untold[0])
            self._untold.popleft()
        if self.is_empty:
            self._is_exhausted = True
            return None
        self._num_in_training += 1
        return self._waiting.popleft()

    def advanced(self, job: Job, records: Sequence[EpochRecord]) -> None:
        """Take note of epochs of a pack; those that were noted before change nothing."""
        for record in records:
            last = self._last.get(job.pack.hash)
            if last is not None and record.epoch <= last.epoch:
                continue
            self._last[job.pack.hash] = record
            score = epoch_score(record, self._metric)
            if job.trial is not None and score is not None:
                self._study.report(job.trial, record.epoch, score)

    def ended(self, job: Job, *, has_failed: bool) -> None:
        """Tell the study that a pack has ended."""
        last = self._last.pop(job.pack.hash, None)
        if last is None and not has_failed:
            return  # stopped by the user before its first epoch; it goes on in the next run
        self._num_in_training -= 1
        if job.trial is None:
            return
        if has_failed or last is None:
            verdict = Verdict(Fate.FAILED)
        else:
            verdict = verdict_from_record(job.request, job.pack.members, last, self._stored, self._metric)
        self.verdicts[job.request.cell.hash] = verdict
        try:
            self._study.tell(job.trial, verdict)
        except StoreError as error:  # Tune would take the pack for failed, whose results are there
            _log.warning("%s", error)
            self._untold.append((job.trial, verdict))

    def unnoted(self) -> list[tuple[Pack, int]]:
        """Return the packs that were stopped early, and when, of which the store has not been told."""
        found = []
        for key, verdict in self.verdicts.items():
            if verdict.epoch is None:
                continue
            request = self._space.requests[key]
            states = {member: self._stored.get(member.hash) for member in self._unfinished(request)}
            running = [
                member for member, one in states.items() if one is not None and one.status == "RUNNING"
            ]
            unknown = [member for member, one in states.items() if one is None]
            if pack := self._begun(request, running + unknown) or (Pack(tuple(running)) if running else None):
                found.append((pack, verdict.epoch))
        return found

    def _ask(self) -> Job | None:
        while (trial := self._study.ask()) is not None:
            request = self._space.requests[trial.cell]
            verdict = self._stored_verdict(request)
            if verdict is None:
                return Job(request, self._pack(request), trial.number)
            self._tell(request, trial.number, verdict)
        return None

    def _settle(self, trial: CellTrial) -> None:
        request = self._space.requests[trial.cell]
        stored = self._stored_verdict(request)
        failures = [
            verdict is not None and verdict.fate is Fate.FAILED for verdict in (trial.verdict, stored)
        ]
        if failures == [True, False]:  # it is to run again, or has finished elsewhere since
            trial = self._study.ask_for(trial.cell)
        verdict = trial.verdict or stored
        if verdict is None:
            self._waiting.append(Job(request, self._pack(request), trial.number))
            return
        if trial.is_told:
            self.verdicts[trial.cell] = verdict
        else:
            self._tell(request, trial.number, verdict)
        if self._is_lost(request, verdict, stored):
            self._waiting.append(Job(request, self._pack(request), None))

    def _is_lost(self, request: CellRequest, verdict: Verdict, stored: Verdict | None) -> bool:
        """Whether the store lacks what the study was told of, since the driver was killed in between."""
        if verdict.fate is Fate.COMPLETE:
            return stored is None
        unfinished = self._unfinished(request)
        return verdict.fate is Fate.DIVERGED and self._begun(request, unfinished) is not None

    def _tell(self, request: CellRequest, trial: int, verdict: Verdict) -> None:
        self._study.tell(trial, verdict)
        self.verdicts[request.cell.hash] = verdict

    def _stored_verdict(self, request: CellRequest) -> Verdict | None:
        verdict = verdict_from_store(request, self._stored, self._metric)
        is_again = _is_failure(verdict) and self._retry_failed and self._unfinished(request)
        return None if is_again else verdict

    def _unfinished(self, request: CellRequest) -> list[Member]:
        return [
            member
            for member in request.members
            if member.hash not in self._stored or not self._stored[member.hash].is_finished
        ]

    def _pack(self, request: CellRequest) -> Pack:
        """Return the pack of what is left of a cell: the one that has a checkpoint, or a new one."""
        unfinished = self._unfinished(request)
        return self._begun(request, unfinished) or Pack(tuple(unfinished))

    def _begun(self, request: CellRequest, unfinished: Sequence[Member]) -> Pack | None:
        """Return the pack left behind that has all of some members of a cell, and no other than its seeds."""
        for pack in self._left_behind:
            if unfinished and set(unfinished) <= set(pack.members) <= set(request.members):
                return pack
        return None


def _is_failure(verdict: Verdict | None) -> bool:
    return verdict is not None and verdict.fate is Fate.FAILED
