"""The plan of a search: the cells tried so far, and packs that stand for those to come."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sweep.home import Home
from sweep.planning.plan import Plan
from sweep.search.queue import CellQueue
from sweep.search.scores import Fate
from sweep.search.space import SearchSpace
from sweep.search.storage import open_storage
from sweep.search.study import CellTrial, Study
from sweep.spec.sweep_spec import Spec
from sweep.store.store import StoredMember
from trainables.pack import Pack
from trainables.schema import Cell, CellRequest


@dataclass(frozen=True)
class SearchPlan(Plan):
    """A plan whose requests are the cells tried, and whose packs are for an estimate.

    Nobody knows which cells a search will choose: its packs to come are of cells spread over the space.

    Args:
        num_cells: Cells of the space.
        num_allowed: How many of them may be tried.
        trials: What the study knows of those tried, by cell hash.
    """

    num_cells: int
    num_allowed: int
    trials: Mapping[str, CellTrial]

    @property
    def num_done(self) -> int:
        """Cells of which the study knows what became."""
        return sum(trial.verdict is not None for trial in self.trials.values())

    @property
    def num_to_come(self) -> int:
        """Cells that are still to be chosen."""
        return max(0, self.num_allowed - len(self.trials))

    def count(self, fate: Fate) -> int:
        """Return how many cells came to this."""
        verdicts = [trial.verdict for trial in self.trials.values()]
        return sum(verdict is not None and verdict.fate is fate for verdict in verdicts)

    @property
    def for_store(self) -> Plan:
        """The plan for the store, where means are kept of every cell of the space that has results."""
        return Plan(self.spec, self.spec.requests(), self.stored, ())

    @property
    def best(self) -> tuple[Cell, float] | None:
        """The cell with the lowest value so far, and the value."""
        values = {
            request.cell: verdict.value
            for request in self.requests
            if (verdict := self.trials[request.cell.hash].verdict) is not None and verdict.value is not None
        }
        return min(values.items(), key=lambda item: item[1]) if values else None


def search_plan(spec: Spec, stored: Mapping[str, StoredMember], home: Home) -> SearchPlan:
    """Return how a search stands; the study is read and not made.

    Args:
        spec: A spec with a search.
        stored: Everything the store holds, by member hash.
        home: Says where the study is.

    Raises:
        StoreError: If the study's database cannot be used.
    """
    space = SearchSpace(spec)
    trials = _tried(spec, space, home)
    num_allowed = min(spec.search.num_trials, len(space))
    # Of what is complete the store may lack members, since somebody has deleted them.
    in_training = [space.requests[key] for key, trial in trials.items() if _is_to_finish(trial)]
    untried = [request for key, request in space.requests.items() if key not in trials]
    num_to_come = max(0, num_allowed - len(trials))
    to_come = [untried[index * len(untried) // num_to_come] for index in range(num_to_come)]
    return SearchPlan(
        spec=spec,
        requests=tuple(space.requests[key] for key in trials),
        stored=stored,
        packs=tuple(pack for one in (*in_training, *to_come) if (pack := _unfinished(one, stored))),
        num_cells=len(space),
        num_allowed=num_allowed,
        trials=trials,
    )


def open_queue(
    spec: Spec, stored: Mapping[str, StoredMember], home: Home, *, retry_failed: bool = False
) -> CellQueue:
    """Open a spec's study, which is made where there is none, and settle what a killed driver left.

    Args:
        spec: A spec with a search.
        stored: Everything the store holds, by member hash.
        home: Says where the study and the checkpoints are.
        retry_failed: Whether cells that failed are trained again.

    Raises:
        StoreError: If the study's database cannot be used.
    """
    space = SearchSpace(spec)
    storage = open_storage(home, is_made=True)
    assert storage is not None
    queue = CellQueue(
        Study(spec, space, storage),
        space,
        spec.search.metric,
        stored,
        home.checkpoints,
        retry_failed=retry_failed,
    )
    queue.settle()
    return queue


def _tried(spec: Spec, space: SearchSpace, home: Home) -> Mapping[str, CellTrial]:
    storage = open_storage(home, is_made=False)
    if storage is None:
        return {}
    try:
        return Study(spec, space, storage, is_made=False).tried()
    except KeyError:
        return {}


def _is_to_finish(trial: CellTrial) -> bool:
    return trial.verdict is None or trial.verdict.fate is Fate.COMPLETE


def _unfinished(request: CellRequest, stored: Mapping[str, StoredMember]) -> Pack | None:
    members = [
        member
        for member in request.members
        if member.hash not in stored or not stored[member.hash].is_finished
    ]
    return Pack(tuple(members)) if members else None
