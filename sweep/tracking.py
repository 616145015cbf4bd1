"""Tracking: a sweep and its members as runs of the schema in the MLflow store."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from mlflow import MlflowClient
from mlflow.entities import Experiment, Metric, Param, RunTag

from sweep.cell_runs import CellRuns, cell_name, kind_tags
from sweep.home import Home
from sweep.outbox import Outbox, Write
from sweep.planning import Plan
from trainables.schema import (
    KIND_CELL,
    KIND_MEMBER,
    KIND_SWEEP,
    TAG_CELL,
    TAG_DIVERGED,
    TAG_ERROR,
    TAG_KIND,
    TAG_MEMBER,
    TAG_NOTE,
    TAG_PACK_SIZE,
    TAG_PARENT,
    Member,
)
from trainables.training import EpochRecord

FLUSH_SECONDS = 5.0
_MAX_METRICS_PER_BATCH = 1000
_MAX_ERROR_LENGTH = 4000

# Without the first, MLflow's UI opens an experiment with pages about language models.
_TAG_UI_KIND = "mlflow.experimentKind"
_TAG_UI_DESCRIPTION = "mlflow.note.content"
_UI_DESCRIPTION = f"""A sweep of catsweep: members (one seed each) under cells, cells under the sweep.

For the numbers of the tables, search for ``tags.`{TAG_KIND}` = '{KIND_CELL}'`` and sort by
`test_neg_elbo_mean`.
"""


def open_experiment(client: MlflowClient, name: str, home: Home) -> str:
    """Return the id of the sweep's experiment, which is made, or restored, where need be."""
    experiment: Experiment | None = client.get_experiment_by_name(name)
    if experiment is None:
        location = home.artifacts.as_uri() if home.sqlite_path is not None else None
        tags = {_TAG_UI_KIND: "custom_model_development", _TAG_UI_DESCRIPTION: _UI_DESCRIPTION}
        experiment_id: str = client.create_experiment(name, artifact_location=location, tags=tags)
        return experiment_id
    if experiment.lifecycle_stage == "deleted":
        client.restore_experiment(experiment.experiment_id)
    return str(experiment.experiment_id)


class Tracker:
    """Writes a sweep's runs, in batches and so that repeating a write changes nothing.

    Args:
        client: Client of the store.
        experiment_id: The sweep's experiment.
        plan: What the sweep asks for; members that the store holds go on in their runs.
        outbox: Holds the writes until the store has taken them.
    """

    def __init__(self, client: MlflowClient, experiment_id: str, plan: Plan, outbox: Outbox) -> None:
        self._client = client
        self._experiment_id = experiment_id
        self._outbox = outbox
        self._stored = dict(plan.stored)
        self._run_ids = {key: stored.run_id for key, stored in plan.stored.items()}
        self._results: dict[str, Mapping[str, float]] = {
            key: stored.result for key, stored in plan.stored.items() if stored.result is not None
        }
        self._cells = CellRuns(client, experiment_id, plan.requests, self._results)
        self._metrics: dict[str, list[Metric]] = {}
        self._last_flush = time.monotonic()
        self._sweep_run_id = ""

    def open(self, spec_text: str, environment: Mapping[str, object]) -> None:
        """Find or make the sweep's run and one for every cell; note spec and environment.

        Args:
            spec_text: The spec as YAML; logged as the artifact `spec.yaml`.
            environment: Versions and machine; logged as the artifact `environment.json`.
        """
        known = self._client.search_runs([self._experiment_id], f"tags.`{TAG_KIND}` = '{KIND_SWEEP}'")
        if known:
            self._sweep_run_id = known[0].info.run_id
            self._client.update_run(self._sweep_run_id, status="RUNNING")
        else:
            run = self._client.create_run(self._experiment_id, tags=kind_tags(KIND_SWEEP), run_name="sweep")
            self._sweep_run_id = run.info.run_id
        self._client.log_text(self._sweep_run_id, spec_text, "spec.yaml")
        self._client.log_dict(self._sweep_run_id, dict(environment), "environment.json")
        self._cells.open(self._sweep_run_id)

    def start(self, members: Sequence[Member]) -> None:
        """Note that these members, one pack, are training."""
        for member in self._unfinished(members):
            self._outbox.add(self._starting(member, len(members)))
        self._outbox.send()

    def log(self, members: Sequence[Member], records: Sequence[EpochRecord]) -> None:
        """Note what epochs gave; written in batches, at the latest after some seconds or with `finish`."""
        unfinished = {member.hash for member in self._unfinished(members)}
        for record in records:
            for member, values in zip(members, record.metrics, strict=True):
                if values is not None and member.hash in unfinished:
                    self._metrics.setdefault(member.hash, []).extend(
                        Metric(key, value, record.timestamp_ms, record.epoch) for key, value in values.items()
                    )
        if time.monotonic() - self._last_flush > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Send what has been noted, as far as the store takes it."""
        for key, metrics in self._metrics.items():
            for start in range(0, len(metrics), _MAX_METRICS_PER_BATCH):
                self._outbox.add(self._logging(key, metrics[start : start + _MAX_METRICS_PER_BATCH]))
        self._metrics = {}
        self._last_flush = time.monotonic()
        self._outbox.send()

    def finish(self, members: Sequence[Member], last: EpochRecord, after: Write) -> None:
        """Note that a pack is done.

        Args:
            members: The members of the pack.
            last: Its last epoch.
            after: Called once the store holds everything.
        """
        self.flush()
        for member, metrics, diverged in zip(members, last.metrics, last.diverged, strict=True):
            if metrics is not None:
                self._results[member.hash] = metrics
            if member in self._unfinished(members):
                self._outbox.add(self._finishing(member, last.timestamp_ms, diverged))
        for cell in dict.fromkeys(member.cell for member in members):
            self._outbox.add(lambda cell=cell: self._cells.write(cell))  # type: ignore[misc]
        self._outbox.add(after)
        self._outbox.send()

    def fail(self, members: Sequence[Member], error: str) -> None:
        """Note that a pack ended with an error."""
        self.flush()
        for member in self._unfinished(members):
            self._outbox.add(self._failing(member, error[-_MAX_ERROR_LENGTH:]))
        self._outbox.send()

    def close(self, *, is_complete: bool) -> None:
        """Send everything and end the sweep's run.

        Raises:
            StoreError: If the store does not take it.
        """
        self.flush()
        status = "FINISHED" if is_complete else "KILLED"
        self._outbox.add(lambda: self._client.set_terminated(self._sweep_run_id, status))
        self._outbox.close()

    def _unfinished(self, members: Sequence[Member]) -> list[Member]:
        """Leave out members of a pack that finished elsewhere before it started."""
        return [
            member
            for member in members
            if not (member.hash in self._stored and self._stored[member.hash].is_finished)
        ]

    def _starting(self, member: Member, pack_size: int) -> Write:
        def write() -> None:
            if member.hash not in self._run_ids:
                tags = {
                    **kind_tags(KIND_MEMBER),
                    TAG_MEMBER: member.hash,
                    TAG_CELL: member.cell.hash,
                    TAG_PARENT: self._cells.run_id(member.cell),
                    TAG_PACK_SIZE: str(pack_size),
                }
                if member.cell.note:
                    tags[TAG_NOTE] = member.cell.note
                name = f"seed {member.seed}, {cell_name(member.cell)}"  # the UI cuts names off at the end
                run = self._client.create_run(self._experiment_id, tags=tags, run_name=name)
                self._run_ids[member.hash] = run.info.run_id
            run_id = self._run_ids[member.hash]
            self._client.update_run(run_id, status="RUNNING")
            stored = self._stored.get(member.hash)
            if stored is None or stored.member is None:  # a param that is there cannot change its form
                self._client.log_batch(run_id, params=[Param(*item) for item in member.params.items()])
            if stored is not None and stored.error:
                self._client.delete_tag(run_id, TAG_ERROR)
                self._stored[member.hash] = replace(stored, error="")

        return write

    def _logging(self, key: str, metrics: Sequence[Metric]) -> Write:
        return lambda: self._client.log_batch(self._run_ids[key], metrics=metrics)

    def _finishing(self, member: Member, end_ms: int, diverged: int | None) -> Write:
        def write() -> None:
            run_id = self._run_ids[member.hash]
            if diverged is not None:
                self._client.log_batch(run_id, tags=[RunTag(TAG_DIVERGED, str(diverged))])
            self._client.set_terminated(run_id, "FINISHED", end_time=end_ms)

        return write

    def _failing(self, member: Member, error: str) -> Write:
        def write() -> None:
            run_id = self._run_ids[member.hash]
            self._client.log_batch(run_id, tags=[RunTag(TAG_ERROR, error)])
            self._client.set_terminated(run_id, "FAILED")

        return write
