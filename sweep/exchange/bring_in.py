"""Members brought into a store that lacks them: those that are there stay as they are."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sweep.exchange.incoming import IncomingMember, different_metrics
from sweep.exchange.run_maker import NewRun, Row, RunMaker, run_maker
from sweep.execution.cell_runs import cell_name, cell_values, changed_values
from sweep.execution.run_tags import kind_tags
from sweep.execution.tracking import open_experiment
from sweep.store.store import Store
from trainables.schema import (
    KIND_CELL,
    KIND_MEMBER,
    KIND_SWEEP,
    TAG_CELL,
    TAG_CODE,
    TAG_DATASET_CONTENT,
    TAG_DIVERGED,
    TAG_ERROR,
    TAG_KIND,
    TAG_MEMBER,
    TAG_PACK_SIZE,
    TAG_PARENT,
    TAG_PRUNED,
    Cell,
)

_TAGS = {
    "diverged": TAG_DIVERGED,
    "pruned": TAG_PRUNED,
    "error": TAG_ERROR,
    "pack_size": TAG_PACK_SIZE,
    "dataset_content": TAG_DATASET_CONTENT,
    "code": TAG_CODE,
}
TAG_IMPORTED = "catsweep.imported"
"""Where a member's run was brought in from."""
_UNFINISHED = frozenset({"RUNNING", "SCHEDULED"})


@dataclass
class Account:
    """What became of the members that wanted to come in.

    Args:
        num_new: Members that the store has now, and had not.
        num_there: Members that it had with the same numbers, or that are finished there and not here.
        num_unfinished: Members that are still in training elsewhere; they stay out.
        conflicts: Members that it has with other numbers, and the metrics that differ.
    """

    num_new: int = 0
    num_there: int = 0
    num_unfinished: int = 0
    conflicts: dict[str, list[str]] = field(default_factory=dict)


def bring_in(
    members: Iterable[IncomingMember],
    present: Mapping[str, IncomingMember],
    store: Store,
    source: str,
) -> Account:
    """Bring members into a store, each under its cell, in the experiment of the sweep that it was of.

    A member that the store has finished stays; one that failed or stopped there gives way to one that has
    finished elsewhere. Killed in the middle and called again, it goes on.

    Args:
        members: Those that want in.
        present: Those of them that the store has, by hash, with their numbers.
        store: Where to.
        source: Where from; a tag of every run.
    Returns:
        What became of them.
    """
    account = Account()
    arrivals = _Arrivals(store, source)
    for one in members:
        key = one.member.hash
        there = present.get(key)
        if there is not None and (there.is_finished or not one.is_finished):
            different = different_metrics(one, there) if one.is_finished and there.is_finished else []
            account.num_there += not different
            if different:
                account.conflicts[key] = different
        elif one.status in _UNFINISHED:
            account.num_unfinished += 1
        else:
            account.num_new += 1
            arrivals.add(one)
    arrivals.close()
    return account


class _Arrivals:
    """Makes the runs of members, and of the cells and sweeps that they are under."""

    def __init__(self, store: Store, source: str) -> None:
        self._store = store
        self._source = source
        self._maker: RunMaker = run_maker(store)
        self._experiments: dict[str, str] = {}
        self._parents: dict[tuple[str, str], str] = {}
        self._touched: dict[str, Cell] = {}

    def add(self, one: IncomingMember) -> None:
        """Make the run of a member."""
        cell = one.member.cell
        experiment_id = self._experiment(str(one.leading.get("experiment") or "imported"))
        tags = {
            **kind_tags(KIND_MEMBER, cell.note),
            TAG_MEMBER: one.member.hash,
            TAG_CELL: cell.hash,
            TAG_PARENT: self._cell_run(experiment_id, cell),
            TAG_IMPORTED: self._source,
            **{tag: str(one.leading[name]) for name, tag in _TAGS.items() if name in one.leading},
        }
        start = one.leading.get("start_time", 0)
        times = (start, one.leading.get("end_time", start))
        name = f"seed {one.member.seed}, {cell_name(cell)}"
        rows = list(_rows(one, *times))
        self._maker.make(NewRun(experiment_id, name, one.status, times, tags, one.member.params, rows))
        self._touched[cell.hash] = cell

    def close(self) -> None:
        """See that all runs are there, and that cells show their means."""
        self._maker.flush()
        if self._touched:
            _write_means(self._store, self._touched, set(self._experiments.values()))

    def _experiment(self, name: str) -> str:
        if name not in self._experiments:
            experiment_id = open_experiment(self._store.client, name, self._store.home)
            self._experiments[name] = experiment_id
            for run in _runs_of(self._store, experiment_id, KIND_CELL):
                self._parents[experiment_id, run.data.tags.get(TAG_CELL, "")] = run.info.run_id
            for run in _runs_of(self._store, experiment_id, KIND_SWEEP):
                self._parents[experiment_id, KIND_SWEEP] = run.info.run_id
        return self._experiments[name]

    def _cell_run(self, experiment_id: str, cell: Cell) -> str:
        return self._parent(experiment_id, cell.hash, cell)

    def _parent(self, experiment_id: str, key: str, cell: Cell | None) -> str:
        """Return a cell's run, or the sweep's, which is made where there is none."""
        if (experiment_id, key) not in self._parents:
            tags, params, name = kind_tags(KIND_SWEEP), {}, "sweep"
            if cell is not None:
                sweep = self._parent(experiment_id, KIND_SWEEP, None)
                tags = {**kind_tags(KIND_CELL, cell.note), TAG_CELL: cell.hash, TAG_PARENT: sweep}
                params, name = cell.params, cell_name(cell)
            now = time.time_ns() // 1_000_000
            run = NewRun(experiment_id, name, "FINISHED", (now, now), tags, params, ())
            self._parents[experiment_id, key] = self._maker.make(run)
        return self._parents[experiment_id, key]


def _runs_of(store: Store, experiment_id: str, kind: str) -> Iterator[Any]:
    token = None
    while True:
        page = store.client.search_runs([experiment_id], f"tags.`{TAG_KIND}` = '{kind}'", page_token=token)
        yield from page
        token = page.token
        if not token:
            return


def _rows(one: IncomingMember, start: int, end: int | None) -> Iterator[Row]:
    """Return the metrics as rows, whose times are spread evenly over the run's."""
    whole = max(one.last_epoch, 1)
    seconds = max((end or start) - start, 0)
    for epoch, name, value in one.points:
        yield name, value, start + seconds * epoch // whole, epoch


def _write_means(store: Store, cells: Mapping[str, Cell], experiments: Collection[str]) -> None:
    """Have the runs of these cells show means over all members of the store."""
    from mlflow.entities import Metric

    results: dict[str, list[Mapping[str, float]]] = {key: [] for key in cells}
    for stored in store.members().values():
        if stored.member is not None and stored.result is not None and stored.member.cell.hash in results:
            results[stored.member.cell.hash].append(stored.result)
    for experiment_id in experiments:
        for run in _runs_of(store, experiment_id, KIND_CELL):
            key = run.data.tags.get(TAG_CELL, "")
            if key not in cells:
                continue
            changed = changed_values(cell_values(results[key]), run.data.metrics)
            epoch, now = int(cells[key].params["epochs"]), time.time_ns() // 1_000_000
            rows = [Metric(name, value, now, epoch) for name, value in changed.items()]
            if rows:
                store.client.log_batch(run.info.run_id, rows)
