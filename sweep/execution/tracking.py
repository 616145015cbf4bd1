"""Tracking: what happens to packs, turned into writes to the MLflow store."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType

from mlflow import MlflowClient

from estimators import REGISTRY
from estimators.own import OwnEstimator
from sweep.execution.cell_runs import cell_values
from sweep.execution.experiment_page import complete_page, page_tags
from sweep.execution.kept_packs import KeptPack
from sweep.execution.outbox import Outbox
from sweep.execution.writes import (
    EndSweep,
    FailMember,
    FinishMember,
    ForgetPack,
    LogMetrics,
    LogPicture,
    MetricRow,
    PruneMember,
    StartMember,
    WriteCell,
)
from sweep.home import Home
from sweep.messages import say
from sweep.planning.plan import Plan
from sweep.store.refusal import named
from trainables.pack import Pack
from trainables.schema import Cell, Member, experiment_names
from trainables.task import Task
from trainables.training.epochs import EpochRecord
from trainables.visible_text import visible

FLUSH_SECONDS = 5.0
_MAX_ERROR_LENGTH = 4000


def open_experiment(
    client: MlflowClient,
    name: str,
    home: Home,
    show: Callable[[str], None] = say,
    task: Task | None = None,
) -> str:
    """Return the id of the sweep's experiment, which is made where need be.

    One that somebody has deleted is left so: its runs count nowhere, and a new one takes its place.

    Args:
        client: Client of the store.
        name: Name of the sweep.
        home: Where artifacts are kept, unless a server has a place of its own.
        show: Shows a line to the user.
        task: The sweep's task, of which the experiment's page speaks; without it the page is left to the
            next that opens it.
    Raises:
        MlflowException, SQLAlchemyError, OSError: If the store does not say.
    """
    for candidate in experiment_names(name):
        experiment = client.get_experiment_by_name(candidate)
        if experiment is None:
            if candidate != name:
                show(
                    f"experiment {name} was deleted in MLflow, which keeps its name: its runs do not "
                    f"count, and the sweep goes on in a new one, {candidate}"
                )
            return _new_experiment(client, candidate, home, task)
        if experiment.lifecycle_stage != "deleted":
            if task is not None:
                complete_page(client, experiment.experiment_id, experiment.tags, task)
            return named(experiment.experiment_id, "experiment")
    raise AssertionError("there is always another name")


def _new_experiment(client: MlflowClient, name: str, home: Home, task: Task | None) -> str:
    # Beside a database MLflow would take a folder where the driver happens to be; a server has its own.
    location = None if home.is_server else home.artifacts.as_uri()
    tags = {} if task is None else page_tags(task)
    return named(client.create_experiment(name, artifact_location=location, tags=tags), "experiment")


class Tracker:
    """Notes what happens to packs, and puts it into the outbox in batches.

    Args:
        plan: What the sweep asks for, and what the store holds of it.
        outbox: Sends the writes.
        dataset_content: What the images were made from, as `ImageDataset` has it.
        code: The code that trains, as `sweep.cluster.environment.code` describes it.
    """

    def __init__(self, plan: Plan, outbox: Outbox, dataset_content: str = "", code: str = "") -> None:
        self._outbox = outbox
        self._dataset_content = dataset_content
        self._code = code
        self._finished = {key for key, stored in plan.stored.items() if stored.is_finished}
        self._results: dict[str, Mapping[str, float]] = {
            key: stored.result for key, stored in plan.stored.items() if stored.result is not None
        }
        self._requests = {request.cell.hash: request for request in plan.requests}
        self._metrics: dict[str, list[MetricRow]] = {}
        self._places: dict[str, Mapping[str, str]] = {}
        self._last_cell_ms = 0
        self._changed_cells: dict[str, Cell] = {key: one.cell for key, one in self._requests.items()}
        self.flush()  # cells whose members finished in other sweeps

    def report(self, kept: KeptPack) -> None:
        """Note what a checkpoint says of a pack that was trained to its end, or was given up before."""
        self.start(kept.pack, code=kept.code, dataset_content=kept.dataset_content)
        self.log(kept.pack, kept.records, kept.place)
        self.log_pictures(kept.pack, kept.pictures)

    def start(self, pack: Pack, *, code: str = "", dataset_content: str = "") -> None:
        """Note that a pack is training, where need be with what it was trained by and on before."""
        self._outbox.add(
            *(
                StartMember(
                    member=member.hash,
                    params=member.params,
                    note=member.cell.note,
                    pack_size=len(pack),
                    dataset_content=dataset_content or self._dataset_content,
                    code=code or self._code,
                    estimator=_declaration(member.cell.estimator),
                )
                for member in self._unfinished(pack.members)
            )
        )

    def log(
        self, pack: Pack, records: Sequence[EpochRecord], place: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        """Note what epochs gave, and where; sent in batches, after some seconds or with `finish`."""
        unfinished = {member.hash for member in self._unfinished(pack.members)}
        if place:
            self._places.update(dict.fromkeys(unfinished, place))
        for record in records:
            for member, values in zip(pack.members, record.metrics, strict=True):
                if values is not None and member.hash in unfinished:
                    self._metrics.setdefault(member.hash, []).extend(
                        (key, value, record.timestamp_ms, record.epoch) for key, value in values.items()
                    )
        if time.monotonic() - self._last_flush > FLUSH_SECONDS:
            self.flush()

    def log_pictures(self, pack: Pack, pictures: Sequence[bytes | None]) -> None:
        """Note what the members of a pack have learned, a PNG of each or none."""
        unfinished = self._unfinished(pack.members)
        self._outbox.add(
            *(
                LogPicture(member=member.hash, png=png)
                for member, png in zip(pack.members, pictures, strict=True)
                if png is not None and member in unfinished
            )
        )

    def flush(self) -> None:
        """Put into the outbox what has been noted."""
        self._outbox.add(
            *map(self._metrics_write, list(self._metrics)),
            *(self._cell_write(cell) for cell in self._changed_cells.values()),
        )
        self._changed_cells = {}
        self._last_flush = time.monotonic()

    def finish(self, pack: Pack, last: EpochRecord) -> None:
        """Note that a pack is done, with its last epoch; once the store holds it, its checkpoints go."""
        for member, metrics in zip(pack.members, last.metrics, strict=True):
            if metrics is not None:
                self._results[member.hash] = metrics
        self._flush_members(pack.members)
        unfinished = self._unfinished(pack.members)
        self._outbox.add(
            *(
                FinishMember(member=member.hash, end_ms=last.timestamp_ms, diverged=diverged)
                for member, diverged in zip(pack.members, last.diverged, strict=True)
                if member in unfinished
            ),
            ForgetPack(pack=pack.hash, members=tuple(member.hash for member in pack.members)),
        )
        self._changed_cells.update(
            (member.cell.hash, member.cell) for member in pack.members if member.cell.hash in self._requests
        )

    def fail(self, pack: Pack, error: str) -> None:
        """Note that a pack ended with an error, be it before it started: where it was set up."""
        self.start(pack)
        self._flush_members(pack.members)
        self._outbox.add(
            *(
                FailMember(member=member.hash, end_ms=_now_ms(), error=visible(error)[-_MAX_ERROR_LENGTH:])
                for member in self._unfinished(pack.members)
            )
        )

    def prune(self, pack: Pack, epoch: int) -> None:
        """Note that a search gave a pack up after an epoch."""
        self._flush_members(pack.members)
        self._outbox.add(
            *(
                PruneMember(member=member.hash, end_ms=_now_ms(), epoch=epoch)
                for member in self._unfinished(pack.members)
            )
        )

    def close(self, *, is_complete: bool) -> None:
        """Send everything and end the sweep's run.

        Raises:
            StoreError: If the store does not take it.
        """
        self.flush()
        self._outbox.add(EndSweep(status="FINISHED" if is_complete else "KILLED"))
        self._outbox.close()

    def _flush_members(self, members: Iterable[Member]) -> None:
        keys = [member.hash for member in members if member.hash in self._metrics]
        self._outbox.add(*map(self._metrics_write, keys))

    def _metrics_write(self, member: str) -> LogMetrics:
        rows, place = tuple(self._metrics.pop(member)), self._places.pop(member, {})
        return LogMetrics(member=member, rows=rows, place=place)

    def _unfinished(self, members: Sequence[Member]) -> list[Member]:
        """Leave out members of a pack that finished elsewhere before it started."""
        return [member for member in members if member.hash not in self._finished]

    def _cell_write(self, cell: Cell) -> WriteCell:
        """Return the means over the members asked for that have a result."""
        members = self._requests[cell.hash].members
        results = [self._results[member.hash] for member in members if member.hash in self._results]
        # Of the rows of one epoch MLflow shows the latest, and the clock may have jumped back.
        self._last_cell_ms = max(_now_ms(), self._last_cell_ms + 1)
        return WriteCell(
            params=cell.params, note=cell.note, time_ms=self._last_cell_ms, values=cell_values(results)
        )


def _declaration(estimator: str) -> str:
    """Return what a user has declared of an estimator, as JSON; nothing of one that ships."""
    entry = REGISTRY.get(estimator)
    return json.dumps(entry.to_plain()) if isinstance(entry, OwnEstimator) else ""


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
