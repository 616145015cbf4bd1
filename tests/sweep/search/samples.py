"""Small searches: a spec of six cells, its parts on a real SQLite study, and a stand-in for the training."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import optuna

from sweep.home import Home
from sweep.planning.packing import write_manifest
from sweep.search.planning import SearchPlan, open_queue, search_plan
from sweep.search.queue import CellQueue, Job
from sweep.search.space import SearchSpace
from sweep.search.storage import storage_url
from sweep.search.study import Study, study_name
from sweep.spec.sweep_spec import Spec
from sweep.store.store import StoredMember
from tests.sweep.samples import metrics_of, record, spec_of
from trainables.schema import CellRequest, Member
from trainables.training.epochs import EpochRecord

GRID = {"lr": [0.001, 0.0005], "temperature": [0.5, 1.0, 1.5]}


def search_of(*blocks: Mapping[str, object], trials: int = 4, epochs: int = 2, **changes: object) -> Spec:
    """Return a spec of a search, of six cells where no block is given, changed as asked."""
    search = {"kind": "optuna", "trials": trials, **changes}
    return spec_of(*(blocks or (GRID,)), epochs=epochs, search=search)


def stored_of(
    member: Member, value: float | None, *, status: str = "FINISHED", **changes: object
) -> StoredMember:
    """Return a member as a store has it that ended at some value; none is one that diverged in epoch 1."""
    metrics = {} if value is None else metrics_of(value)
    epoch = 0 if value is None else int(member.cell.params["epochs"])
    diverged = 1 if value is None and status == "FINISHED" else None
    return StoredMember(member, f"run of {member.hash}", status, epoch, metrics, diverged, **changes)  # type: ignore[arg-type]


def value_of(cell: CellRequest) -> float:
    """Return what a cell's first seed ends at in these tests: lowest at lr 0.0005 and temperature 1."""
    params = cell.cell.params
    return 100 + 1e4 * abs(float(params["lr"]) - 0.0005) + 10 * abs(float(params["temperature"]) - 1)


@dataclass
class Lab:
    """A search without Ray and without a tracking store; what a store would hold is a dictionary.

    Args:
        spec: The spec.
        home: Where study and checkpoints are.
        stored: What the store holds, by member hash; training adds to it.
        empty_file: An SQLite file with Optuna's tables, since making them takes a second.
    """

    spec: Spec
    home: Home
    stored: dict[str, StoredMember]
    empty_file: Path

    @property
    def space(self) -> SearchSpace:
        return SearchSpace(self.spec)

    def open(self, *, retry_failed: bool = False) -> CellQueue:
        """Start a driver: what went before is known from the study and the store alone."""
        self._make_tables()
        return open_queue(self.spec, dict(self.stored), self.home, retry_failed=retry_failed)

    def plan(self) -> SearchPlan:
        """Return how the search stands, as the commands see it."""
        return search_plan(self.spec, self.stored, self.home)

    def trials(self) -> Sequence[optuna.trial.FrozenTrial]:
        """Return what Optuna itself has in the study."""
        url = storage_url(self.home).render_as_string(hide_password=False)
        name = study_name(self.spec, self.space)
        return optuna.load_study(study_name=name, storage=url).trials

    def study(self) -> Study:
        """Return the study as another process would open it."""
        self._make_tables()
        return Study(self.spec, self.space, optuna.storages.RDBStorage(str(storage_url(self.home))))

    def forget(self) -> None:
        """Forget the study; what the store holds stays."""
        (self.home.path / "optuna.db").unlink()

    def _make_tables(self) -> None:
        file = self.home.path / "optuna.db"
        if not file.exists():
            shutil.copy(self.empty_file, file)

    def start(self, job: Job) -> None:
        """Do what starting a pack does in the home and in the store."""
        write_manifest(self.home.checkpoints, job.pack)
        for member in job.pack.members:
            if not (member.hash in self.stored and self.stored[member.hash].is_finished):
                self.stored[member.hash] = stored_of(member, None, status="RUNNING")

    def store(self, job: Job, value: float | None = None) -> None:
        """Do what a pack that has ended well leaves in the store; its seeds end one nat apart."""
        for index, member in enumerate(job.pack.members):
            mean = value_of(job.request) if value is None else value
            if not self.stored[member.hash].is_finished:
                self.stored[member.hash] = stored_of(member, mean + index)

    def train(self, queue: CellQueue, job: Job) -> None:
        """Train a cell to the end."""
        self.start(job)
        for epoch in range(1, self.spec.epochs + 1):
            queue.advanced(job, [records_of(job, epoch)])
        queue.ended(job, has_failed=False)
        self.store(job)

    def run(self, queue: CellQueue, limit: int = 100) -> list[Job]:
        """Train one cell after the other."""
        done: list[Job] = []
        while len(done) < limit and (job := queue.next()) is not None:
            self.train(queue, job)
            done.append(job)
        return done


def records_of(job: Job, epoch: int) -> EpochRecord:
    """Return what an epoch of a cell gives: ten nats more for every epoch before the last."""
    to_come = int(job.request.cell.params["epochs"]) - epoch
    values = [value_of(job.request) + index + 10 * to_come for index in range(len(job.pack.members))]
    return record(epoch, *values)


def packs_in(folder: Path) -> list[str]:
    """Return the hashes of packs that have a folder."""
    return sorted(path.parent.name for path in folder.glob("*/pack.json"))
