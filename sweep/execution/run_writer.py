"""What a write does in the tracking store: runs of the schema for the sweep, its cells and its members."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import singledispatchmethod
from pathlib import Path
from types import MappingProxyType

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException

from sweep.execution.cell_runs import cell_name, changed_values
from sweep.execution.run_tags import dataset_inputs, kind_tags, member_tags
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
    Write,
    WriteCell,
)
from sweep.planning.packing import forget_pack
from sweep.store.artifact_bytes import NoFolderError, log_bytes
from sweep.store.refusal import WriteRefusedError, is_for_good, is_missing, named
from sweep.store.store import StoredMember
from trainables.error_reason import reason_of
from trainables.schema import (
    ENVIRONMENT_ARTIFACT,
    KIND_CELL,
    KIND_SWEEP,
    NUM_SEEDS,
    PICTURES_ARTIFACT,
    SPEC_ARTIFACT,
    TAG_CELL,
    TAG_CODE,
    TAG_DIVERGED,
    TAG_ERROR,
    TAG_KIND,
    TAG_MEMBER,
    TAG_PARENT,
    TAG_PRUNED,
    Cell,
    Member,
)

_MAX_METRICS_PER_BATCH = 900
"""MLflow takes 1,000 of everything in a batch, of which at most 100 are params."""

_AND_THEN = ", then "


class RunWriter:
    """Applies writes to one experiment, so that repeating one changes nothing.

    Not even where MLflow made a run and its answer was lost: before a run is made again it is looked for.

    Args:
        client: Client of the store.
        experiment_id: The sweep's experiment.
        stored: Members that the store holds; they go on in their runs, whichever experiment these are in.
        checkpoints: Folder of all checkpoints.
        store: Name of the store, as in the manifests of packs.
        made_by: Tags of every run that is made: who makes it, and from what.
    """

    def __init__(
        self,
        client: MlflowClient,
        experiment_id: str,
        stored: Mapping[str, StoredMember],
        checkpoints: Path,
        store: str = "",
        made_by: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self._client = client
        self._experiment_id = experiment_id
        self._stored = stored
        self._checkpoints = checkpoints
        self._run_ids = {key: one.run_id for key, one in stored.items()}
        self._cell_values: dict[str, dict[str, float]] | None = None
        self._in_doubt = {KIND_SWEEP}
        self._described_cells: set[str] = set()
        self._store = store
        self._made_by = dict(made_by)
        self._incomplete: set[str] = set()
        self._logged: dict[str, set[tuple[str, int]]] = {}

    def open_sweep(self, spec_text: str, environment: Mapping[str, object]) -> None:
        """Find or make the sweep's run, set it running, and note what it runs.

        Args:
            spec_text: The spec as YAML; logged as the artifact `spec.yaml`.
            environment: Versions and machine; logged as the artifact `environment.json`.
        """
        run_id = self._sweep_run_id()
        self._client.update_run(run_id, status="RUNNING")
        self._client.log_text(run_id, spec_text, SPEC_ARTIFACT)
        self._client.log_dict(run_id, dict(environment), ENVIRONMENT_ARTIFACT)

    def apply(self, write: Write) -> None:
        """Send a write.

        Raises:
            WriteRefusedError: If the store will never take it.
            MlflowException, SQLAlchemyError, OSError: If the store does not take it now.
        """
        if any(self._is_finished(member) for member in write.touched_members):
            return  # finished elsewhere, before this process
        try:
            self._apply(write)
        except MlflowException as error:
            if not is_for_good(error):
                raise
            self._incomplete.update(write.needed_by)
            raise WriteRefusedError(f"{write.kind}: {reason_of(error)}") from error

    @singledispatchmethod
    def _apply(self, write: Write) -> None:
        raise TypeError(f"write must be one that sweep.execution.writes declares, got {type(write).__name__}")

    @_apply.register
    def _(self, write: StartMember) -> None:
        run_id = self._member_run_id(write)
        stored = self._stored.get(write.member)
        params = [Param(*item) for item in write.params.items()]
        if stored is None:
            if inputs := dataset_inputs(write.params, write.dataset_content):
                self._client.log_inputs(run_id, datasets=inputs)
            self._log(write.member, write.rows, params, write.place)
            return
        if stored.member is None:  # a param that is there cannot change its form
            self._client.log_batch(run_id, params=params)
        self._client.update_run(run_id, status="RUNNING")
        for tag, is_set in ((TAG_ERROR, stored.error), (TAG_PRUNED, stored.pruned is not None)):
            if is_set:
                self._delete_tag(run_id, tag)
        self._add_code(run_id, write.code)
        self._log(write.member, write.rows, place=write.place)

    def _add_code(self, run_id: str, code: str) -> None:
        """Add the code that goes on with a run to what its tag says, where that is other code."""
        noted = self._client.get_run(run_id).data.tags.get(TAG_CODE, "")
        if code and code not in noted.split(_AND_THEN):
            tag = RunTag(TAG_CODE, _AND_THEN.join(filter(None, (noted, code))))
            self._client.log_batch(run_id, tags=[tag])

    @_apply.register
    def _(self, write: LogMetrics) -> None:
        self._log(write.member, write.rows, place=write.place)

    def _log(
        self,
        member: str,
        rows: Sequence[MetricRow],
        params: Sequence[Param] = (),
        place: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Log metrics that the store does not have, params and tags, in as few batches as MLflow takes."""
        run_id = self._known_run_id(member)
        logged = self._logged_epochs(member) if rows else set()
        # A member that had to start anew gives the same numbers again, at other times.
        new = [Metric(*row) for row in rows if (row[0], row[3]) not in logged]
        tags = [RunTag(*item) for item in place.items()]
        for start in range(0, max(len(new), len(params[:1]), len(tags)), _MAX_METRICS_PER_BATCH):
            once = {} if start else {"params": params, "tags": tags}
            self._client.log_batch(run_id, new[start:][:_MAX_METRICS_PER_BATCH], **once)
        logged.update((metric.key, metric.step) for metric in new)

    @_apply.register
    def _(self, write: LogPicture) -> None:
        try:
            log_bytes(self._client, self._known_run_id(write.member), write.png, PICTURES_ARTIFACT)
        except NoFolderError as error:
            raise WriteRefusedError(f"{write.kind}: {error}") from error

    @_apply.register
    def _(self, write: FinishMember) -> None:
        if write.member in self._incomplete:
            raise WriteRefusedError(f"{write.kind}: the store refused some of the member's numbers")
        tags = [] if write.diverged is None else [RunTag(TAG_DIVERGED, str(write.diverged))]
        self._end_member(write.member, "FINISHED", write.end_ms, tags)

    @_apply.register
    def _(self, write: FailMember) -> None:
        self._end_member(write.member, "FAILED", write.end_ms, [RunTag(TAG_ERROR, write.error)])

    @_apply.register
    def _(self, write: PruneMember) -> None:
        self._end_member(write.member, "KILLED", write.end_ms, [RunTag(TAG_PRUNED, str(write.epoch))])

    @_apply.register
    def _(self, write: WriteCell) -> None:
        cell = Cell.from_params(write.params, write.note)
        if not write.values.get(NUM_SEEDS) and cell.hash not in self._written_cells():
            return
        run_id = self._cell_run_id(cell)
        written = self._written_cells().setdefault(cell.hash, {})
        if changed := changed_values(write.values, written):
            epoch = int(cell.params["epochs"])
            rows = [Metric(key, value, write.time_ms, epoch) for key, value in changed.items()]
            self._client.log_batch(run_id, rows)
            written.update(changed)

    @_apply.register
    def _(self, write: ForgetPack) -> None:
        if self._incomplete.isdisjoint(write.members):
            forget_pack(self._checkpoints, write.pack, self._store)

    @_apply.register
    def _(self, write: EndSweep) -> None:
        self._client.set_terminated(self._sweep_run_id(), write.status)

    def _is_finished(self, member: str) -> bool:
        return member in self._stored and self._stored[member].is_finished

    def _end_member(self, member: str, status: str, end_ms: int, tags: list[RunTag]) -> None:
        run_id = self._known_run_id(member)
        if tags:
            self._client.log_batch(run_id, tags=tags)
        self._client.set_terminated(run_id, status, end_time=end_ms)
        self._logged.pop(member, None)

    def _logged_epochs(self, member: str) -> set[tuple[str, int]]:
        """Return which metrics of a member the store has of which epochs; read once, then kept up to date."""
        if member not in self._logged:
            names = self._stored[member].metrics if member in self._stored else ()
            run_id = self._known_run_id(member)
            self._logged[member] = {
                (name, metric.step)
                for name in names
                for metric in self._client.get_metric_history(run_id, name)
            }
        return self._logged[member]

    def _known_run_id(self, member: str) -> str:
        """Return the run of a member that has started."""
        if member not in self._run_ids:
            self._incomplete.add(member)
            raise WriteRefusedError(f"the store has no run of member {member}")
        return self._run_ids[member]

    def _member_run_id(self, write: StartMember) -> str:
        member = Member.from_params(write.params)

        def make() -> str:
            parent = self._cell_run_id(Cell.from_params(write.params, write.note))
            name = f"seed {member.seed}, {cell_name(member.cell)}"  # the UI cuts names off at the end
            return self._create_run({**member_tags(member, write), TAG_PARENT: parent}, name)

        return self._run_id(write.member, f"tags.`{TAG_MEMBER}` = '{member.hash}'", make)

    def _cell_run_id(self, cell: Cell) -> str:
        self._written_cells()

        def make() -> str:
            tags = {**kind_tags(KIND_CELL, cell.note), TAG_CELL: cell.hash}
            return self._create_run({**tags, TAG_PARENT: self._sweep_run_id()}, cell_name(cell))

        query = f"tags.`{TAG_KIND}` = '{KIND_CELL}' and tags.`{TAG_CELL}` = '{cell.hash}'"
        run_id = self._run_id(_cell_key(cell.hash), query, make)
        if cell.hash not in self._described_cells:
            self._client.log_batch(run_id, params=[Param(*item) for item in cell.items])
            self._client.set_terminated(run_id)
            self._described_cells.add(cell.hash)
        return run_id

    def _sweep_run_id(self) -> str:
        query = f"tags.`{TAG_KIND}` = '{KIND_SWEEP}'"
        return self._run_id(KIND_SWEEP, query, lambda: self._create_run(kind_tags(KIND_SWEEP), "sweep"))

    def _run_id(self, key: str, query: str, make: Callable[[], str]) -> str:
        """Return a run that is known, else one that the query finds where one may be, else a new one."""
        if key not in self._run_ids:
            found = self._client.search_runs([self._experiment_id], query) if key in self._in_doubt else []
            self._in_doubt.add(key)
            self._run_ids[key] = found[0].info.run_id if found else make()
            self._in_doubt.discard(key)
        return self._run_ids[key]

    def _create_run(self, tags: Mapping[str, str], name: str) -> str:
        run = self._client.create_run(self._experiment_id, tags={**self._made_by, **tags}, run_name=name)
        return named(run.info.run_id, "run")

    def _written_cells(self) -> dict[str, dict[str, float]]:
        """Return the metrics of the experiment's cells, read once and then kept up to date."""
        if self._cell_values is None:
            values: dict[str, dict[str, float]] = {}
            token = None
            while True:
                query = f"tags.`{TAG_KIND}` = '{KIND_CELL}'"
                page = self._client.search_runs([self._experiment_id], query, page_token=token)
                for run in page:
                    cell_hash = run.data.tags.get(TAG_CELL, "")
                    self._run_ids[_cell_key(cell_hash)] = run.info.run_id
                    values[cell_hash] = dict(run.data.metrics)
                    if run.info.status == "FINISHED":
                        self._described_cells.add(cell_hash)
                token = page.token
                if not token:
                    break
            self._cell_values = values
        return self._cell_values

    def _delete_tag(self, run_id: str, tag: str) -> None:
        try:
            self._client.delete_tag(run_id, tag)
        except MlflowException as error:
            if not is_missing(error):
                raise


def _cell_key(cell_hash: str) -> str:
    return f"cell {cell_hash}"
